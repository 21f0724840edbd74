"""A flight step by step is the flight at once."""

import pytest
import torch

from diffkin import aircraft, simulation
from diffkin.errors import ShapeError
from diffkin.rotations import angle_between, euler_to_matrix

pytestmark = pytest.mark.skipif(not simulation.is_installed(), reason="pybullet is not installed")


def test_step_by_step_is_the_same_as_at_once() -> None:
    airframe = aircraft.load_airframe("fixed_wing")
    start = euler_to_matrix(torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64), "ZYX")
    torque = torch.tensor([2.0, -1.0, 0.5], dtype=torch.float64)
    flight = simulation.LiveFlight(airframe, start)
    assert float(angle_between(flight.state[0], start)) < 1e-12
    R, omega = zip(*(flight.step(torque) for _ in range(60)))
    flight.close()
    whole = simulation.fly(airframe, lambda k, R, w: torque[None], start[None], seconds=0.25)
    torch.testing.assert_close(torch.stack(R), whole.R_ned_body[0, 1:], rtol=0.0, atol=1e-13)
    torch.testing.assert_close(torch.stack(omega), whole.omega_body[0, 1:], rtol=0.0, atol=1e-12)


def test_torque_is_checked() -> None:
    flight = simulation.LiveFlight(aircraft.load_airframe("quadrotor"), torch.eye(3, dtype=torch.float64))
    with pytest.raises(ShapeError, match="torque"):
        flight.step(torch.zeros(2, dtype=torch.float64))
    flight.close()
