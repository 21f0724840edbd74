"""Densities of one joint on its limits: they integrate to one and are what is drawn."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy import stats

import diffkin as dk
from diffkin.learning.inverse.heads import HEADS
from diffkin.learning.inverse.joint_order import Chain


def head_of(name: str):
    chain = Chain(dk.load_robot("scara").to(dtype=torch.float32))  # turning and sliding joints
    return HEADS[name](8, chain), chain


def raw_of(head, chain):
    noise = torch.randn(len(chain.order), 1, head.parameters_per_joint, generator=torch.Generator().manual_seed(0))
    return head.initial() + noise


@pytest.mark.parametrize("name", sorted(HEADS))
def test_density_integrates_to_one(name):
    head, chain = head_of(name)
    steps = 20001
    share = (torch.arange(steps) + 0.5) / steps
    x = chain.lower[:, None] + (chain.upper - chain.lower)[:, None] * share
    density = head.log_density(x, raw_of(head, chain)).exp().double()
    integral = density.mean(-1) * (chain.upper - chain.lower).double()
    torch.testing.assert_close(integral, torch.ones_like(integral), rtol=1e-3, atol=0.0)


@pytest.mark.parametrize("name", sorted(HEADS))
def test_samples_follow_the_density(name):
    head, chain = head_of(name)
    raw, count, steps = raw_of(head, chain), 20000, 20001
    for turn in chain.turns:
        lower, upper = float(chain.lower[turn]), float(chain.upper[turn])
        drawn = head.sample(turn, raw[turn].expand(count, -1), 1.0, torch.Generator().manual_seed(turn))
        assert lower <= float(drawn.min()) and float(drawn.max()) <= upper
        x = torch.linspace(lower, upper, steps).expand(len(chain.order), -1)
        density = head.log_density(x, raw)[turn].exp().double().numpy()
        below = np.concatenate(([0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))))
        grid, share = x[turn].numpy(), below / below[-1]
        found = stats.kstest(drawn.numpy(), partial(np.interp, xp=grid, fp=share))
        assert found.pvalue > 1e-3


@pytest.mark.parametrize("name", sorted(HEADS))
def test_starts_near_uniform(name):
    head, chain = head_of(name)
    middle = 0.5 * (chain.lower + chain.upper)[:, None]
    uniform = -(chain.upper - chain.lower).log()[:, None]
    assert (head.log_density(middle, head.initial()) - uniform).abs().max() < 0.5
