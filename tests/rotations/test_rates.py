"""Rates of quaternions and Rodrigues vectors: dR/dt = R hat(omega_body), forth and back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.func import jvp

from diffkin import rotations

CHARTS = {
    "quat_xyzw": (
        4,
        rotations.quat_xyzw_to_matrix,
        rotations.quat_xyzw_rate_matrix,
        rotations.quat_xyzw_body_rate_matrix,
    ),
    "mrp": (3, rotations.mrp_to_matrix, rotations.mrp_rate_matrix, rotations.mrp_body_rate_matrix),
    "gibbs": (3, rotations.gibbs_to_matrix, rotations.gibbs_rate_matrix, rotations.gibbs_body_rate_matrix),
    "rotvec": (3, rotations.rotvec_to_matrix, rotations.right_jacobian_inverse, rotations.right_jacobian),
}
Chart = tuple[int, Callable[[Tensor], Tensor], Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS.keys())
def test_rates_are_the_derivative_of_the_matrix(chart: Chart) -> None:
    width, to_matrix, rate_matrix, body_rate_matrix = chart
    generator = torch.Generator().manual_seed(0)
    place = torch.randn(100, width, generator=generator, dtype=torch.float64)
    place[0] = 0.0
    place[0, -1] = 1.0
    omega = torch.randn(100, 3, generator=generator, dtype=torch.float64)
    rate = (rate_matrix(place) @ omega.unsqueeze(-1)).squeeze(-1)
    matrix, slope = jvp(to_matrix, (place,), (rate,))
    torch.testing.assert_close(matrix.mT @ slope, rotations.hat(omega), rtol=0, atol=2e-13)
    back = (body_rate_matrix(place) @ rate.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(back, omega, rtol=0, atol=2e-13)


def test_quaternion_keeps_its_length() -> None:
    quat = torch.tensor([0.1, -0.7, 0.4, 1.2], dtype=torch.float64)
    assert float((quat @ rotations.quat_xyzw_rate_matrix(quat)).abs().max()) < 1e-16
    omega = torch.tensor([0.3, 0.2, -0.1, 0.0], dtype=torch.float64)
    expected = 0.5 * rotations.quat_xyzw_multiply(quat, omega)
    torch.testing.assert_close(rotations.quat_xyzw_rate_matrix(quat) @ omega[:3], expected, rtol=0, atol=1e-16)


def test_zero_rotation() -> None:
    zero = torch.zeros(3, dtype=torch.float64)
    eye = torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(rotations.mrp_rate_matrix(zero), 0.25 * eye)
    torch.testing.assert_close(rotations.mrp_body_rate_matrix(zero), 4.0 * eye)
    torch.testing.assert_close(rotations.gibbs_rate_matrix(zero), 0.5 * eye)
    torch.testing.assert_close(rotations.gibbs_body_rate_matrix(zero), 2.0 * eye)
