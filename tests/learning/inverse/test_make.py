"""Networks by name: each for every robot, seeds, and names that are not there."""

import pytest
import torch

import diffkin as dk
from diffkin.errors import UnknownNameError
from diffkin.learning import NETWORKS, held_out, make_network
from tests.learning.inverse.small_networks import KINDS


def test_every_network_is_tried():
    assert {kind["name"] for kind in KINDS} == set(NETWORKS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind["name"] + kind.get("head", ""))
@pytest.mark.parametrize("name", ["kuka_iiwa", "franka_panda", "xarm6", "planar_2r", "planar_3r", "scara"])
def test_every_network_answers_for_every_robot_within_limits(kind, name):
    robot = dk.load_robot(name)
    network = make_network(robot, kind, seed=3)
    _, T = held_out(robot, 40)
    q = network.sample(T.reshape(2, 20, 4, 4), count=3, seed=1)
    assert q.shape == (2, 20, 3, robot.dof) and q.dtype == T.dtype
    assert bool(((q >= robot.lower) & (q <= robot.upper)).all())
    assert network.starts(T[0]).shape == (robot.dof,)
    loss = network.loss(*network.augment(*(part.float() for part in held_out(robot, 8)), torch.Generator()))
    loss.backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())


def test_same_seed_same_network_and_the_callers_randomness_is_left_alone():
    robot = dk.load_robot("planar_2r")
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second, third = (make_network(robot, {"name": "through_fk"}, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    weights = [network.mlp.weights[0] for network in (first, second, third)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_mistakes_are_named():
    robot = dk.load_robot("planar_2r")
    with pytest.raises(UnknownNameError, match="chain_flow"):
        make_network(robot, {"name": "chain_flo"})
    with pytest.raises(UnknownNameError, match="'width'"):
        make_network(robot, {"name": "chain_flow", "widht": 3})
