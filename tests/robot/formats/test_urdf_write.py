"""URDF text of any robot, read back by diffkin, Pinocchio and PyBullet: the same mechanism."""

import re
from pathlib import Path

import numpy as np
import pybullet_data
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

import diffkin as dk
from diffkin import rotations, transforms
from diffkin.robot.formats.urdf_write import NO_LIMIT, robot_to_urdf
from tests.oracles.poses import bullet_poses, pinocchio_poses
from tests.oracles.random_trees import urdf_trees

DH = [[0.0, 1.5708, 0.3, 0.1], [0.4, 0.0, 0.0, -0.2], [0.1, -1.5708, 0.0, 0.3], [0.0, 0.7, 0.4, 0.0]]
ARMATURE = '<geom size="0.1" mass="1"/>'
MJCF = f"""<mujoco model="m"><compiler angle="radian"/><worldbody><body name="a" pos="0 0.1 1">
<joint name="x" axis="0 0 1" ref="0.3" pos="0.1 0 0.2"/><joint name="s" type="slide" axis="1 1 0" range="-0.2 0.3"/>
{ARMATURE}<site name="eye" pos="0.1 0.2 0.3" euler="0.3 0.2 0.1"/>
<body name="b" pos="1 0 0"><joint name="y" axis="0 1 0" ref="-0.2"/>{ARMATURE}</body>
<body name="c" pos="0 1 0"><joint name="z" axis="1 0 0" range="-1 2"/>{ARMATURE}</body></body></worldbody>
<equality><joint joint1="y" joint2="x" polycoef="0.1 -2 0 0 0"/></equality></mujoco>"""


def robots() -> dict[str, dk.Robot]:
    pose = transforms.pose(rotations.random_rotation(1, seed=4)[0], torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64))
    iiwa = dk.load_robot("kuka_iiwa")
    made = {name: dk.load_robot(name) for name in dk.robot_names()}
    made |= {
        "standard": dk.Robot.from_dh(DH, kinds="RRPR", tool=pose),
        "modified": dk.Robot.from_dh(DH, "modified", base=pose, lower=[-1.0] * 4, upper=[2.0] * 4),
        "with a frame": iiwa.with_frame("tcp", "lbr_iiwa_link_7", pose, tip=True),
        "calibrated": iiwa.replace(origins=iiwa.tree.origins @ transforms.exp(0.01 * torch.ones(7, 6).double())),
        "MuJoCo": dk.Robot.from_mjcf(MJCF),
        "humanoid": dk.Robot.from_mjcf(Path(pybullet_data.getDataPath()) / "mjcf" / "humanoid.xml"),
        "float32": dk.load_robot("franka_panda").to(torch.float32),
        "no joints": dk.Robot.from_urdf('<robot name="r"><link name="a"/></robot>'),
    }
    return made


ROBOTS = robots()


def values_of(text: str, robot: dk.Robot, q: torch.Tensor) -> dict[str, float]:
    """The value of every joint that moves, mimics worked out from the text."""
    values = dict(zip(robot.joint_names, q.tolist()))
    for joint in etree.fromstring(text.encode()).findall("joint"):
        mimic = joint.find("mimic")
        if mimic is not None:
            source = values[mimic.get("joint")]
            values[joint.get("name")] = float(mimic.get("multiplier")) * source + float(mimic.get("offset"))
    return values


@pytest.mark.parametrize("name", ROBOTS)
def test_three_readers_see_the_same_robot(name: str, tmp_path: Path) -> None:
    robot = ROBOTS[name]
    text = robot.to_urdf()
    path = tmp_path / "robot.urdf"
    path.write_text(text, encoding="utf-8")
    back = dk.Robot.from_urdf(path)
    exact = robot.to(torch.float64)
    tolerance = 1e-6 if name == "float32" else 1e-9  # its rotations are such only to single precision
    assert (back.base, back.joint_names) == (robot.base, robot.joint_names)
    assert set(back.link_names) >= set(robot.link_names)
    for q in exact.sample(3, seed=5):
        poses = exact.link_poses(q)
        values = values_of(text, robot, q)
        theirs, bullet = pinocchio_poses(text, values), bullet_poses(path, values)
        again = back.link_poses(q)
        for link, pose in poses.items():
            for other, near in ((again[link].numpy(), tolerance), (theirs[link], tolerance), (bullet[link], 1e-6)):
                assert np.abs(pose.numpy() - other).max() < near, link


@pytest.mark.parametrize("name", ROBOTS)
def test_limits_and_masses_come_back(name: str) -> None:
    robot = ROBOTS[name].to(torch.float64)
    back = dk.Robot.from_urdf(robot.to_urdf())
    assert torch.equal(back.lower, robot.lower)
    assert torch.equal(back.upper, robot.upper)
    limited = torch.isfinite(robot.lower)
    for ours, theirs in ((robot.max_velocity, back.max_velocity), (robot.max_effort, back.max_effort)):
        assert torch.equal(theirs[limited], ours.clamp(max=NO_LIMIT)[limited])
    known = ~torch.isnan(robot.link_masses)
    for index in known.nonzero()[:, 0].tolist():
        again = back.link_index(robot.link_names[index])
        assert float(back.link_masses[again]) == pytest.approx(float(robot.link_masses[index]), abs=1e-15)
        torch.testing.assert_close(back.link_centers[again], robot.link_centers[index])
    if bool(known.all()) and float(robot.mass) > 0:
        q = robot.sample(1, seed=2)[0]
        torch.testing.assert_close(back.center_of_mass(q), robot.center_of_mass(q), rtol=0, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(urdf_trees(), st.integers(0, 1000))
def test_random_trees_come_back(xml: str, seed: int) -> None:
    robot = dk.Robot.from_urdf(xml)
    back = dk.Robot.from_urdf(robot.to_urdf())
    assert back.joint_names == robot.joint_names
    (q,) = robot.sample(1, seed=seed)
    again = back.link_poses(q)
    for link, pose in robot.link_poses(q).items():
        torch.testing.assert_close(again[link], pose, rtol=0, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(urdf_trees(mimics=True), st.data())
def test_parts_of_random_trees_come_back(xml: str, data: st.DataObject) -> None:
    """A part may follow joints that are none of it."""
    whole = dk.Robot.from_urdf(xml)
    robot = dk.Robot.from_urdf(xml, tip=data.draw(st.sampled_from(whole.link_names)))
    back = dk.Robot.from_urdf(robot.to_urdf())
    assert sorted(back.joint_names) == sorted(robot.joint_names)
    (q,) = robot.sample(1, seed=1)
    at = torch.stack([q[robot.joint_names.index(name)] for name in back.joint_names]) if robot.dof else q
    torch.testing.assert_close(back.link_poses(at)[robot.tip], robot.forward_kinematics(q), rtol=0, atol=1e-9)


def test_shapes_and_inertias_of_the_file_stay() -> None:
    robot = dk.load_robot("kuka_iiwa")
    own, again = etree.parse(robot.source).getroot(), etree.fromstring(robot.to_urdf().encode())
    for element in own.findall("link"):
        copied = again.find(f"link[@name='{element.get('name')}']")
        for tag in ("inertia", "mesh", "mass", "color"):
            theirs, ours = ([dict(each.attrib) for each in top.iter(tag)] for top in (element, copied))
            if tag == "mesh":
                assert [Path(each["filename"]).name for each in ours] == [Path(e["filename"]).name for e in theirs]
                assert all(Path(each["filename"]).is_file() for each in ours)
            else:
                assert ours == theirs
    plain = etree.fromstring(robot_to_urdf(robot, meshes=False).encode())
    assert list(plain.iter("mesh")) == []
    assert len(list(plain.iter("cylinder"))) >= 7


def test_names_of_mimics_and_fixed_joints_stay(mixed: dk.Robot) -> None:
    joints = {
        joint.get("name"): joint.get("type")
        for joint in etree.fromstring(mixed.to_urdf().encode()).iter("joint")
        if joint.get("type")
    }
    assert joints == {
        "turn": "revolute",
        "slide": "prismatic",
        "spin": "continuous",
        "follow": "revolute",
        "again": "prismatic",
        "weld": "fixed",
    }


def test_arms_of_numbers_have_something_to_see() -> None:
    arm = dk.Robot.from_dh(DH, kinds="RRPR")
    root = etree.fromstring(arm.to_urdf().encode())
    assert len(list(root.iter("visual"))) >= 2 * arm.dof
    assert all(each.get("rgba") is not None for each in root.iter("color"))
    assert re.search(r'"-0(\.0)?[ "]| -0(\.0)?[ "]', arm.to_urdf()) is None
    names = [each.get("name") for each in root.findall("link")]
    assert len(set(names)) == len(names)


def test_names_that_are_taken_get_a_number() -> None:
    arm = dk.Robot.from_dh(DH).replace(link_names=("base", "joint1_moved", "b", "c", "d"), tip="d", leaves=("d",))
    back = dk.Robot.from_urdf(arm.to_urdf())
    assert {"joint1_moved", "joint1_moved_2"} <= set(back.link_names)
