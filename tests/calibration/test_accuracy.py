"""How well a calibrated arm predicts: by hand, and beside the Cramer-Rao bound."""

import math

import pytest
import torch

from diffkin import rotations
from diffkin.calibration.accuracy import held_out_rms, predicted_rms
from diffkin.calibration.fit import fit_calibration
from tests.calibration.measured_arms import measured


def test_errors_are_those_of_the_cramer_rao_bound(model):
    q = model.robot.sample(100, seed=9)
    real, bound = [], []
    for seed in range(12):
        x, data = measured(model, 100 + seed)
        fit = fit_calibration(model, data)
        real.append(held_out_rms(model, fit.x, q, model.poses(x, q)))
        bound.append(predicted_rms(model, fit.x, fit.covariance, q))
    ratio = (torch.tensor(real).square().mean(0) / torch.tensor(bound).square().mean(0)).sqrt()
    assert torch.all((ratio > 0.85) & (ratio < 1.2)), ratio  # 12 arms, each 0.77 to 1.5


def test_a_known_displacement(model):
    q = model.robot.sample(20, seed=1)
    truth = model.poses(model.zero(), q).clone()
    truth[:10, :3, 3] += torch.tensor([3e-3, 0.0, 4e-3], dtype=torch.float64)
    truth[10:, :3, :3] = truth[10:, :3, :3] @ rotations.rotvec_to_matrix(torch.tensor([0.0, 0.02, 0.0]).double())
    distance, angle = held_out_rms(model, model.zero(), q, truth)
    assert distance == pytest.approx(5e-3 / math.sqrt(2)) and angle == pytest.approx(0.02 / math.sqrt(2))


def test_the_prediction_is_the_spread_of_parameters_drawn_from_the_covariance(model):
    generator = torch.Generator().manual_seed(0)
    root = 1e-4 * torch.randn(model.size, model.size, generator=generator, dtype=torch.float64)
    q = model.robot.sample(20, seed=1)
    predicted = predicted_rms(model, model.zero(), root @ root.T, q)
    truth = model.poses(model.zero(), q)
    draws = root @ torch.randn(model.size, 400, generator=generator, dtype=torch.float64)
    spread = torch.tensor([held_out_rms(model, x, q, truth) for x in draws.T]).square().mean(0).sqrt()
    assert predicted == pytest.approx(spread.tolist(), rel=0.06)
