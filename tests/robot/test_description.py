"""The one form that every loader hands over: kinds of joints, defaults, and the same arm by three formats."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from diffkin.robot import Robot
from diffkin.robot.description import FREE, KINDS, MOVING, Description, JointDescription, Mimic
from diffkin.robot.dh import read_dh
from diffkin.robot.mjcf import read_mjcf
from diffkin.robot.urdf import read_urdf

URDF = """<robot name="arm"><link name="base"/><link name="link1"/><link name="link2"/>
<joint name="joint1" type="continuous"><parent link="base"/><child link="link1"/><axis xyz="0 0 1"/></joint>
<joint name="joint2" type="continuous"><parent link="link1"/><child link="link2"/><origin xyz="0.5 0 0.2"/>
<axis xyz="0 0 1"/></joint></robot>"""
MJCF = """<mujoco model="arm"><worldbody><body name="link1"><joint name="joint1" type="hinge" axis="0 0 1"/>
<body name="link2" pos="0.5 0 0.2"><joint name="joint2" type="hinge" axis="0 0 1"/></body></body></worldbody></mujoco>"""
DH = [[0.0, 0.0, 0.0, 0.0], [0.5, 0.0, 0.2, 0.0]]  # modified: a, alpha, d, theta


def described() -> list[Description]:
    return [read_urdf(URDF), read_mjcf(MJCF), read_dh(DH, "modified")]


def test_kinds() -> None:
    assert set(KINDS) == {*MOVING, *FREE, "fixed"}
    assert len(KINDS) == 6


@pytest.mark.parametrize("description", described(), ids=["urdf", "mjcf", "dh"])
def test_every_loader_says_the_same_of_the_same_arm(description: Description) -> None:
    assert [joint.name for joint in description.joints] == ["joint1", "joint2"]
    assert len(description.links) == 3
    for joint in description.joints:
        assert joint.kind == "continuous"
        assert joint.origin.shape == (4, 4)
        assert joint.origin.dtype == joint.axis.dtype == np.float64
        assert joint.axis.tolist() == [0.0, 0.0, 1.0]
        assert (joint.lower, joint.upper, joint.mimic) == (-math.inf, math.inf, None)
    np.testing.assert_allclose(description.joints[1].origin[:3, 3], [0.5, 0.0, 0.2], rtol=0, atol=1e-15)


def test_the_same_arm_by_three_formats_has_the_same_poses() -> None:
    arms = [Robot.from_urdf(URDF), Robot.from_mjcf(MJCF), Robot.from_dh(DH, "modified")]
    q = arms[0].sample(20)
    first, *others = (arm.forward_kinematics(q) for arm in arms)
    for other in others:
        torch.testing.assert_close(other, first, rtol=0, atol=1e-15)


def test_defaults() -> None:
    joint = JointDescription("j", "revolute", "a", "b", np.eye(4), np.array([0.0, 0.0, 1.0]))
    assert (joint.lower, joint.upper, joint.mimic) == (-math.inf, math.inf, None)
    assert Mimic("j") == Mimic("j", multiplier=1.0, offset=0.0)
    assert Description("r", ("a",), (), "").hidden == frozenset()
