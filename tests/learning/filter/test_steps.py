"""Filters over whole records: the package's own steps as the oracle, gradients, learning, the grid."""

import math

import pytest
import torch

from diffkin import aircraft, rotations
from diffkin.errors import OptionError, UnknownNameError
from diffkin.learning.filter.records import SimulationSettings, simulate_records
from diffkin.learning.filter.steps import FilterProblem, LearnedGains, fine_grid, rms_deg, run_records
from diffkin.learning.training.loop import fit
from diffkin.learning.training.settings import FitSettings

GAINS = {"mahony": (1.3, 8.0, 0.06), "madgwick": (0.12, 0.01)}
STEPS = {
    "mahony": (aircraft.mahony_step, aircraft.MahonyGains),
    "madgwick": (aircraft.madgwick_step, aircraft.MadgwickGains),
}


def records(count: int = 3, seconds: float = 2.0, seed: int = 0, settle: float = 0.5):
    return simulate_records(count, SimulationSettings(seconds=seconds, settle=settle), seed, torch.float64)


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


def test_learning_approaches_the_fine_grid(tmp_path):
    data = records(8, 3.0, settle=1.0)
    gains, best = fine_grid("madgwick", data, [0.005, 1e-4], [2.0, 0.1], points=5, refinements=2)
    problem = FilterProblem(LearnedGains("madgwick", [0.5, 0.01]), data, data)
    before = problem.validate(problem.network)["loss"]
    settings = FitSettings(
        steps=12, batch=8, learning_rate=0.04, warmup=1, average=0.0, validate_every=3, threads=1, progress=False
    )
    report = fit(problem, settings, tmp_path)
    assert report.best < best + 0.2 * (before - best)
    found = float(rms_deg(run_records("madgwick", gains, data), data))
    assert found == pytest.approx(best)


def test_the_grid_finds_the_least_of_what_it_tries():
    data = records(2, 1.0, settle=0.3)
    gains, best = fine_grid("madgwick", data, [0.01, 1e-4], [1.0, 0.1], points=4, refinements=0, lanes=5)
    axes = [torch.logspace(-2, 0, 4, dtype=torch.float64), torch.logspace(-4, -1, 4, dtype=torch.float64)]
    tried = torch.cartesian_prod(*axes)
    each = torch.stack([rms_deg(run_records("madgwick", row, data), data) for row in tried])
    assert best == pytest.approx(float(each.min()))
    assert torch.allclose(gains, tried[int(each.argmin())])


def test_a_batch_is_a_share_of_the_training_records():
    data = records(6)
    problem = FilterProblem(LearnedGains("mahony", [1.0, 1.0, 0.1]), data, data)
    (index,) = problem.batch(4, torch.Generator().manual_seed(0))
    assert len(set(index.tolist())) == 4
    (everything,) = problem.batch(99, torch.Generator().manual_seed(0))
    assert sorted(everything.tolist()) == list(range(6))


def test_mistakes():
    with pytest.raises(UnknownNameError, match="mahony"):
        LearnedGains("mahoni", [1.0])
    with pytest.raises(OptionError, match="3 positive gains"):
        LearnedGains("mahony", [1.0, -1.0, 0.1])
    with pytest.raises(OptionError, match="3 gains"):
        run_records("mahony", torch.ones(2), records())
    with pytest.raises(OptionError, match="bounds"):
        fine_grid("mahony", records(), [0.2, 2.0], [5.0, 60.0])
