"""Residuals by hand, and their derivative by differences."""

import torch

from diffkin import rotations
from diffkin.calibration.measurements import Measurements
from diffkin.calibration.residuals import residuals_at, system
from tests.calibration.measured_arms import POSITION, ROTATION, measured


def test_a_known_displacement_in_units_of_the_noise(model):
    q = model.robot.sample(4, seed=1)
    poses = model.poses(model.zero(), q)
    turn = torch.tensor([0.01, -0.02, 0.03], dtype=torch.float64)
    shift = torch.tensor([1e-3, 0.0, -2e-3], dtype=torch.float64)
    data = Measurements(
        q, poses[:, :3, 3] + shift, rotations.rotvec_to_matrix(turn) @ poses[:, :3, :3], POSITION, ROTATION
    )
    expected = torch.cat((shift / POSITION, turn / ROTATION)).expand(4, 6)
    torch.testing.assert_close(residuals_at(model, model.zero(), data), expected, rtol=1e-9, atol=1e-9)
    assert torch.equal(system(model, model.zero(), data)[0], residuals_at(model, model.zero(), data))


def test_rows_of_what_was_not_measured_are_zero(model):
    _, data = measured(model, 4, count=6)
    position, rotation = data.position.clone(), data.rotation.clone()
    position[1, 2], rotation[3] = torch.nan, torch.nan
    partly = Measurements(data.q, position, rotation, POSITION, ROTATION)
    missing = ~partly.valid()
    assert int(missing.sum()) == 4
    residuals, rows = system(model, model.zero(), partly)
    whole, all_rows = system(model, model.zero(), data)
    assert torch.equal(residuals[missing], torch.zeros(4, dtype=torch.float64)) and not rows[missing].any()
    assert torch.equal(residuals[~missing], whole[~missing]) and torch.equal(rows[~missing], all_rows[~missing])
    assert bool(residuals.isfinite().all() and rows.isfinite().all())


def test_the_derivative_of_the_residuals(model):
    x, data = measured(model, 4, count=3)
    at = model.zero()
    residuals, rows = system(model, at, data)
    for index in (0, 8, 12, 30, 51, 54):
        moved = torch.zeros_like(at)
        moved[index] = 1e-6
        change = (system(model, at + moved, data)[0] - system(model, at - moved, data)[0]) / 2e-6
        assert torch.allclose(rows[..., index], -change, rtol=1e-6, atol=1e-4)
    assert residuals.abs().max() > 10
