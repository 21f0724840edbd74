"""Filters over whole records: the error by the geodesic distance, gradients, truth and bias."""

import math

import pytest
import torch

from diffkin import rotations
from diffkin.errors import OptionError
from diffkin.learning.filter.run import rms_deg, run_records
from diffkin.learning.filter.simulated import SimulationSettings, simulate_records
from tests.learning.filter.sample_records import records

GAINS = {"mahony": (1.3, 8.0, 0.06), "madgwick": (0.12, 0.01)}


def test_rms_by_the_geodesic_distance():
    data = records()
    quat = run_records("mahony", torch.tensor(GAINS["mahony"], dtype=torch.float64), data)
    angle = rotations.angle_between(
        rotations.quat_xyzw_to_matrix(quat.movedim(1, -1)), rotations.quat_xyzw_to_matrix(data.truth.movedim(1, -1))
    )
    counted = angle[data.counts > 0]
    expected = math.degrees(math.sqrt(float(counted.square().mean())))
    assert float(rms_deg(quat, data)) == pytest.approx(expected, rel=1e-9)
    assert float(rms_deg(-quat, data)) == pytest.approx(expected, rel=1e-9)  # the same rotations


@pytest.mark.parametrize("name", GAINS)
def test_gradient_through_a_record(name):
    data = records(2, 0.2, settle=0.1)
    gains = torch.tensor(GAINS[name], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda g: rms_deg(run_records(name, g, data), data), gains, rtol=1e-4)


def test_the_truth_without_errors_is_kept():
    """Perfect sensors and no bursts: whatever the gains, the filter stays at the truth."""
    perfect = SimulationSettings(
        seconds=3.0, bias=0.0, gyro_noise=0.0, accel_noise=0.0, mag_noise=0.0, burst=0.0, settle=0.5
    )
    data = simulate_records(4, perfect, 0, torch.float64)
    assert float(rms_deg(run_records("mahony", torch.tensor([3.0, 9.0, 0.1]).double(), data), data)) < 1e-6


def test_bias_is_found():
    quiet = SimulationSettings(
        seconds=30.0, bias=0.05, gyro_noise=0.0, accel_noise=0.0, mag_noise=0.0, burst=0.0, settle=25.0
    )
    data = simulate_records(4, quiet, 0, torch.float64)
    without = float(rms_deg(run_records("mahony", torch.tensor([1.0, 1.0, 1e-9]).double(), data), data))
    with_bias = float(rms_deg(run_records("mahony", torch.tensor([1.0, 1.0, 0.5]).double(), data), data))
    assert with_bias < 0.05 * without


def test_another_number_of_gains():
    with pytest.raises(OptionError, match="3 gains"):
        run_records("mahony", torch.ones(2), records())
