"""Rotors of a multicopter: forces times arms, and what gives way where limits act."""

import numpy as np
import pytest
import torch
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


def test_gradients_within_and_at_limits() -> None:
    mix = mixer()
    thrust = torch.tensor([12.0, 20.0, 3.0], dtype=F, requires_grad=True)
    torque = torch.tensor([[0.1, -0.2, 0.01], [1.5, 0.3, 0.2], [0.3, 0.4, 0.05]], dtype=F, requires_grad=True)
    forces = mix.thrusts(thrust, torque)
    assert int(((forces == 0.0) | (forces == 6.0)).sum()) > 0
    assert gradcheck(mix.thrusts, (thrust, torque))
    (grad,) = torch.autograd.grad(mix.speeds(thrust, torque).sum(), thrust)
    assert bool(torch.isfinite(grad).all())


def test_rotors_that_must_keep_turning() -> None:
    places = torch.tensor([[0.2, 0.2], [-0.2, 0.2], [-0.2, -0.2], [0.2, -0.2]], dtype=F)
    spins = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=F)
    mix = aircraft.QuadrotorMixer.from_rotors(places, spins, 1e-5, 0.015, max_thrust=6.0, min_thrust=0.5)
    forces = mix.thrusts(torch.tensor(0.0, dtype=F), torch.tensor([0.2, -0.1, 0.0], dtype=F))
    assert float(forces.min()) == pytest.approx(0.5, abs=1e-12)
    got = mix.matrix @ forces
    torch.testing.assert_close(got[1:3], torch.tensor([0.2, -0.1], dtype=F), rtol=0, atol=1e-12)


def test_bad_input() -> None:
    with pytest.raises(OptionError, match="positive"):
        aircraft.QuadrotorMixer.from_rotors(torch.ones(4, 2, dtype=F), torch.ones(4), 1e-5, -0.1, 5.0)
    with pytest.raises(OptionError, match="range of thrust"):
        aircraft.QuadrotorMixer.from_rotors(torch.ones(4, 2, dtype=F), torch.ones(4), 1e-5, 0.1, 5.0, 5.0)
    with pytest.raises(ShapeError, match="rotors"):
        aircraft.QuadrotorMixer.from_rotors(torch.ones(4, 2, dtype=F), torch.ones(3), 1e-5, 0.1, 5.0)
    with pytest.raises(ShapeError, match="speeds"):
        mixer().wrench(torch.ones(3, dtype=F))
    with pytest.raises(ShapeError, match="torque"):
        mixer().thrusts(torch.ones((), dtype=F), torch.ones(4, dtype=F))
