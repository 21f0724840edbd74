"""The fit: ranks, agreement with SciPy, wrong models, outliers, missing numbers."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from diffkin import rotations
from diffkin.calibration.accuracy import held_out_rms, predicted_rms
from diffkin.calibration.fit import fit_calibration
from diffkin.calibration.measurements import Measurements
from diffkin.calibration.model import calibration_model
from diffkin.errors import OptionError, UnknownNameError
from tests.calibration.measured_arms import POSITION, ROTATION, measured, perturbed

RANKS = {"pose": 34, "position": 31, "rotation": 17}


@pytest.mark.parametrize("kind", RANKS)
@pytest.mark.parametrize("seed", [0, 1])
def test_ranks_of_an_arm_with_seven_joints(model, kind, seed):
    # 4 numbers a revolute joint and 6 of the end; without rotation 3 of the end; without position 2 a joint and 3
    _, data = measured(model, seed)
    fit = fit_calibration(model, data.only(kind))
    assert fit.rank == RANKS[kind] == {"pose": 4 * 7 + 6, "position": 4 * 7 + 3, "rotation": 2 * 7 + 3}[kind]
    assert fit.converged
    assert fit.steps <= 5
    numbers = 300 if kind == "pose" else 150
    assert abs(fit.chi2_per_dof - 1.0) < 4.0 * math.sqrt(2.0 / (numbers - fit.rank))


def test_noise_free_data_is_fitted_exactly(model):
    x, data = measured(model, 2)
    exact = Measurements.of_poses(data.q, model.poses(x, data.q), POSITION, ROTATION)
    fit = fit_calibration(model, exact, tolerance=1e-6)
    assert repr(fit).startswith("CalibrationFit(converged in ") and f"{fit.rank} of {len(fit.x)} parameters" in repr(
        fit
    )
    q = model.robot.sample(100, seed=5)
    distance, angle = held_out_rms(model, fit.x, q, model.poses(x, q))
    assert distance < 1e-10
    assert angle < 1e-9


def test_agrees_with_scipy(model):
    x, data = measured(model, 3, count=20)

    def residuals(at):
        poses = model.poses(torch.from_numpy(at), data.q)
        error = rotations.matrix_to_rotvec(data.rotation @ poses[:, :3, :3].transpose(-1, -2), check=False)
        moved = (data.position - poses[:, :3, 3]) / POSITION
        return torch.cat((moved, error / ROTATION), -1).reshape(-1).numpy()

    theirs = least_squares(residuals, np.zeros(model.size), method="trf", xtol=1e-12, ftol=1e-12, gtol=1e-8)
    ours = fit_calibration(model, data)
    assert ours.chi2 == pytest.approx(2.0 * theirs.cost, rel=1e-6)
    q = model.robot.sample(50, seed=5)
    distance, _ = held_out_rms(model, ours.x, q, model.poses(torch.from_numpy(theirs.x), q))
    assert distance < 1e-6  # a hundredth of the noise


def test_a_wrong_model_is_told_by_chi2(model, iiwa):
    _, data = measured(model, 6)
    simple = calibration_model(iiwa, model.tool, groups=["offsets"])
    assert fit_calibration(simple, data).chi2_per_dof > 100
    generator = torch.Generator().manual_seed(1)
    x = perturbed(simple, generator)
    good = Measurements.of_poses(data.q, simple.poses(x, data.q), POSITION, ROTATION, seed=generator)
    fit = fit_calibration(simple, good)
    assert fit.rank == 7
    assert 0.7 < fit.chi2_per_dof < 1.3
    assert torch.all((fit.x - x).abs() < 5 * fit.covariance.diagonal().sqrt())


@pytest.mark.parametrize("loss", ["huber", "cauchy"])
def test_outliers_are_borne_and_named(model, loss):
    x, data = measured(model, 7)
    position, rotation = data.position.clone(), data.rotation.clone()
    position[3] += 0.05
    position[20, 1] -= 0.02
    rotation[31] = rotations.rotvec_to_matrix(torch.tensor([0.0, 0.1, 0.0], dtype=torch.float64)) @ rotation[31]
    spoilt = Measurements(data.q, position, rotation, POSITION, ROTATION)
    q = model.robot.sample(100, seed=9)
    plain = fit_calibration(model, spoilt)
    robust = fit_calibration(model, spoilt, loss=loss)
    assert plain.chi2_per_dof > 10
    assert {tuple(place) for place in robust.outliers.nonzero().tolist()} == {(3, 0), (20, 0), (31, 1)}
    assert 0.7 < robust.chi2_per_dof < 1.3
    truth = model.poses(x, q)
    assert held_out_rms(model, robust.x, q, truth)[0] < 0.25 * held_out_rms(model, plain.x, q, truth)[0]
    assert held_out_rms(model, robust.x, q, truth)[0] < 1.5 * predicted_rms(model, robust.x, robust.covariance, q)[0]


def test_missing_numbers_are_left_out(model):
    x, data = measured(model, 8)
    position, rotation = data.position.clone(), data.rotation.clone()
    position[:10, 2] = torch.nan
    position[10] = torch.nan
    rotation[20:30] = torch.nan
    partly = Measurements(data.q, position, rotation, POSITION, ROTATION)
    assert int((~partly.valid()).sum()) == 10 + 3 + 30
    fit = fit_calibration(model, partly)
    assert fit.rank == 34
    assert bool(fit.x.isfinite().all())
    assert torch.equal(fit.residuals[~partly.valid()], torch.zeros(43, dtype=torch.float64))
    # what is missing plays no part: other numbers there give the same answer
    whole = fit_calibration(model, data)
    assert not torch.allclose(whole.x, fit.x, rtol=1e-6, atol=1e-8)
    nothing = Measurements(data.q, torch.full_like(position, torch.nan), torch.full_like(rotation, torch.nan), 1.0, 1.0)
    with pytest.raises(OptionError, match="nothing to fit"):
        fit_calibration(model, nothing)


def test_mistakes(model):
    _, data = measured(model, 0, count=2)
    with pytest.raises(UnknownNameError, match="huber"):
        fit_calibration(model, data, loss="hubber")
    with pytest.raises(OptionError, match="max_steps"):
        fit_calibration(model, data, max_steps=0)
    with pytest.raises(OptionError, match="position_sigma"):
        Measurements(data.q, data.position, data.rotation, 0.0, 1.0)
    fit = fit_calibration(model, data)  # 12 numbers for 55 parameters
    assert fit.rank == 12
    assert math.isnan(fit.chi2_per_dof)
