"""Angle of attack, sideslip, stability and wind axes."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch.autograd import gradcheck, gradgradcheck

from diffkin import aircraft
from diffkin.errors import NonFiniteError, RotationError, ShapeError


def angles(count: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    unit = torch.rand(count, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.5
    return unit[:, 0] * 2.0 * math.pi, unit[:, 1] * math.pi


def test_rotations_against_scipy() -> None:
    # Body axes are turned by -alpha about y, then by +beta about z, to become wind axes (Stevens & Lewis, 2.3).
    alpha, beta = angles()
    stability = Rotation.from_euler("Y", -alpha.numpy()[:, None])
    torch.testing.assert_close(aircraft.stability_to_body(alpha), torch.from_numpy(stability.as_matrix()))
    wind = stability * Rotation.from_euler("Z", beta.numpy()[:, None])
    torch.testing.assert_close(aircraft.wind_to_body(alpha, beta), torch.from_numpy(wind.as_matrix()))
    both = aircraft.stability_to_body(alpha) @ aircraft.wind_to_stability(beta)
    torch.testing.assert_close(aircraft.wind_to_body(alpha, beta), both)


def test_velocity_is_the_x_axis_of_the_wind_axes() -> None:
    alpha, beta = angles()
    speed = torch.linspace(1.0, 300.0, len(alpha), dtype=torch.float64)
    velocity = aircraft.air_data_to_velocity(speed, alpha, beta)
    torch.testing.assert_close(velocity, speed[:, None] * aircraft.wind_to_body(alpha, beta)[..., :, 0])
    V, a, b = aircraft.velocity_to_air_data(velocity)
    torch.testing.assert_close(V, speed, rtol=1e-14, atol=0)
    torch.testing.assert_close(a, alpha, rtol=0, atol=1e-12)
    torch.testing.assert_close(b, beta, rtol=0, atol=1e-13)


def test_wind_axes_and_back() -> None:
    alpha, beta = angles()
    a, b = aircraft.wind_to_body_angles(aircraft.wind_to_body(alpha, beta))
    torch.testing.assert_close(a, alpha, rtol=0, atol=1e-12)
    torch.testing.assert_close(b, beta, rtol=0, atol=1e-13)


def test_signs() -> None:
    # Air from below the nose: alpha positive. Air from the right: beta positive.
    _, alpha, beta = aircraft.velocity_to_air_data(torch.tensor([10.0, 1.0, 2.0], dtype=torch.float64))
    assert float(alpha) == pytest.approx(math.atan2(2.0, 10.0))
    assert float(beta) == pytest.approx(math.asin(1.0 / math.sqrt(105.0)))


def test_gradients() -> None:
    velocity = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert gradcheck(aircraft.velocity_to_air_data, (velocity,))
    assert gradgradcheck(aircraft.velocity_to_air_data, (velocity,))


@pytest.mark.parametrize("velocity", [(0.0, 0.0, 0.0), (0.0, 5.0, 0.0)])
def test_no_nan_where_angles_are_not_determined(velocity: tuple[float, float, float]) -> None:
    at = torch.tensor(velocity, dtype=torch.float64)
    V, alpha, beta = aircraft.velocity_to_air_data(at)
    assert float(alpha) == 0.0
    assert float(beta) == pytest.approx(0.5 * math.pi if velocity[1] else 0.0)
    assert float(V) == velocity[1]
    for rows in torch.func.jacrev(aircraft.velocity_to_air_data)(at):
        assert bool(torch.isfinite(rows).all())


def test_bad_input() -> None:
    with pytest.raises(ShapeError, match="do not broadcast"):
        aircraft.wind_to_body(torch.zeros(2), torch.zeros(3))
    with pytest.raises(ShapeError, match="do not broadcast"):
        aircraft.air_data_to_velocity(torch.zeros(2), torch.zeros(3), torch.zeros(3))
    with pytest.raises(RotationError, match="not a rotation"):
        aircraft.wind_to_body_angles(2.0 * torch.eye(3))
    with pytest.raises(NonFiniteError, match="v_body"):
        aircraft.velocity_to_air_data(torch.full((3,), torch.inf))
