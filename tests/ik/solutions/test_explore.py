"""Exploring a pose: the planar arm's two solutions by hand, and figures that follow from what was found."""

import math

import pytest
import torch

import diffkin as dk
from diffkin.errors import OptionError
from diffkin.ik.solutions.explore import explore_pose, explore_postures, summarise


@pytest.fixture(scope="module")
def found():
    robot = dk.load_robot("planar_3r")
    targets = robot.forward_kinematics(robot.sample(3, seed=0))
    return robot, targets, [explore_pose(robot, T, starts=300, seed=k) for k, T in enumerate(targets)]


def test_every_solution_reaches_the_pose_and_the_elbow_is_up_or_down(found):
    robot, targets, each = found
    assert any(len(one.q) == 2 for one in each)  # both elbows within the limits
    for T, one in zip(targets, each):
        torch.testing.assert_close(robot.forward_kinematics(one.q), T.expand(len(one.q), 4, 4), rtol=0, atol=2e-6)
        assert one.nullity == 0 and one.purity == 1.0 and one.dimension_one_share == 0.0
        assert len(one.arcs) == len(one.q) == int(one.clusters.max()) + 1  # isolated: each is an arc of its own
        if len(one.q) == 2:
            first, second = one.q
            # the two triangles over the line from shoulder to wrist are mirror images
            assert float(first[1] + second[1]) == pytest.approx(0.0, abs=1e-4)
            turned = float((first.sum() - second.sum()) / (2 * math.pi))
            assert turned == pytest.approx(round(turned), abs=1e-5)  # the hand's attitude is the same


def test_figures_over_all_poses(found):
    robot, _, each = found
    summary = summarise(robot, each)
    assert summary["targets"] == [one.figures() for one in each]
    assert summary["solutions"] == sum(len(one.q) for one in each)
    assert summary["clusters_equal_arcs_share"] == 1.0
    assert summary["all_sign_branches_share"] == sum(len(one.q) == 2 for one in each) / 3


def test_robots_whose_signs_tell_nothing_have_no_sign_branches():
    robot = dk.load_robot("scara")
    one = explore_pose(robot, robot.forward_kinematics(robot.sample(1, seed=0)[0]), starts=200)
    assert one.sign_branches is None and one.figures()["sign_branches"] is None
    assert summarise(robot, [one])["sign_branches_found"] is None


def test_postures_have_as_many_components_as_joints():
    robot = dk.load_robot("planar_3r")
    reached, shares, components = explore_postures(robot, count=100, seed=0)
    assert 80 <= reached <= 100
    assert float(shares.sum()) == pytest.approx(1.0)
    torch.testing.assert_close(components @ components.T, torch.eye(3, dtype=torch.float64), rtol=0, atol=1e-9)


def test_a_pose_out_of_reach_is_an_error():
    robot = dk.load_robot("planar_3r")
    T = torch.eye(4, dtype=torch.float64)
    T[0, 3] = 50.0
    with pytest.raises(OptionError, match="starts must be large enough"):
        explore_pose(robot, T, starts=20)
