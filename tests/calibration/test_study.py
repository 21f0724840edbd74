"""Studies: arms whose errors are known are found, seeds repeat to the bit, chosen poses beat random ones."""

import math

import pytest
import torch

import diffkin as dk
from diffkin.calibration.measurements import Measurements
from diffkin.calibration.model import calibration_model
from diffkin.calibration.study import calibrate_arms, draw_candidates, study_design
from diffkin.errors import OptionError

SIGMAS = (1e-4, 1e-3)


@pytest.fixture(scope="module")
def model():
    return calibration_model(dk.load_robot("planar_3r"), torch.eye(4, dtype=torch.float64), ["offsets"])


@pytest.fixture(scope="module")
def held_out(model):
    return model.robot.sample(50, seed=9)


def errors(index: int) -> torch.Tensor:
    """Offsets of arm ``index`` [rad]."""
    return 0.01 * torch.randn(3, generator=torch.Generator().manual_seed(index), dtype=torch.float64)


@pytest.fixture(scope="module")
def measure(model, held_out):
    def measure(index, q, generator):
        x = errors(index)
        return Measurements.of_poses(q, model.poses(x, q), *SIGMAS, seed=generator), model.poses(x, held_out)

    return measure


def test_known_errors_are_found_and_runs_repeat(model, measure, held_out):
    first, again = (list(calibrate_arms(model, measure, held_out, arms=4, poses=20, seed=3)) for _ in range(2))
    assert len(first) == 4
    for index, (arm, same) in enumerate(zip(first, again)):
        assert torch.equal(arm.fit.x, same.fit.x)
        torch.testing.assert_close(arm.fit.x, errors(index), rtol=0, atol=5e-4)
        assert arm.judged.position_m < 0.05 * arm.judged.position_before_m
    ratios = [arm.judged.ratio_to_bound() for arm in first]
    assert 0.3 < math.sqrt(sum(ratio**2 for ratio in ratios) / 4) < 2.0
    assert not torch.equal(first[0].data.q, first[1].data.q)  # each has poses of its own


def test_chosen_poses_are_predicted_and_measured_beside_random_ones(model, measure, held_out):
    candidates = draw_candidates(model, "pose", *SIGMAS, count=100, seed=1)
    assert candidates.q.shape == (100, 3) and candidates.rows.shape[::2] == (100, 3)
    told = []
    rows = study_design(
        model, candidates, "pose", [3, 6], held_out, measure, random=15, arms=8,
        progress=lambda finished, total: told.append((finished, total)),
    )  # fmt: skip
    assert [row.count for row in rows] == [3, 6]
    assert told == [(k, 16) for k in range(1, 17)]
    for row in rows:
        assert row.predicted_chosen < row.predicted_random
        assert row.measured_chosen < row.measured_random
        assert row.measured_chosen == pytest.approx(row.predicted_chosen, rel=0.5)  # of 8 arms
    assert rows[1].predicted_chosen < rows[0].predicted_chosen


def test_bad_input(model, measure, held_out):
    candidates = draw_candidates(model, "pose", *SIGMAS, count=10)
    with pytest.raises(OptionError, match="at least 1"):
        study_design(model, candidates, "pose", [3], held_out, measure, arms=0)
