"""Densities of one joint between -1 and 1: they integrate to one and are what is drawn."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy import stats

from diffkin.learning.inverse.heads import HEADS

TURNS, STEPS = 3, 20001


def head_of(name: str):
    head = HEADS[name](8)
    noise = torch.randn(TURNS, 1, head.parameters_per_joint, generator=torch.Generator().manual_seed(0))
    return head, head.initial() + noise


def middles():
    return (2.0 * (torch.arange(STEPS) + 0.5) / STEPS - 1.0).expand(TURNS, -1)


@pytest.mark.parametrize("name", sorted(HEADS))
def test_density_integrates_to_one(name):
    head, raw = head_of(name)
    integral = 2.0 * head.log_density(middles(), raw).exp().double().mean(-1)
    torch.testing.assert_close(integral, torch.ones_like(integral), rtol=1e-3, atol=0.0)


@pytest.mark.parametrize("name", sorted(HEADS))
def test_samples_follow_the_density(name):
    head, raw = head_of(name)
    x = torch.linspace(-1.0, 1.0, STEPS)
    density = head.log_density(x.expand(TURNS, -1), raw).exp().double().numpy()
    for turn in range(TURNS):
        drawn = head.sample(raw[turn].expand(20000, -1), 1.0, torch.Generator().manual_seed(turn))
        assert float(drawn.min()) >= -1.0 and float(drawn.max()) <= 1.0
        below = np.concatenate(([0.0], np.cumsum(0.5 * (density[turn, 1:] + density[turn, :-1]))))
        found = stats.kstest(drawn.numpy(), partial(np.interp, xp=x.numpy(), fp=below / below[-1]))
        assert found.pvalue > 1e-3


def test_a_low_temperature_draws_near_the_means():
    head = HEADS["mixture"](2)
    raw = torch.tensor([[0.0, 0.0, -0.5, 0.5, -1.0, -1.0]]).expand(2000, -1)
    cold, warm = (head.sample(raw, heat, torch.Generator().manual_seed(0)).abs() - 0.5 for heat in (0.01, 1.0))
    assert float(cold.abs().max()) < 0.03 < float(warm.abs().median())


@pytest.mark.parametrize("name", sorted(HEADS))
def test_starts_near_uniform(name):
    head = HEADS[name](8)
    density = head.log_density(middles()[:, ::100], head.initial().expand(TURNS, 1, -1)).exp()
    assert float((density - 0.5).abs().max()) < 0.25
