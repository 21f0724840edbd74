"""Flights of policies: the step against the integrators of the package, and where they begin."""

import math

import pytest
import torch

from diffkin import aircraft, rotations
from diffkin.learning.policy.craft import Craft
from diffkin.learning.policy.flight import draw_starts, flight, flight_state, flight_step, held_out_starts
from diffkin.learning.policy.score import cost


def craft(dt: float = 0.02, lag: float = 0.04) -> Craft:
    inertia = torch.diag(torch.tensor([0.010, 0.012, 0.020], dtype=torch.float64))
    return Craft(inertia, torch.tensor([0.15, 0.15, 0.08], dtype=torch.float64), lag, dt)


def starts(body: Craft, count: int, seed: int = 0, **changes):
    return draw_starts(body, count, torch.Generator().manual_seed(seed), **changes)


def matrices(quat):
    return rotations.quat_xyzw_to_matrix(quat.movedim(-2, -1))


def flown_error(dt: float, seconds: float = 0.4) -> float:
    """Largest angle between a flight under a known command and rk4 with fine steps and the exact motors."""
    body = craft(dt)
    begin = starts(body, 16, spread=0.02)  # bodies that can exist, as rk4 asks for
    steps, fine = round(seconds / dt), 20
    command = 0.1 * torch.randn(3, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def held(k, R, omega):
        # motors of first order from rest under a constant command; their mean over the fine step
        t0, h = k * dt / fine, dt / fine
        decay = math.exp(-t0 / body.lag) * (1 - math.exp(-h / body.lag)) * body.lag / h
        return (command * (1 - decay)).T

    R, omega = aircraft.simulate_attitude(
        matrices(begin.quat_xyzw), begin.omega.T, torch.diag_embed(begin.moments.T), held, dt=dt / fine,
        steps=steps * fine,
    )  # fmt: skip
    ours = flight(lambda state, _: command, begin, body, steps)
    assert torch.allclose(ours.angle, rotations.angle_between(torch.eye(3, dtype=R.dtype), matrices(ours.quat_xyzw)))
    return float(rotations.angle_between(matrices(ours.quat_xyzw[-1]), R[:, -1]).max())


def test_the_step_is_of_second_order_beside_rk4():
    coarse, fine = flown_error(0.02), flown_error(0.01)
    assert coarse < 2e-3
    assert 3.5 < coarse / fine < 4.5


def test_without_torque_energy_and_momentum_hardly_change():
    body = craft(0.005)
    begin = starts(body, 8)
    flown = flight(lambda state, _: torch.zeros_like(state.omega), begin, body, 200)
    spin = begin.moments * flown.omega
    energy = (flown.omega * spin).sum(1)
    assert float((energy / energy[0] - 1).abs().max()) < 1e-4
    world = (matrices(flown.quat_xyzw) @ spin.movedim(1, 2).unsqueeze(-1)).squeeze(-1)
    assert float((world - world[0]).norm(dim=-1).max() / world[0].norm(dim=-1).max()) < 1e-4


def test_quaternions_stay_of_length_one_with_w_not_negative():
    body = craft()
    flown = flight(lambda state, b: b.limit.unsqueeze(-1).expand_as(state.omega), starts(body, 32), body, 100)
    assert torch.allclose(flown.quat_xyzw.norm(dim=1), torch.ones(101, 32, dtype=torch.float64), atol=1e-12)
    assert bool((flown.quat_xyzw[:, 3] >= 0).all())


def test_rotation_vector_is_that_of_the_package_and_smooth_at_the_identity():
    begin = starts(craft(), 50)
    state = flight_state(begin.quat_xyzw, begin.omega, torch.zeros_like(begin.omega))
    assert torch.allclose(state.rotvec.T, rotations.quat_xyzw_to_rotvec(begin.quat_xyzw.T), atol=1e-12)

    def rotvec(vector):
        quat = torch.cat([vector, (1 - vector.square().sum(0)).sqrt()[None]])
        return flight_state(quat, vector, vector).rotvec

    zero = torch.zeros(3, 1, dtype=torch.float64)
    slope = torch.autograd.functional.jacobian(rotvec, zero).reshape(3, 3)
    assert torch.allclose(slope, 2 * torch.eye(3, dtype=torch.float64))


def test_gradient_through_a_flight():
    body = craft()
    begin = starts(body, 3)
    gains = torch.tensor([0.3, 0.08], dtype=torch.float64, requires_grad=True)

    def loss(gains):
        flown = flight(lambda state, _: -gains[0] * state.rotvec - gains[1] * state.omega, begin, body, 6)
        return cost(flown.angle, flown.omega, flown.dt)

    assert torch.autograd.gradcheck(loss, gains)


def test_motors_reach_the_command_by_their_time_constant():
    body = craft(dt=0.04, lag=0.04)
    begin = starts(body, 2)
    state = flight_state(begin.quat_xyzw, begin.omega, torch.zeros_like(begin.omega))
    command = torch.full_like(begin.omega, 0.05)
    assert torch.allclose(flight_step(state, command, begin.moments, body).torque, (1 - math.exp(-1)) * command)


def test_starts_are_spread_as_said_and_repeat():
    body = craft()
    many = starts(body, 4000)
    ratio = many.moments / body.moments.unsqueeze(-1)
    assert 0.7 <= float(ratio.min()) < 0.71 and 1.29 < float(ratio.max()) <= 1.3
    assert float(many.omega.std()) == pytest.approx(1.5, rel=0.05)
    angle = flight_state(*many[:2], many.omega).angle
    assert float(angle.mean()) == pytest.approx(math.pi / 2 + 2 / math.pi, abs=0.03)  # of uniform rotations
    again = starts(body, 4000)
    assert all(map(torch.equal, many, again))
    assert not torch.equal(starts(body, 4000, seed=1).omega, many.omega)


def test_held_out_starts_stay_the_same_and_differ_by_seed():
    body = craft()
    first, again, other = (held_out_starts(body, 30, seed=seed) for seed in (0, 0, 1))
    assert all(map(torch.equal, first, again)) and not torch.equal(first.omega, other.omega)
