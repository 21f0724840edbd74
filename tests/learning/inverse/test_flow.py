"""The plain flow: what it draws follows its own density, within limits."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy import special, stats

import diffkin as dk
from diffkin.learning import make_network

PENDULUM = """
<robot name="pendulum"><link name="a"/><link name="b"/>
  <joint name="turn" type="revolute"><parent link="a"/><child link="b"/><axis xyz="0 0 1"/>
    <limit lower="-0.5" upper="2.0" effort="1" velocity="1"/></joint></robot>
"""


@pytest.fixture(scope="module")
def network():
    made = make_network(dk.Robot.from_urdf(PENDULUM), {"name": "flow", "width": 16, "transforms": 1}, seed=2)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():  # far from the uniform density that it starts with
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return made


@torch.no_grad()
def test_draws_follow_the_density(network):
    T = network.single.forward_kinematics(torch.tensor([[0.4]]))
    z = torch.linspace(-6.0, 6.0, 4001)
    q = -0.5 + 2.5 * torch.special.ndtr(z)  # a coordinate's share of its range, as a normal variable
    inside = (z.abs() < 4.5).nonzero().flatten()
    density = torch.stack([-network.loss(q[k].reshape(1, 1), T) for k in inside[::10]]).exp().double().numpy()
    grid = z[inside[::10]].double().numpy()
    below = np.concatenate(([0.0], np.cumsum(0.5 * np.diff(grid) * (density[1:] + density[:-1]))))
    assert below[-1] == pytest.approx(1.0, abs=2e-3)
    drawn = network.sample(T.double(), 4000, seed=1).flatten()
    assert float(drawn.min()) >= -0.5 and float(drawn.max()) <= 2.0
    normal = special.ndtri(np.clip((drawn.numpy() + 0.5) / 2.5, 1e-7, 1 - 1e-7))
    assert stats.kstest(normal, partial(np.interp, xp=grid, fp=below / below[-1])).pvalue > 1e-3
    assert stats.kstest(normal, "norm").pvalue < 1e-6  # no longer uniform within the limits


def test_a_pose_at_a_limit_has_a_finite_density(network):
    q = torch.tensor([[-0.5], [2.0]])
    assert bool(torch.isfinite(network.loss(q, network.single.forward_kinematics(q))))
