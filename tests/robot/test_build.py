"""From description to robot: the tree is checked, cut, its mimics resolved and its fixed joints folded."""

from __future__ import annotations

import math

import pytest
import torch

from diffkin.errors import JointError, TopologyError, UnknownNameError
from diffkin.robot import Robot

LIMIT = '<limit lower="-1" upper="2"/>'


def urdf(*joints: str, links: str | None = None) -> str:
    """A URDF from lines "name kind parent child [mimic-source multiplier offset]", joints one metre along x, axes z."""
    text, names = [], []
    for line in joints:
        name, kind, parent, child, *mimic = line.split()
        names += [parent, child]
        copied = '<mimic joint="{}" multiplier="{}" offset="{}"/>'.format(*mimic) if mimic else ""
        text.append(
            f'<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/><origin xyz="1 0 0"/>'
            f'<axis xyz="0 0 1"/>{LIMIT}{copied}</joint>'
        )
    found = links.split() if links is not None else dict.fromkeys(names)
    return f'<robot name="r">{"".join(f"<link name={link!r}/>" for link in found)}{"".join(text)}</robot>'


TREE = urdf(
    "left revolute root l1",
    "right revolute root r1",
    "left2 prismatic l1 l2",
    "glue fixed l2 l3",
    "left3 continuous l3 l4",
    "camera fixed l1 eye",
    "right2 revolute r1 r2",
)


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


@pytest.mark.parametrize(("base", "tip"), [("l1", "root"), ("l1", "r2"), ("eye", "l4"), ("l4", "l2")])
def test_a_tip_that_is_not_below_the_base(base: str, tip: str) -> None:
    with pytest.raises(TopologyError, match="not connected") as caught:
        Robot.from_urdf(TREE, base=base, tip=tip)
    assert repr(base) in str(caught.value)
    assert repr(tip) in str(caught.value)


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


# -- mimics ---------------------------------------------------------------------------------------------------------


def test_chains_of_mimics_lead_to_their_source() -> None:
    robot = Robot.from_urdf(
        urdf("a revolute w l1 c 2 0.5", "b revolute l1 l2", "c prismatic l2 l3 b -3 0.25", "d revolute l3 l4 a 0.5 1")
    )
    assert robot.joint_names == ("b",)
    assert robot.tree.coordinate == (0, 0, 0, 0)
    # a = 2 c + 0.5 = 2 (-3 b + 0.25) + 0.5; d = 0.5 a + 1
    assert robot.tree.multiplier == (-6.0, 1.0, -3.0, -3.0)
    assert robot.tree.offset == (1.0, 0.0, 0.25, 1.5)


def test_sources_off_the_way_come_last() -> None:
    text = urdf("off revolute w o", "a revolute w l1 off 2 0", "b revolute l1 l2", "c revolute l2 l3 b 1 0")
    robot = Robot.from_urdf(text, tip="l3")
    assert robot.joint_names == ("b", "off")
    assert robot.link_names == ("w", "l1", "l2", "l3")
    assert robot.tree.coordinate == (1, 0, 0)
    assert robot.dof == 2
    q = torch.tensor([0.0, 0.25], dtype=torch.float64)
    turned = robot.forward_kinematics(q, links=["l1"])[0, :2, 0]
    assert turned.tolist() == pytest.approx([math.cos(0.5), math.sin(0.5)], abs=1e-15)


def test_limits_of_a_mimic_do_not_bind() -> None:
    text = urdf("a revolute w l1", "b revolute l1 l2 a 100 7")
    robot = Robot.from_urdf(text)
    assert (robot.lower.tolist(), robot.upper.tolist()) == ([-1.0], [2.0])


@pytest.mark.parametrize(
    ("joints", "said"),
    [
        (["a revolute w l1 ghost 1 0"], "'a' mimics 'ghost', which does not exist"),
        (["a revolute w l1 a 1 0"], "circle: a -> a"),
        (["a revolute w l1 b 1 0", "b revolute l1 l2 a 1 0"], "circle: a -> b -> a"),
        (["a revolute w l1 b 1 0", "b revolute l1 l2 c 1 0", "c revolute l2 l3 b 1 0"], "circle: a -> b -> c -> b"),
        (["a revolute w l1 f 1 0", "f fixed l1 l2"], "mimics the fixed joint 'f'"),
    ],
)
def test_mimics_that_cannot_be(joints: list[str], said: str) -> None:
    with pytest.raises(JointError, match=said):
        Robot.from_urdf(urdf(*joints))


def test_a_mimic_on_a_fixed_joint_says_nothing() -> None:
    robot = Robot.from_urdf(urdf("f fixed w l1 ghost 1 0", "a revolute l1 l2"))
    assert robot.joint_names == ("a",)


def test_a_broken_mimic_elsewhere_does_not_matter() -> None:
    text = urdf("a revolute w l1", "b revolute w l2 ghost 1 0")
    assert Robot.from_urdf(text, tip="l1").joint_names == ("a",)


# -- floating and planar joints -------------------------------------------------------------------------------------


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


# -- size -----------------------------------------------------------------------------------------------------------


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


def test_hundreds_of_branches_and_mimics() -> None:
    count = 1500
    lines = ["j0 revolute w l0", *(f"j{i} revolute w l{i} j{i - 1} 1 0.5" for i in range(1, count))]
    text = urdf(*reversed(lines))
    robot = Robot.from_urdf(text, tip=f"l{count - 1}")
    assert robot.joint_names == ("j0",)
    assert robot.tree.offset == ((count - 1) * 0.5,)
    whole = Robot.from_urdf(text)
    assert whole.joint_names == ("j0",)
    assert sorted(whole.tree.offset) == [index * 0.5 for index in range(count)]


def test_a_robot_may_have_no_joints() -> None:
    robot = Robot.from_urdf('<robot name="r"><link name="only"/></robot>')
    assert (robot.dof, robot.tip, robot.joint_names) == (0, "only", ())
    assert robot.lower.shape == robot.upper.shape == (0,)
    pose = robot.forward_kinematics(torch.zeros(2, 0, dtype=torch.float64))
    assert torch.equal(pose, torch.eye(4, dtype=torch.float64).expand(2, 4, 4))
