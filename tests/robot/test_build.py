"""From description to robot: the part that is wanted, its fixed joints folded, its joints and links in order."""

from __future__ import annotations

import math

import pytest
import torch

from diffkin.errors import LimitsError, TopologyError, UnknownNameError
from diffkin.robot import Robot
from diffkin.robot.build import build_robot
from diffkin.robot.description import Description, JointDescription
from tests.robot.models import TREE, urdf


def test_whole_tree_is_depth_first_in_file_order() -> None:
    robot = Robot.from_urdf(TREE)
    assert robot.joint_names == ("left", "left2", "left3", "right", "right2")
    assert robot.link_names == ("root", "l1", "l2", "l3", "l4", "eye", "r1", "r2")
    assert robot.leaves == ("l4", "eye", "r2")
    assert robot.tip is None
    assert robot.base == "root"
    with pytest.raises(TopologyError, match="'l4', 'eye', 'r2'"):
        robot.forward_kinematics(torch.zeros(5, dtype=torch.float64))


def test_a_chain_holds_the_links_on_the_way_only() -> None:
    robot = Robot.from_urdf(TREE, base="root", tip="l4")
    assert robot.joint_names == ("left", "left2", "left3")
    assert robot.link_names == ("root", "l1", "l2", "l3", "l4")
    assert (robot.base, robot.tip, robot.leaves) == ("root", "l4", ("l4",))
    assert Robot.from_urdf(TREE, tip="l4").link_names == robot.link_names
    part = Robot.from_urdf(TREE, base="l1", tip="l3")
    assert part.joint_names == ("left2",)
    assert part.link_names == ("l1", "l2", "l3")


def test_a_base_alone_takes_everything_below() -> None:
    robot = Robot.from_urdf(TREE, base="l1")
    assert robot.joint_names == ("left2", "left3")
    assert robot.link_names == ("l1", "l2", "l3", "l4", "eye")
    right = Robot.from_urdf(TREE, base="r1")
    assert (right.tip, right.leaves) == ("r2", ("r2",))


def test_base_and_tip_may_be_the_same_link() -> None:
    robot = Robot.from_urdf(TREE, base="l2", tip="l2")
    assert (robot.dof, robot.link_names, robot.tip) == (0, ("l2",), "l2")


def test_unknown_base_and_tip_name_the_closest() -> None:
    with pytest.raises(UnknownNameError, match="'eyes'.*'eye'"):
        Robot.from_urdf(TREE, tip="eyes")
    with pytest.raises(UnknownNameError, match="'rot'.*'root'"):
        Robot.from_urdf(TREE, base="rot")


def test_fixed_joints_are_folded_and_their_links_kept() -> None:
    robot = Robot.from_urdf(TREE)
    assert robot.tree.joints == 5
    poses = robot.forward_kinematics(torch.zeros(5, dtype=torch.float64), links=robot.link_names)
    expected = {"root": 0, "l1": 1, "l2": 2, "l3": 3, "l4": 4, "eye": 2, "r1": 1, "r2": 2}
    assert poses[:, 0, 3].tolist() == [expected[link] for link in robot.link_names]


def test_chains_of_hundreds_of_links() -> None:
    count = 300
    robot = Robot.from_urdf(urdf(*(f"j{i} revolute l{i} l{i + 1}" for i in range(count))))
    assert robot.dof == count
    assert robot.tip == f"l{count}"
    pose = robot.forward_kinematics(torch.full((count,), 2 * math.pi / count, dtype=torch.float64))
    # Joint i stands at the corner i of a regular polygon, and the last link hangs in its last corner: the sum of
    # exp(i k 2 pi / n) over all k is zero.
    assert pose[:3, 3].abs().max() < 1e-11
    assert (pose[:3, :3] - torch.eye(3, dtype=torch.float64)).abs().max() < 1e-12


def test_a_robot_may_have_no_joints() -> None:
    robot = Robot.from_urdf('<robot name="r"><link name="only"/></robot>')
    assert (robot.dof, robot.tip, robot.joint_names) == (0, "only", ())
    assert robot.lower.shape == robot.upper.shape == (0,)
    pose = robot.forward_kinematics(torch.zeros(2, 0, dtype=torch.float64))
    assert torch.equal(pose, torch.eye(4, dtype=torch.float64).expand(2, 4, 4))


def test_limits_that_leave_nothing_between_them() -> None:
    joint = JointDescription(
        "j", "revolute", "a", "b", torch.eye(4).double().numpy(), torch.eye(3)[2].double().numpy(), 2.0, 1.0
    )
    with pytest.raises(LimitsError, match="robot 'r', joint 'j': the lower limit 2 is above the upper limit 1"):
        build_robot(Robot, Description("r", ("a", "b"), (joint,), ""))
    with pytest.raises(LimitsError, match=r"some\.urdf, joint 'j'"):
        build_robot(Robot, Description("r", ("a", "b"), (joint,), "some.urdf"))


def test_hidden_links_carry_others_and_are_not_listed() -> None:
    eye, z = torch.eye(4).double().numpy(), torch.eye(3)[2].double().numpy()
    joints = (
        JointDescription("j", "continuous", "a", "b", eye, z),
        JointDescription("k", "prismatic", "b", "c", eye, z),
    )
    robot = build_robot(Robot, Description("r", ("a", "b", "c"), joints, "", hidden=frozenset({"b"})))
    assert robot.link_names == ("a", "c")
    assert robot.joint_names == ("j", "k")
    assert robot.leaves == ("c",)
    assert robot.lower.tolist() == [-math.inf, -math.inf]


def test_the_class_that_asks_is_the_class_that_is_made() -> None:
    class Mine(Robot):
        pass

    assert type(Mine.from_urdf(TREE)) is Mine
    assert type(Robot.from_urdf(TREE)) is Robot
