"""What all networks share: answers within limits of every kind, seeds, and mistakes in targets."""

import math

import pytest
import torch

import diffkin as dk
from diffkin.errors import OptionError, RotationError, ShapeError, TopologyError
from diffkin.kinematics.ranges import sampling_range
from diffkin.learning import held_out, make_network, pose_errors
from tests.learning.inverse.odd_robot import odd_robot
from tests.learning.inverse.small_networks import KINDS


def test_samples_depend_on_the_seed_alone():
    robot = dk.load_robot("kuka_iiwa")
    network = make_network(robot, {"name": "chain_flow", "width": 16})
    _, T = held_out(robot, 5)
    first = network.sample(T, 4, seed=1)
    assert torch.equal(first, network.sample(T, 4, seed=1))
    assert not torch.equal(first, network.sample(T, 4, seed=2))
    assert len(first.reshape(-1, 7).unique(dim=0)) == 20


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind["name"] + kind.get("head", ""))
def test_answers_spread_over_a_bounded_range_within_limits_of_every_kind(kind):
    robot = odd_robot()
    network = make_network(robot, kind, seed=1)
    low, high = (side.to(torch.float64) for side in network.span)
    expected = sampling_range(robot.tree, robot.lower, robot.upper)
    torch.testing.assert_close(low, expected[0], atol=1e-6, rtol=0.0)
    torch.testing.assert_close(high, expected[1], atol=1e-6, rtol=0.0)
    assert bool((high > low).all()) and float(low[1]) == 4.0  # the limit, not half a turn below it
    q = network.sample(robot.forward_kinematics(low.expand(200, 4)), 4, seed=0)
    assert bool(((q >= robot.lower) & (q <= robot.upper)).all())
    assert bool(((q >= low - 1e-6) & (q <= high + 1e-6)).all())
    if not network.deterministic:
        assert bool(((q.amax((0, 1)) - q.amin((0, 1))) > 0.5 * (high - low)).all())


def test_starts_are_the_best_of_the_answers():
    robot = dk.load_robot("kuka_iiwa")
    network = make_network(robot, {"name": "chain_flow", "width": 8})
    _, T = held_out(robot, 20)
    drawn, best = network.sample(T, 16, seed=2), network.starts(T, 16, seed=2)
    position, rotation = pose_errors(robot, T[:, None].expand(-1, 16, -1, -1), drawn)
    which = (position + 0.3 * rotation).argmin(-1)
    assert torch.equal(best, drawn[torch.arange(20), which])


def test_tips_to_scale_by_are_those_of_samples():
    network = make_network(dk.load_robot("kuka_iiwa"), {"name": "through_fk", "width": 8})
    expected = network.single.forward_kinematics(network.single.sample(1024))[:, :3, 3]
    torch.testing.assert_close(network.typical_tips(1024), expected, atol=1e-6, rtol=0.0)
    assert float(network.scale) == pytest.approx(float(expected.std(0).max()), rel=1e-5)


def test_mistakes_are_named():
    robot = dk.load_robot("kuka_iiwa")
    with pytest.raises(TopologyError, match="tip"):
        make_network(robot.replace(tip=None), {"name": "through_fk"})
    network = make_network(robot, {"name": "through_fk", "width": 8})
    with pytest.raises(ShapeError, match="T_target"):
        network.sample(torch.zeros(3, 3))
    with pytest.raises(RotationError):
        network.sample(2.0 * torch.eye(4))
    with pytest.raises(OptionError, match="count"):
        network.sample(torch.eye(4), count=0)
    assert math.isfinite(float(network.sample(torch.eye(4)).sum()))


@pytest.mark.parametrize("name", ["regression", "through_fk", "chain_flow"])
def test_the_robot_follows_the_weights_to_another_device(name):
    """Tried with a device that holds no numbers: tensors of two devices cannot be computed with there either."""
    robot = dk.load_robot("planar_3r")
    network = make_network(robot, {"name": name, "width": 8})
    q, T = held_out(network.single, 5)
    batch = network.augment(q, T, torch.Generator().manual_seed(0))
    here = network.loss(*batch)
    there = network.to("meta").loss(*(part.to("meta") for part in batch))
    assert (here.device.type, there.device.type, there.shape) == ("cpu", "meta", here.shape)
