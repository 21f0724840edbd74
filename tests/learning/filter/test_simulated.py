"""Simulated sensors: what they say is the motion, and their errors are as large as asked for."""

import math

import pytest
import torch

from diffkin import rotations
from diffkin.errors import OptionError
from diffkin.learning.filter.simulated import SimulationSettings, simulate_records
from tests.learning.filter.sample_records import PERFECT


def test_simulated_sensors_say_what_the_motion_is():
    data = simulate_records(5, PERFECT, 0, torch.float64)
    truth = data.truth.movedim(1, -1)
    R = rotations.quat_xyzw_to_matrix(truth)
    assert torch.allclose(data.down.movedim(1, -1), R[..., 2, :], atol=1e-12)  # the vertical in body axes
    turned = rotations.quat_xyzw_multiply(rotations.quat_xyzw_inverse(truth[:-1]), truth[1:])
    rate = rotations.quat_xyzw_to_rotvec(turned) / data.dt
    assert torch.allclose(rate, data.gyro[1:].movedim(1, -1), atol=1e-9)
    north = (R.mT @ torch.tensor([0.5, 0.0, math.sqrt(0.75)], dtype=torch.float64).view(3, 1)).squeeze(-1)
    assert torch.allclose(data.field.movedim(1, -1), north, atol=1e-12)
    first = rotations.quat_xyzw_to_matrix(data.first.T)
    assert float(rotations.angle_between(first, R[0]).max()) < 1e-7


def test_noise_bias_and_bursts_are_as_large_as_said():
    noisy = SimulationSettings(seconds=8.0, bias=0.05, gyro_noise=0.01)
    clean = SimulationSettings(seconds=8.0, bias=0.0, gyro_noise=0.0)
    error = simulate_records(300, noisy, 3, torch.float64).gyro - simulate_records(300, clean, 3, torch.float64).gyro
    assert float(error.mean(0).std()) == pytest.approx(0.05, rel=0.1)
    assert float(error.std(0).mean()) == pytest.approx(0.01, rel=0.1)
    rough = SimulationSettings(seconds=8.0, accel_noise=0.0, burst=3.0)
    data = simulate_records(100, rough, 0, torch.float64)
    vertical = rotations.quat_xyzw_to_matrix(data.truth.movedim(1, -1))[..., 2, :]
    tilt = torch.linalg.vector_norm(torch.linalg.cross(data.down.movedim(1, -1), vertical), dim=-1)
    assert 0.1 < float(tilt.max()) < 0.7


def test_simulated_records_repeat_and_differ_by_seed():
    first, again, other = (simulate_records(2, PERFECT, seed) for seed in (0, 0, 1))
    assert torch.equal(first.gyro, again.gyro) and not torch.equal(first.gyro, other.gyro)
    assert first.gyro.dtype == torch.float32


def test_records_that_cannot_be():
    with pytest.raises(OptionError, match="settle"):
        simulate_records(1, SimulationSettings(seconds=1.0, settle=2.0))
    with pytest.raises(OptionError, match="count"):
        simulate_records(0)
