"""Judging: against errors that are put in by hand, and what is held out is never fitted."""

import math

import pytest
import torch

import diffkin as dk
from diffkin import transforms
from diffkin.calibration.fit import fit_calibration
from diffkin.calibration.judge import judge_by_measurements, judge_by_poses, root_mean_square, split_held_out
from diffkin.calibration.measurements import Measurements
from diffkin.calibration.model import calibration_model
from diffkin.errors import OptionError

SIGMAS = (1e-4, 1e-3)


@pytest.fixture(scope="module")
def model():
    return calibration_model(dk.load_robot("scara"), torch.eye(4, dtype=torch.float64))


@pytest.fixture(scope="module")
def fit(model):
    q = model.robot.sample(40, seed=0)
    return fit_calibration(model, Measurements.of_poses(q, model.poses(model.zero(), q), *SIGMAS))


def test_errors_of_the_nominal_arm_are_those_put_in(model, fit):
    q = model.robot.sample(30, seed=1)
    moved = transforms.exp(torch.tensor([3e-3, 0.0, 4e-3, 0.0, 0.0, 0.02], dtype=torch.float64))
    true = model.poses(model.zero(), q) @ moved  # 5 mm and 0.02 rad away, everywhere
    judged = judge_by_poses(model, fit, q, true)
    distance = float(moved[:3, 3].norm())
    for before, after, expected in (
        (judged.position_before_m, judged.position_m, distance),
        (judged.rotation_before_rad, judged.rotation_rad, 0.02),
    ):
        assert before == pytest.approx(expected, rel=1e-9)
        assert after == pytest.approx(expected, rel=1e-6)  # fitted to the nominal arm itself
    assert judged.ratio_to_bound() == judged.position_m / judged.position_bound_m
    assert judged.ratio_to_bound(rotation=True) == judged.rotation_rad / judged.rotation_bound_rad


def test_errors_against_measurements_are_those_put_in_and_the_bound_holds_their_noise(model, fit):
    q = model.robot.sample(25, seed=2)
    poses = model.poses(model.zero(), q)
    poses[:, 0, 3] += 2e-3
    judged = judge_by_measurements(model, fit, Measurements.of_poses(q, poses, *SIGMAS))
    assert judged.position_before_m == pytest.approx(2e-3, rel=1e-9)
    assert judged.position_m == pytest.approx(2e-3, rel=1e-6)
    assert judged.rotation_rad == pytest.approx(0.0, abs=1e-9)
    assert judged.position_bound_m > math.sqrt(3) * SIGMAS[0]
    assert judged.rotation_bound_rad > math.sqrt(3) * SIGMAS[1]


def test_what_was_not_measured_has_no_error(model, fit):
    q = model.robot.sample(10, seed=3)
    data = Measurements.of_poses(q, model.poses(model.zero(), q), *SIGMAS).only("position")
    judged = judge_by_measurements(model, fit, data)
    assert judged.rotation_rad is None and judged.rotation_before_rad is None
    assert judged.ratio_to_bound(rotation=True) is None and judged.ratio_to_bound() is not None


def test_every_fifth_is_held_out(model):
    q = model.robot.sample(12, seed=4)
    data = Measurements.of_poses(q, model.poses(model.zero(), q), *SIGMAS)
    fitted, held = split_held_out(data)
    assert torch.equal(held.q, q[[4, 9]])
    assert torch.equal(fitted.q, q[[0, 1, 2, 3, 5, 6, 7, 8, 10, 11]])
    assert (held.position_sigma, held.rotation_sigma) == SIGMAS
    few = Measurements.of_poses(q[:4], model.poses(model.zero(), q[:4]), *SIGMAS)
    with pytest.raises(OptionError, match="4 measurements are too few"):
        split_held_out(few)


def test_root_mean_square():
    assert root_mean_square([3.0, 4.0]) == pytest.approx(math.sqrt(12.5))
