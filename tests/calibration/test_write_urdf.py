"""The calibrated URDF: our loader, PyBullet and Pinocchio read the calibrated arm from it."""

import numpy as np
import pinocchio
import pytest
import torch
from lxml import etree

import diffkin as dk
from diffkin import rotations
from diffkin.calibration.model import calibration_model
from diffkin.calibration.write_urdf import TOOL_LINK, calibrated_urdf, write_calibrated_urdf
from diffkin.errors import ModelFileError, OptionError
from diffkin.simulation import load, open_world


def shaken(robot, seed=0):
    tool = torch.eye(4, dtype=torch.float64)
    tool[:3, :3] = rotations.rotvec_to_matrix(torch.tensor([0.5, 1.0, -0.3], dtype=torch.float64))
    tool[:3, 3] = torch.tensor([0.03, 0.02, 0.1])
    model = calibration_model(robot, tool)
    x = 0.01 * torch.randn(model.size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return model, x


@pytest.mark.parametrize("name", ["kuka_iiwa", "franka_panda", "xarm6", "scara"])
def test_everyone_reads_the_same_arm(name, tmp_path):
    robot = dk.load_robot(name)
    model, x = shaken(robot)
    path = tmp_path / "calibrated.urdf"
    write_calibrated_urdf(model, x, path)
    q = robot.sample(5, seed=2)
    expected = model.poses(x, q)
    loaded = dk.Robot.from_urdf(path, tip=TOOL_LINK)
    assert loaded.joint_names == robot.joint_names
    assert torch.equal(loaded.lower, robot.lower)
    assert torch.allclose(loaded.forward_kinematics(q), expected, atol=1e-13)

    theirs = pinocchio.buildModelFromUrdf(str(path))
    data = theirs.createData()
    with open_world() as client:
        arm = load(client, loaded)
        for each, pose in zip(q, expected):
            arm.reset(each)
            assert torch.allclose(arm.base_pose().inverse() @ arm.link_pose(TOOL_LINK), pose, atol=1e-9)
            at = pinocchio.neutral(theirs)
            for joint, value in zip(robot.joint_names, each.tolist()):
                at[theirs.joints[theirs.getJointId(joint)].idx_q] = value
            pinocchio.framesForwardKinematics(theirs, data, at)
            placed = data.oMf[theirs.getFrameId(TOOL_LINK)].homogeneous
            base = data.oMf[theirs.getFrameId(robot.base)].homogeneous
            assert np.abs(np.linalg.inv(base) @ placed - pose.numpy()).max() < 1e-9


def test_mimic_joints_and_fixed_joints_on_the_way(mixed):
    robot = dk.Robot.from_urdf(mixed.source, tip="hand")
    model, x = shaken(robot)
    loaded = dk.Robot.from_urdf(calibrated_urdf(model, x), tip=TOOL_LINK)
    q = 0.5 * robot.sample(5)
    assert torch.allclose(loaded.forward_kinematics(q), model.poses(x, q), atol=1e-13)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_quaternion_in_an_origin_is_read_as_the_loader_does_and_replaced(version):
    text = f"""<robot name="r" version="{version}"><link name="a"/><link name="b"/><link name="c"/>
      <joint name="one" type="continuous"><parent link="a"/><child link="b"/><axis xyz="0 1 0"/>
        <origin xyz="0.1 0 0.3" quat_xyzw="0.5 0.5 -0.5 0.5"/></joint>
      <joint name="two" type="continuous"><parent link="b"/><child link="c"/><axis xyz="1 0 0"/>
        <origin xyz="0.2 0 0.1" quat_xyzw="0 0.6 0 0.8"/></joint></robot>"""
    robot = dk.Robot.from_urdf(text, tip="c")
    model, x = shaken(robot)
    written = calibrated_urdf(model, x)
    assert "quat_xyzw" not in written
    q = robot.sample(3)
    loaded = dk.Robot.from_urdf(written, tip=TOOL_LINK)
    assert torch.allclose(loaded.forward_kinematics(q), model.poses(x, q), atol=1e-13)


def test_nothing_else_changes(iiwa):
    model, x = shaken(iiwa)
    before = etree.parse(iiwa.source, etree.XMLParser(remove_comments=True)).getroot()
    after = etree.fromstring(calibrated_urdf(model, x))
    assert [e.get("name") for e in after.findall("link")][:-1] == [e.get("name") for e in before.findall("link")]
    for old, new in zip(before.findall("joint"), after.findall("joint")):
        assert old.attrib == new.attrib
        for tag in ("axis", "limit", "parent", "child"):
            assert dict(old.find(tag).attrib) == dict(new.find(tag).attrib)
    for old, new in zip(before.iter("inertial"), after.iter("inertial")):
        assert [dict(e.attrib) for e in old] == [dict(e.attrib) for e in new]
    assert all(e.get("filename").startswith("/") for e in after.iter("mesh"))
    assert not list(etree.fromstring(calibrated_urdf(model, x, shapes=False)).iter("mesh"))


def test_a_link_may_be_taken_only_once(iiwa):
    model, x = shaken(iiwa)
    again = dk.Robot.from_urdf(calibrated_urdf(model, x), tip=TOOL_LINK)
    other, y = shaken(again)
    with pytest.raises(OptionError, match="already"):
        calibrated_urdf(other, y)
    loaded = dk.Robot.from_urdf(calibrated_urdf(other, y, tool_link="second"), tip="second")
    q = iiwa.sample(3)
    assert torch.allclose(loaded.forward_kinematics(q), other.poses(y, q), atol=1e-13)


def test_an_arm_without_a_file_is_refused():
    model = calibration_model(dk.Robot.from_dh([[0.3, 0.0, 0.1, 0.0], [0.2, 0.5, 0.0, 0.0]]))
    with pytest.raises(ModelFileError, match="no file"):
        calibrated_urdf(model, model.zero())
