"""Choosing poses: against all subsets of a small set, against random ones, and the criteria against their definitions."""

import itertools
import math

import pytest
import torch

from diffkin.calibration.design import choose_poses, identifiable, mean_variance
from diffkin.calibration.model import calibration_model
from diffkin.errors import OptionError


def test_near_the_best_of_all_subsets():
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(12, 2, 5, generator=generator, dtype=torch.float64)
    rows[..., 4] = rows[..., 3]  # one direction cannot be told
    held_out = rows[:, :1] + 0.3
    held_out[..., 4] = held_out[..., 3]
    basis = identifiable(rows)
    assert basis.shape == (5, 4)
    every = [mean_variance(rows[list(subset)], held_out, basis) for subset in itertools.combinations(range(12), 4)]
    chosen = choose_poses(rows, held_out, 4)
    assert len(set(chosen.tolist())) == 4
    mine = mean_variance(rows[chosen], held_out, basis)
    assert sum(other < mine for other in every) <= 0.01 * len(every)


def test_mean_variance_is_the_trace_of_the_predicted_covariance():
    generator = torch.Generator().manual_seed(1)
    rows, held_out = (torch.randn(n, 3, 4, generator=generator, dtype=torch.float64) for n in (5, 7))
    covariance = torch.linalg.inv(rows.reshape(-1, 4).T @ rows.reshape(-1, 4))
    expected = torch.stack([(each @ covariance @ each.T).trace() for each in held_out]).mean()
    assert mean_variance(rows, held_out, torch.eye(4, dtype=torch.float64)) == pytest.approx(float(expected))
    assert mean_variance(rows[:1], held_out, torch.eye(4, dtype=torch.float64)) == math.inf


def test_chosen_poses_of_the_iiwa_beat_random_ones(iiwa):
    tool = torch.eye(4, dtype=torch.float64)
    tool[:3, 3] = torch.tensor([0.03, 0.02, 0.1])
    model = calibration_model(iiwa, tool)
    noise = torch.tensor([1e-4] * 3 + [math.radians(0.05)] * 3, dtype=torch.float64)
    candidates = model.jacobian(model.zero(), iiwa.sample(400, seed=1)) / noise[:, None]
    design, judge = (model.jacobian(model.zero(), iiwa.sample(200, seed=seed))[:, :3] for seed in (2, 3))
    basis = identifiable(candidates)
    assert basis.shape[-1] == 34
    generator = torch.Generator().manual_seed(0)
    for count, gain in ((12, 0.28), (20, 0.13)):
        chosen = math.sqrt(mean_variance(candidates[choose_poses(candidates, design, count)], judge, basis))
        draws = [torch.randperm(400, generator=generator)[:count] for _ in range(31)]
        random = sorted(math.sqrt(mean_variance(candidates[draw], judge, basis)) for draw in draws)[15]
        assert chosen < (1 - gain) * random


def test_mistakes():
    rows = torch.randn(6, 2, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with pytest.raises(OptionError, match="between 3"):
        choose_poses(rows, rows, 2)
    with pytest.raises(OptionError, match="6 candidates"):
        choose_poses(rows, rows, 7)
