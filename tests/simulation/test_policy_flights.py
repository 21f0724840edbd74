"""Policies flown in PyBullet: the motors between them and the body, and the same flights as in the model."""

import dataclasses
import math

import pytest
import torch

from diffkin import aircraft
from diffkin.learning.policy import FlightStarts, flight, held_out_starts, make_policy, scores, trial_craft

pytest.importorskip("pybullet")


@pytest.mark.parametrize("name", ["fixed_wing", "quadrotor"])
def test_a_cascade_flies_airframes_as_it_flies_the_model(name):
    from diffkin.simulation.policy_flights import fly_policy

    craft, policy = trial_craft(), make_policy("cascade")
    starts = held_out_starts(craft, 4, seed=3)
    airframe = aircraft.load_airframe(name)
    with torch.no_grad():
        flown = fly_policy(airframe, policy, craft, starts, seconds=3.0)
        scaled = craft.scaled_to(airframe.mass_properties().inertia.float())
        model = flight(policy, FlightStarts(*starts[:2], scaled.moments.unsqueeze(-1).expand(3, 4)), scaled, 150)
    assert flown.R_ned_body.shape == (4, 151, 3, 3) and flown.torque.shape == (4, 150, 3)
    assert bool((flown.torque.abs() <= scaled.limit * (1 + 1e-5)).all())
    angle = flown.error(torch.eye(3, dtype=torch.float64).expand(4, 3, 3)).T
    assert torch.allclose(angle[0].float(), model.angle[0], atol=1e-5)
    # the model has no products of inertia, no damping and no hinges
    assert float((angle.float() - model.angle).abs().max()) < 0.25
    in_bullet = scores(angle, flown.omega_body.permute(1, 2, 0), craft.dt)
    ours = scores(model.angle, model.omega, craft.dt)
    assert in_bullet["cost"] == pytest.approx(ours["cost"], rel=0.05)
    assert in_bullet["error_max_deg"] < 0.5


def test_motors_lag_by_their_time_constant():
    from diffkin.simulation.policy_flights import fly_policy

    craft = trial_craft()
    starts = held_out_starts(craft, 2, seed=3)
    airframe = aircraft.load_airframe("quadrotor")

    def push(state, body):
        return 0.5 * body.limit.unsqueeze(-1).expand_as(state.omega)

    flown = fly_policy(airframe, push, craft, starts, seconds=0.1)
    limit = craft.scaled_to(airframe.mass_properties().inertia.float()).limit.double()
    # mean of 1 - exp(-t / T) over each interval between commands
    times = torch.arange(6, dtype=torch.float64) * craft.dt
    fall = torch.exp(-times / craft.lag)
    mean = 1.0 - (fall[:-1] - fall[1:]) * craft.lag / craft.dt
    assert torch.allclose(flown.torque, (0.5 * limit * mean.unsqueeze(-1)).expand(2, 5, 3), rtol=1e-5)
    assert math.isclose(float(flown.time[-1]), 0.1)


@pytest.mark.parametrize("dt", [0.03, 0.7, 0.007])
def test_flights_that_commands_do_not_divide(dt):
    from diffkin.simulation.policy_flights import fly_policy

    craft = dataclasses.replace(trial_craft(), dt=dt)
    starts = held_out_starts(craft, 2, seed=3)
    flown = fly_policy(aircraft.load_airframe("quadrotor"), make_policy("pd"), craft, starts, seconds=0.1)
    commands = max(1, round(0.1 / dt))
    assert flown.torque.shape == (2, commands, 3)
    torch.testing.assert_close(flown.time, dt * torch.arange(commands + 1, dtype=torch.float64))
