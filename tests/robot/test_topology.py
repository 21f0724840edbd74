"""Which link hangs on which: no tree, the part that is wanted, and joints that are a base pose."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diffkin.errors import JointError, TopologyError
from diffkin.robot import Robot
from diffkin.robot.description import Description, JointDescription
from diffkin.robot.formats.urdf import read_urdf
from diffkin.robot.topology import below, below_root_pose, check_tree, children_of, tip_below, way_between
from tests.robot.models import TREE, urdf


@pytest.mark.parametrize(
    ("joints", "links", "said"),
    [
        (["j fixed a b"], "a b b", "two links named 'b'"),
        (["j fixed a b", "j fixed a c"], "a b c", "two joints named 'j'"),
        (["j fixed a b"], "a", "child link of joint 'j' does not exist"),
        (["j fixed a b"], "b", "parent link of joint 'j' does not exist"),
        (["j fixed a b"], "a b c", "2 links without a parent: 'a', 'c'"),
        (["j fixed a c", "k fixed b c"], "a b c", "'c' hangs on two joints, 'j' and 'k'"),
        (["j fixed a b", "k fixed a b"], "a b", "'b' hangs on two joints"),
        (["j fixed a a"], "a", "closed loop"),
        (["j fixed a b", "k fixed b a"], "a b", "closed loop"),
        (["j fixed a b", "k fixed c d", "l fixed d c"], "a b c d", "closed loop"),
    ],
)
def test_links_and_joints_that_make_no_tree(joints: list[str], links: str, said: str) -> None:
    with pytest.raises(TopologyError, match=said):
        Robot.from_urdf(urdf(*joints, links=links))


@pytest.mark.parametrize(("base", "tip"), [("l1", "root"), ("l1", "r2"), ("eye", "l4"), ("l4", "l2")])
def test_a_tip_that_is_not_below_the_base(base: str, tip: str) -> None:
    with pytest.raises(TopologyError, match="not connected") as caught:
        Robot.from_urdf(TREE, base=base, tip=tip)
    assert repr(base) in str(caught.value)
    assert repr(tip) in str(caught.value)


@pytest.mark.parametrize("kind", ["floating", "planar"])
@pytest.mark.parametrize("above", [(), ("m fixed map world",)])
def test_a_free_joint_at_the_root_is_the_base_pose(kind: str, above: tuple[str, ...]) -> None:
    text = urdf(*above, f"free {kind} world body", "a revolute body l1")
    robot = Robot.from_urdf(text)
    assert (robot.base, robot.joint_names, robot.link_names) == ("body", ("a",), ("body", "l1"))
    base = torch.eye(4, dtype=torch.float64)
    base[:3, 3] = torch.tensor([4.0, 5.0, 6.0])
    pose = robot.forward_kinematics(torch.zeros(1, dtype=torch.float64), base=base)
    assert pose[:3, 3].tolist() == [5.0, 5.0, 6.0]


@pytest.mark.parametrize("kind", ["floating", "planar"])
def test_a_free_joint_elsewhere_is_refused_where_it_is_met(kind: str) -> None:
    text = urdf("a revolute w l1", f"free {kind} l1 l2", "b revolute l2 l3", "c revolute l1 l4")
    for cut in ({}, {"tip": "l3"}, {"base": "l1"}):
        with pytest.raises(JointError, match=f"{kind} joint 'free' is not at the root.*base='l2'"):
            Robot.from_urdf(text, **cut)
    assert Robot.from_urdf(text, base="l2").joint_names == ("b",)
    assert Robot.from_urdf(text, tip="l4").joint_names == ("a", "c")


def test_a_free_joint_beside_another_branch_is_not_the_root_pose() -> None:
    text = urdf("free floating w body", "a revolute w l1")
    with pytest.raises(JointError, match="not at the root"):
        Robot.from_urdf(text)
    with pytest.raises(JointError, match="not at the root"):
        Robot.from_urdf(urdf("free floating w body", "a revolute body l1"), base="w")


def names(joints):
    return [joint.name for joint in joints]


def test_joints_of_a_link_and_below_it() -> None:
    description = read_urdf(TREE)
    children = children_of(description)
    assert set(children) == set(description.links)
    assert names(children["root"]) == ["left", "right"]
    assert names(children["l1"]) == ["left2", "camera"]
    assert children["r2"] == []
    assert names(below("l1", children)) == ["left2", "glue", "left3", "camera"]
    assert names(below("root", children)) == ["left", "left2", "glue", "left3", "camera", "right", "right2"]
    assert below("eye", children) == []


def test_the_way_between_two_links() -> None:
    description = read_urdf(TREE)
    assert names(way_between(description, "root", "l4", "here")) == ["left", "left2", "glue", "left3"]
    assert way_between(description, "l2", "l2", "here") == []
    with pytest.raises(TopologyError, match=r"here: base 'l1' and tip 'r2'.*Above it are 'r1', 'root'"):
        way_between(description, "l1", "r2", "here")


def test_a_tree_has_one_root() -> None:
    assert check_tree(read_urdf(TREE), "here") == "root"


@pytest.mark.parametrize(
    ("joints", "start"),
    [
        (["a revolute w l1"], "w"),
        (["free floating w l1", "a revolute l1 l2"], "l1"),
        (["m fixed map w", "free planar w l1", "n fixed l1 l2", "a revolute l2 l3"], "l1"),
        (["x planar map w", "free floating w l1", "a revolute l1 l2"], "l1"),
        (["free floating w l1", "a revolute w l2"], "w"),
        (["m fixed map w", "n fixed w l1"], "map"),
    ],
)
def test_the_link_that_carries_the_whole_robot(joints: list[str], start: str) -> None:
    description = read_urdf(urdf(*joints))
    root = check_tree(description, "here")
    assert below_root_pose(root, children_of(description)) == start


def test_a_tip_that_gives_an_arm() -> None:
    """The way with most moving joints that a robot can have; joints that it cannot have end a way."""
    eye, z = np.eye(4), np.array([0.0, 0.0, 1.0])
    joints = (
        JointDescription("free", "floating", "root", "cup", eye, z),
        JointDescription("deep", "continuous", "cup", "in_cup", eye, z),
        JointDescription("a", "continuous", "root", "l1", eye, z),
        JointDescription("glue", "fixed", "l1", "l2", eye, z),
        JointDescription("b", "prismatic", "l2", "l3", eye, z),
        JointDescription("bad", "continuous", "l3", "l4", eye, z, problem="cannot be"),
        JointDescription("c", "continuous", "root", "other", eye, z),
    )
    links = ("root", *(joint.child for joint in joints))
    children = children_of(Description("r", links, joints, ""))
    assert tip_below("root", children) == "l3"
    assert tip_below("cup", children) == "in_cup"
    assert tip_below("l4", children) is None
