"""What drives a joint: chains of mimics followed to their source, and mimics that cannot be."""

from __future__ import annotations

import math

import pytest
import torch

from diffkin.errors import JointError
from diffkin.robot import Robot
from diffkin.robot.mimics import Drive, resolve_mimic
from diffkin.robot.urdf import read_urdf
from tests.robot.models import urdf


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


def test_what_a_chain_leads_to_is_kept_for_every_joint_of_it() -> None:
    description = read_urdf(urdf("a revolute w l1 b 2 1", "b prismatic l1 l2 c -3 0.5", "c continuous l2 l3"))
    joints = {joint.name: joint for joint in description.joints}
    drives: dict[str, Drive] = {}
    resolve_mimic(joints["a"], joints, drives, "here")
    assert {name: (each.source.name, each.multiplier, each.offset) for name, each in drives.items()} == {
        "c": ("c", 1.0, 0.0),
        "b": ("c", -3.0, 0.5),
        "a": ("c", -6.0, 2.0),  # 2 (-3 c + 0.5) + 1
    }
    before = dict(drives)
    resolve_mimic(joints["b"], joints, drives, "here")
    assert drives == before
