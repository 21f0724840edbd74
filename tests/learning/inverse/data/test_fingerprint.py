"""Fingerprints: another mechanism, another text; the same one however it was read, the same."""

import dataclasses

import pytest
import torch

import diffkin as dk
from diffkin.errors import OptionError, TopologyError
from diffkin.learning.inverse.data.fingerprint import fingerprint, fingerprint_of_format_1

MIMIC = """
<robot name="follower">
  <link name="base"/><link name="a"/><link name="b"/><link name="tool"/>
  <joint name="turn" type="revolute"><parent link="base"/><child link="a"/><axis xyz="0 0 1"/>
    <limit lower="-1" upper="1" effort="1" velocity="1"/></joint>
  <joint name="follow" type="revolute"><parent link="a"/><child link="b"/><axis xyz="0 1 0"/><origin xyz="0.3 0 0"/>
    <limit lower="-9" upper="9" effort="1" velocity="1"/><mimic joint="turn" multiplier="{multiplier}" offset="{offset}"/></joint>
  <joint name="slide" type="prismatic"><parent link="b"/><child link="tool"/><axis xyz="1 0 0"/><origin xyz="0.3 0 0"/>
    <limit lower="-0.1" upper="0.1" effort="1" velocity="1"/></joint>
</robot>
"""


def follower(multiplier=0.5, offset=0.1, text=MIMIC) -> dk.Robot:
    return dk.Robot.from_urdf(text.format(multiplier=multiplier, offset=offset), tip="tool")


def changed(robot: dk.Robot, **tree) -> dk.Robot:
    return dataclasses.replace(robot, tree=dataclasses.replace(robot.tree, **tree))


def test_all_that_changes_poses_or_limits_changes_it():
    robot = follower()
    tree, eye = robot.tree, torch.eye(4, dtype=torch.float64)
    moved = eye.clone()
    moved[0, 3] = 1e-3
    others = {
        "multiplier": follower(multiplier=0.6),
        "its sign": follower(multiplier=-0.5),
        "offset": follower(offset=0.2),
        "origins": robot.replace(origins=tree.origins @ moved),
        "axes": robot.replace(axes=-tree.axes),
        "the tip's place": robot.replace(link_offsets=tree.link_offsets @ moved),
        "lower": robot.replace(lower=robot.lower * 0.5),
        "upper": robot.replace(upper=robot.upper * 0.5),
        "kinds": changed(robot, kinds=(0, 0, 0)),
        "coordinate": changed(robot, coordinate=(0, 1, 1)),
        "parents": changed(robot, parents=(-1, 0, 0)),
        "names": robot.replace(joint_names=("turn", "glide")),
        "order": robot.replace(joint_names=("slide", "turn")),
        "base": dk.Robot.from_urdf(MIMIC.format(multiplier=0.5, offset=0.1).replace('"base"', '"foot"'), tip="tool"),
        "tip": dk.Robot.from_urdf(MIMIC.format(multiplier=0.5, offset=0.1), tip="b"),
        "the robot's name": robot.replace(name="other"),
    }
    prints = {name: fingerprint(other) for name, other in {"itself": robot, **others}.items()}
    assert len(set(prints.values())) == len(prints), prints


def test_what_changes_neither_does_not():
    robot = follower()
    want = fingerprint(robot)
    assert fingerprint(follower()) == want
    assert fingerprint(robot.to(dtype=torch.float32)) == want
    assert fingerprint(robot.replace(origins=robot.tree.origins * (1 + 1e-15))) == want
    assert fingerprint(robot.replace(axes=robot.tree.axes * 1.0, source="elsewhere")) == want
    negative = torch.where(robot.tree.axes == 0, -0.0, robot.tree.axes)
    assert fingerprint(robot.replace(axes=negative)) == want


def test_the_one_of_format_1_is_what_it_was():
    """Files of earlier versions hold these."""
    assert fingerprint_of_format_1(follower()) == fingerprint_of_format_1(follower(multiplier=7.0, offset=-1.0))
    assert fingerprint_of_format_1(dk.load_robot("planar_2r")) == "planar_2r 9837eb93ef0e654c"


def test_what_has_none():
    with pytest.raises(OptionError, match="robot must be a Robot"):
        fingerprint("kuka_iiwa")
    with pytest.raises(TopologyError, match="no tip"):
        fingerprint(
            dk.Robot.from_urdf(
                MIMIC.format(multiplier=1, offset=0).replace('<parent link="b"/>', '<parent link="base"/>')
            )
        )
