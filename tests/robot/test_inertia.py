"""Masses: of all links, with what hangs on them folded in, against Pinocchio and MuJoCo."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import numpy as np
import pinocchio as pin
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import diffkin as dk
from diffkin.errors import ModelFileError
from diffkin.robot.description import Description, Inertial, JointDescription
from diffkin.robot.inertia import masses_of
from diffkin.robot.topology import children_of
from tests.oracles.random_trees import joint_values, urdf_trees

EXAMPLES = Path(str(importlib.metadata.distribution("example-robot-data").locate_file("cmeel.prefix/share")))
FILES = [
    EXAMPLES / "example-robot-data" / "robots" / name
    for name in (
        "panda_description/urdf/panda.urdf",
        "ur_description/urdf/ur5_robot.urdf",
        "romeo_description/urdf/romeo.urdf",
    )
]


def theirs(xml: str, values: dict[str, float]) -> tuple[float, np.ndarray]:
    """Mass and centre of mass by Pinocchio; on a floating base, since it leaves out the link that is fixed."""
    model = pin.buildModelFromXML(xml, pin.JointModelFreeFlyer())
    q = pin.neutral(model)
    for name, value in values.items():
        joint = model.joints[model.getJointId(name)]
        q[joint.idx_q : joint.idx_q + joint.nq] = value if joint.nq == 1 else (np.cos(value), np.sin(value))
    data = model.createData()
    return pin.computeTotalMass(model), pin.centerOfMass(model, data, q).copy()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_real_robots_as_pinocchio(file: Path) -> None:
    robot, xml = dk.Robot.from_urdf(file), file.read_text()
    for q in robot.sample(5, seed=1):
        mass, center = theirs(xml, joint_values(xml, dict(zip(robot.joint_names, q.tolist()))))
        assert mass > 1.0
        assert robot.mass.item() == pytest.approx(mass, rel=1e-14)
        assert np.abs(robot.center_of_mass(q).numpy() - center).max() < 1e-12


@settings(max_examples=40, deadline=None)
@given(urdf_trees(), st.integers(0, 2**31))
def test_random_trees_as_pinocchio(xml: str, seed: int) -> None:
    robot = dk.Robot.from_urdf(xml)
    (q,) = robot.sample(1, seed=seed)
    mass, center = theirs(xml, joint_values(xml, dict(zip(robot.joint_names, q.tolist()))))
    assert robot.mass.item() == pytest.approx(mass, rel=1e-14)
    assert np.abs(robot.center_of_mass(q).numpy() - center).max() < 1e-12


def test_an_arm_carries_its_gripper() -> None:
    """The part to the wrist weighs what the whole does, and the fingers hang at zero, as where Pinocchio locks them."""
    xml = FILES[0].read_text()
    whole, arm = dk.Robot.from_urdf(xml), dk.Robot.from_urdf(xml, tip="panda_link8")
    assert arm.mass.item() == pytest.approx(whole.mass.item(), rel=1e-14)
    for q in arm.sample(5, seed=2):
        values = dict.fromkeys(whole.joint_names, 0.0) | dict(zip(arm.joint_names, q.tolist()))
        assert np.abs(arm.center_of_mass(q).numpy() - theirs(xml, joint_values(xml, values))[1]).max() < 1e-12


def test_what_else_hangs_on_the_base_is_none_of_the_robot() -> None:
    eye, z = np.eye(4), np.array([0.0, 0.0, 1.0])
    joints = (
        JointDescription("j", "continuous", "base", "a", eye, z),
        JointDescription("k", "continuous", "base", "other", eye, z),
        JointDescription("f", "fixed", "a", "camera", eye + np.eye(4, k=3), z),
    )
    inertials = {"base": 1.0, "a": 2.0, "other": 4.0, "camera": 2.0}
    description = Description(
        "r",
        ("base", "a", "other", "camera"),
        joints,
        "",
        inertials={link: Inertial(mass, np.zeros(3)) for link, mass in inertials.items()},
    )
    masses, centers = masses_of(description, ["base", "a"], [joints[0]], children_of(description))
    assert masses.tolist() == [1.0, 4.0]
    assert centers.tolist() == [[0.0, 0.0, 0.0], [0.5, 0.0, 0.0]]


BROKEN = [
    '<mass value="one"/>',
    '<mass value="-1"/>',
    "<mass/>",
    "",
    '<mass value="1"/><origin xyz="0 nan 0"/>',
    '<mass value="1"/><origin xyz="0 0"/>',
]


@pytest.mark.parametrize("inside", BROKEN)
def test_a_mass_that_cannot_be_read_matters_where_it_is_asked_for(inside: str) -> None:
    text = f'<robot name="r"><link name="a"/><link name="b"><inertial>{inside}</inertial></link>'
    text += '<joint name="j" type="continuous"><parent link="a"/><child link="b"/></joint></robot>'
    robot = dk.Robot.from_urdf(text)
    assert robot.forward_kinematics([0.0]).shape == (4, 4)
    for ask in (lambda: robot.mass, lambda: robot.center_of_mass([0.0])):
        with pytest.raises(ModelFileError, match="mass of link 'b'"):
            ask()
    known = robot.replace(link_masses=[0.0, 2.0], link_centers=[[0.0] * 3, [0.0, 0.1, 0.0]])
    assert known.mass.item() == 2.0
    torch.testing.assert_close(known.center_of_mass([0.0]), torch.tensor([0.0, 0.1, 0.0]).double())


def test_a_robot_without_mass_has_no_centre_of_it() -> None:
    robot = dk.Robot.from_dh([[0, 0, 0, 0]])
    assert robot.mass.item() == 0.0
    with pytest.raises(ModelFileError, match="No link"):
        robot.center_of_mass([0.0])


@pytest.mark.parametrize("xyz", ["1e300 0 0", "0 1.7e308 0"])
def test_a_centre_that_no_mechanism_has_is_not_known(xyz: str) -> None:
    inertial = f'<inertial><origin xyz="{xyz}"/><mass value="5"/></inertial>'
    robot = dk.Robot.from_urdf(f'<robot name="r"><link name="a">{inertial}</link></robot>')
    assert torch.isnan(robot.link_masses).all()
    assert robot.link_centers.tolist() == [[0.0, 0.0, 0.0]]
    with pytest.raises(ModelFileError, match="not known"):
        _ = robot.mass
