"""Geodesic distance, above all at 0 and pi."""

from __future__ import annotations

from math import pi

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.func import hessian, jacfwd, jacrev

from diffkin import rotations

AXIS = torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64) / 3.0
ANGLES = [0.0, 1e-300, 1e-16, 1e-12, 1e-8, 1e-4, 1.0, pi - 1e-4, pi - 1e-8, pi - 1e-12, pi]


def test_matches_scipy() -> None:
    a, b = rotations.random_rotation(300, 0), rotations.random_rotation(300, 1)
    expected = (Rotation.from_matrix(a.numpy()).inv() * Rotation.from_matrix(b.numpy())).magnitude()
    torch.testing.assert_close(rotations.angle_between(a, b), torch.tensor(expected), rtol=0, atol=2e-15)
    assert rotations.angle_between(a[:5, None], b[:7]).shape == (5, 7)


@pytest.mark.parametrize("angle", ANGLES)
def test_no_precision_is_lost(angle: float) -> None:
    eye = torch.eye(3, dtype=torch.float64)
    found = rotations.angle_between(eye, rotations.rotvec_to_matrix(angle * AXIS))
    if angle > 1e-70:
        torch.testing.assert_close(float(found), angle, rtol=1e-15, atol=0)
    else:
        assert float(found) == 0.0
    start = rotations.random_rotation((), 5)
    found = rotations.angle_between(start, start @ rotations.rotvec_to_matrix(angle * AXIS))
    torch.testing.assert_close(float(found), angle, rtol=0, atol=2e-15)


@pytest.mark.parametrize("angle", ANGLES)
def test_derivatives_are_bounded(angle: float) -> None:
    start = rotations.random_rotation((), 7)
    end = start @ rotations.rotvec_to_matrix(angle * AXIS)
    zero = torch.zeros(3, dtype=torch.float64)

    def turned(d: Tensor) -> Tensor:
        return rotations.angle_between(start, end @ rotations.rotvec_to_matrix(d))

    for slope in (jacrev(turned)(zero), jacfwd(turned)(zero)):
        assert float(slope.norm()) <= 1.0 + 1e-12
    if 1e-8 < angle < pi - 1e-8:
        torch.testing.assert_close(jacrev(turned)(zero), AXIS, rtol=0, atol=1e-7)
    assert bool(hessian(turned)(zero).isfinite().all())
    for which in (0, 1):
        raw = jacrev(rotations.angle_between, argnums=which)(start, end)
        assert float(raw.norm()) <= 1.0 + 1e-12
        assert bool(hessian(rotations.angle_between, argnums=which)(start, end).isfinite().all())


def test_second_derivative_is_right() -> None:
    """Along the axis the distance is linear; across it the second derivative is cot(t/2) / 2."""
    for angle in (1e-3, 0.5, 2.0, pi - 1e-3):
        end = rotations.rotvec_to_matrix(torch.tensor([0.0, 0.0, angle], dtype=torch.float64))

        def turned(d: Tensor, end: Tensor = end) -> Tensor:
            return rotations.angle_between(torch.eye(3, dtype=torch.float64), end @ rotations.rotvec_to_matrix(d))

        expected = torch.zeros(3, 3, dtype=torch.float64)
        expected[0, 0] = expected[1, 1] = 0.5 / torch.tan(torch.tensor(0.5 * angle, dtype=torch.float64))
        torch.testing.assert_close(hessian(turned)(torch.zeros(3).double()), expected, rtol=1e-10, atol=1e-9)


def test_float32_derivatives_are_finite() -> None:
    for angle in (0.0, 1e-20, 1e-12, 1e-6, pi):
        end = rotations.rotvec_to_matrix((angle * AXIS).float())
        eye = torch.eye(3)
        assert float(jacrev(rotations.angle_between)(eye, end).norm()) <= 1.0 + 1e-6
        assert bool(hessian(rotations.angle_between)(eye, end).isfinite().all())
