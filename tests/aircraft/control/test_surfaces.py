"""Mixer and surface allocation: against SciPy's bounded least squares and by their own laws."""

import numpy as np
import pytest
import torch
from scipy.optimize import lsq_linear
from torch.autograd import gradcheck

from diffkin import aircraft
from diffkin.errors import OptionError, ShapeError

F = torch.float64


def mixer() -> aircraft.QuadrotorMixer:
    places = torch.tensor([[0.2, 0.0], [0.0, -0.2], [-0.2, 0.0], [0.0, 0.2]], dtype=F)
    spins = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=F)
    return aircraft.QuadrotorMixer.from_rotors(places, spins, 1e-5, 0.015, max_thrust=6.0)


def test_mixer_matrix_is_force_times_arm() -> None:
    mix = mixer()
    places = np.array([[0.2, 0, 0], [0, -0.2, 0], [-0.2, 0, 0], [0, 0.2, 0]])
    speeds = np.array([300.0, 500.0, 400.0, 450.0])
    force = np.stack([np.zeros(4), np.zeros(4), -1e-5 * speeds**2], -1)
    torque = np.cross(places, force).sum(0)
    torque[2] -= (np.array([1, -1, 1, -1]) * 0.015 * 1e-5 * speeds**2).sum()
    wrench = mix.wrench(torch.tensor(speeds))
    np.testing.assert_allclose(wrench.numpy(), [-force[:, 2].sum(), *torque], rtol=0, atol=1e-14)


def test_mixer_inverts_what_is_within_limits() -> None:
    mix, draw = mixer(), torch.Generator().manual_seed(0)
    wanted = torch.rand(200, 4, generator=draw, dtype=F) * 5 + 0.5
    wrench = (mix.matrix @ wanted.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(mix.thrusts(wrench[:, 0], wrench[:, 1:]), wanted, rtol=0, atol=1e-12)
    torch.testing.assert_close(mix.wrench(mix.speeds(wrench[:, 0], wrench[:, 1:])), wrench, rtol=0, atol=1e-12)


def test_mixer_keeps_roll_and_pitch_before_yaw_before_thrust() -> None:
    mix, draw = mixer(), torch.Generator().manual_seed(1)
    thrust = torch.rand(500, generator=draw, dtype=F) * 30 - 3
    torque = torch.randn(500, 3, generator=draw, dtype=F) * torch.tensor([0.4, 0.4, 0.1], dtype=F)
    forces = mix.thrusts(thrust, torque)
    assert float(forces.min()) >= 0.0
    assert float(forces.max()) <= 6.0
    got = (mix.matrix @ forces.unsqueeze(-1)).squeeze(-1)
    span = 0.2 * 6.0 / (torque[:, 0].abs() + torque[:, 1].abs()).clamp(min=1e-9)  # closed form for four equal arms
    inverse = torch.linalg.pinv(mix.matrix)
    tilt = torque[:, :2] @ inverse[:, 1:3].T
    factor = (6.0 / (tilt.amax(-1) - tilt.amin(-1))).clamp(max=1.0)
    assert float((span < 1).double().mean()) > 0.02
    torch.testing.assert_close(got[:, 1:3], factor.unsqueeze(-1) * torque[:, :2], rtol=0, atol=1e-12)
    yaw = got[:, 3] / torque[:, 2]
    assert float(yaw.min()) >= -1e-9
    assert float(yaw.max()) <= 1 + 1e-9
    # the yaw factor is the largest possible: a little more would not fit
    short = (yaw < 1 - 1e-6) & (factor == 1)
    assert int(short.sum()) > 10
    more = (torque[:, :2] @ inverse[:, 1:3].T) + (yaw * 1.001 * torque[:, 2]).unsqueeze(-1) * inverse[:, 3]
    assert bool(((more.amax(-1) - more.amin(-1))[short] > 6.0).all())


@pytest.mark.parametrize(("rows", "columns"), [(4, 3), (6, 6), (9, 7)])
def test_bounded_least_squares_agrees_with_scipy(rows: int, columns: int) -> None:
    rng = np.random.default_rng(rows)
    A, b = rng.normal(size=(60, rows, columns)), 3 * rng.normal(size=(60, rows))
    low = -rng.random((60, columns))
    high = rng.random((60, columns))
    x = aircraft.bounded_least_squares(*(torch.tensor(a) for a in (A, b, low, high))).numpy()
    ends = 0
    for i in range(60):
        expected = lsq_linear(A[i], b[i], (low[i], high[i]), method="bvls", tol=1e-15).x
        np.testing.assert_allclose(x[i], expected, rtol=0, atol=1e-9)
        ends += int(((expected == low[i]) | (expected == high[i])).sum())
    assert ends > 60


def test_bounded_least_squares_gradients_and_transforms() -> None:
    rng = np.random.default_rng(5)
    A, b = torch.tensor(rng.normal(size=(4, 5, 3))), torch.tensor(3 * rng.normal(size=(4, 5)))
    low, high = torch.full((3,), -0.5, dtype=F), torch.full((3,), 0.6, dtype=F)
    args = tuple(a.requires_grad_() for a in (A, b, low, high))
    assert gradcheck(aircraft.bounded_least_squares, args)
    one = torch.func.vmap(lambda A, b: aircraft.bounded_least_squares(A, b, low, high))(A, b)
    torch.testing.assert_close(one, aircraft.bounded_least_squares(A, b, low, high))
    rows = torch.func.vmap(torch.func.jacrev(lambda b, A: aircraft.bounded_least_squares(A, b, low, high)))(b, A)
    (whole,) = torch.autograd.grad(aircraft.bounded_least_squares(A, b, low, high).sum(), b)
    torch.testing.assert_close(rows.sum(1), whole)


def test_surfaces_meet_a_reachable_torque_and_share_it() -> None:
    B = torch.tensor([[-30.0, 30.0, 0.0, 2.0], [0.0, 0.0, -40.0, 0.0], [1.0, -1.0, 0.0, -20.0]], dtype=F)
    torque = torch.tensor([5.0, -8.0, 3.0], dtype=F)
    limit = torch.full((4,), 0.4, dtype=F)
    u = aircraft.allocate_surfaces(B, torque, -limit, limit)
    torch.testing.assert_close(B @ u, torque, rtol=1e-4, atol=0)
    torch.testing.assert_close(u[0], -u[1])
    huge = aircraft.allocate_surfaces(B, 100 * torque, -limit, limit)
    assert bool((huge.abs() <= limit).all())
    stacked = np.concatenate([B.numpy(), 1e-3 * np.linalg.norm(B.numpy(), 2) * np.eye(4)])
    expected = lsq_linear(stacked, np.concatenate([100 * torque.numpy(), np.zeros(4)]), (-0.4, 0.4), tol=1e-15).x
    np.testing.assert_allclose(huge.numpy(), expected, rtol=0, atol=1e-7)


def test_bad_input() -> None:
    B, t, limit = torch.ones(3, 4, dtype=F), torch.ones(3, dtype=F), torch.ones(4, dtype=F)
    with pytest.raises(ShapeError, match="effectiveness"):
        aircraft.allocate_surfaces(B.T, t, -limit, limit)
    with pytest.raises(OptionError, match="lower bound"):
        aircraft.allocate_surfaces(B, t, limit, -limit)
    with pytest.raises(OptionError, match="effort"):
        aircraft.allocate_surfaces(B, t, -limit, limit, effort=0.0)
    with pytest.raises(OptionError, match="positive"):
        aircraft.QuadrotorMixer.from_rotors(torch.ones(4, 2, dtype=F), torch.ones(4), 1e-5, -0.1, 5.0)
    with pytest.raises(ShapeError, match="rotors"):
        aircraft.QuadrotorMixer.from_rotors(torch.ones(4, 2, dtype=F), torch.ones(3), 1e-5, 0.1, 5.0)
