"""Controllers fly both airframes by Bullet's own dynamics."""

from __future__ import annotations

import math

import pytest
import torch

from diffkin import rotations
from diffkin.aircraft import geometric_pd, load_airframe, saturate
from diffkin.errors import OptionError, ShapeError
from diffkin.simulation.flights import fly

pytest.importorskip("pybullet")

# Torques about x, y and z that the controls can give [N m]; the inertia is the airframe's own, see test_airframe.py.
LIMITS = {"fixed_wing": (16.0, 12.0, 12.0), "quadrotor": (3.0, 3.0, 0.8)}


@pytest.mark.parametrize("count", [50, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["fixed_wing", "quadrotor"])
def test_controller_reaches_random_attitudes(name: str, count: int) -> None:
    airframe = load_airframe(name)
    goals = rotations.random_rotation(count, seed=7)
    inertia = airframe.mass_properties().inertia
    limit = torch.tensor(LIMITS[name], dtype=torch.float64)
    gains = {"k_attitude": 36.0 * inertia.diagonal(), "k_rate": 9.0 * inertia.diagonal()}

    def control(k: int, R: torch.Tensor, omega: torch.Tensor) -> torch.Tensor:
        return saturate(geometric_pd(R, omega, goals, inertia, **gains), limit)

    level = torch.eye(3, dtype=torch.float64).expand(count, 3, 3)
    flight = fly(airframe, control, level, seconds=3.0)
    assert float(flight.time[-1]) == pytest.approx(3.0)
    assert bool((flight.torque.abs() <= limit).all())
    error = flight.error(goals)[:, -1]
    assert float((error <= math.radians(0.5)).double().mean()) >= 0.99


def test_flight_without_torque_goes_straight_on() -> None:
    # About a principal axis a free body keeps its rate, but for Bullet's damping, which is off here.
    airframe = load_airframe("quadrotor")
    level = torch.eye(3, dtype=torch.float64)[None]
    rate = torch.tensor([[0.0, 0.0, 0.7]], dtype=torch.float64)
    flight = fly(airframe, lambda k, R, w: torch.zeros(1, 3), level, rate, seconds=0.5, damping=0.0)
    yaw = rotations.matrix_to_euler(flight.R_ned_body[0, -1], "ZYX")
    torch.testing.assert_close(yaw, torch.tensor([0.35, 0.0, 0.0], dtype=torch.float64), rtol=0, atol=1e-6)


def test_bad_input() -> None:
    airframe = load_airframe("quadrotor")
    level = torch.eye(3, dtype=torch.float64)[None]
    with pytest.raises(OptionError, match="must be positive"):
        fly(airframe, lambda k, R, w: w, level, dt=-0.1)
    with pytest.raises(ShapeError, match=r"\(n, 3, 3\)"):
        fly(airframe, lambda k, R, w: w, level[0])
    with pytest.raises(ShapeError, match="controller"):
        fly(airframe, lambda k, R, w: w[0], level)
