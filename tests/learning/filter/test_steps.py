"""Steps of the filters with the component first: against those of the aircraft package."""

import pytest
import torch

from diffkin import aircraft, rotations
from diffkin.errors import UnknownNameError
from diffkin.learning.filter.run import rms_deg, run_records
from diffkin.learning.filter.steps import FILTERS, filter_named
from tests.learning.filter.sample_records import records

GAINS = {"mahony": (1.3, 8.0, 0.06), "madgwick": (0.12, 0.01)}
STEPS = {
    "mahony": (aircraft.mahony_step, aircraft.MahonyGains),
    "madgwick": (aircraft.madgwick_step, aircraft.MadgwickGains),
}


@pytest.mark.parametrize("name", GAINS)
def test_filters_are_those_of_the_package(name):
    data = records()
    off = rotations.rotvec_to_quat_xyzw(torch.tensor([0.3, -0.4, 0.2], dtype=torch.float64))
    first = rotations.quat_xyzw_multiply(data.first.T, off)
    data = type(data)(**{**vars(data), "first": first.T.contiguous()})
    ours = run_records(name, torch.tensor(GAINS[name], dtype=torch.float64), data)
    step, gains = STEPS[name]
    state = aircraft.FilterState(first, torch.zeros(3, 3, dtype=torch.float64))
    measured = [part[1:].permute(2, 0, 1) for part in (data.gyro, -data.down, data.field)]
    theirs = aircraft.run_filter(step, state, *measured, data.dt, gains(*GAINS[name]))
    assert torch.equal(ours[0].T, first)
    assert torch.allclose(ours[1:].permute(2, 0, 1), theirs.quat_xyzw, atol=1e-9)


@pytest.mark.parametrize("name", GAINS)
def test_many_gains_at_once_are_each_alone(name):
    data = records()
    one = torch.tensor(GAINS[name], dtype=torch.float64)
    many = torch.stack([one, 2 * one, 0.3 * one], 1)
    together = run_records(name, many, data)
    for k in range(3):
        alone = run_records(name, many[:, k], data)
        assert torch.allclose(together[:, :, k], alone, atol=1e-13)
        assert float(rms_deg(together, data)[k]) == pytest.approx(float(rms_deg(alone, data)))


def test_names():
    assert set(FILTERS) == set(GAINS)
    assert all(len(filter_named(name)[1]) == len(gains) for name, gains in GAINS.items())
    with pytest.raises(UnknownNameError, match="mahony"):
        filter_named("mahoni")
