"""What a URDF says reaches the robot to the last bit, and what it cannot say is refused."""

from __future__ import annotations

import math
import time

import numpy as np
import pinocchio as pin
import pytest
import torch
from scipy.spatial.transform import Rotation

from diffkin.errors import JointError, LimitsError, ModelFileError
from diffkin.robot import Robot
from diffkin.robot.formats.urdf import read_urdf
from tests.fresh import run_code

LIMIT = '<limit lower="-1" upper="2" effort="1" velocity="1"/>'


def urdf(inside: str, kind: str = "revolute", name: str = "j") -> str:
    return (
        f'<robot name="r"><link name="a"/><link name="b"/><joint name="{name}" type="{kind}"><parent link="a"/>'
        f'<child link="b"/>{inside}</joint></robot>'
    )


def joint(inside: str, kind: str = "revolute"):
    return read_urdf(urdf(inside, kind)).joints[0]


def test_translations_are_the_doubles_nearest_to_the_text() -> None:
    words = ["0.1", "-0.30000000000000004", "1.2345678901234567e-3"]
    found = joint(f'<origin xyz="{" ".join(words)}" rpy="0 0 0"/>' + LIMIT).origin
    assert found[:3, 3].tolist() == [float(word) for word in words]
    assert found[:3, :3].tolist() == np.eye(3).tolist()


@pytest.mark.parametrize(
    "angles", [("1.57079632679", "0", "0"), ("0.3", "-1.2", "2.9"), ("0", "1.5707963267948966", "3")]
)
def test_rotations_are_those_of_the_angles_as_written(angles: tuple[str, str, str]) -> None:
    found = joint(f'<origin rpy="{" ".join(angles)}"/>' + LIMIT).origin
    expected = Rotation.from_euler("xyz", [float(angle) for angle in angles]).as_matrix()
    assert np.abs(found[:3, :3] - expected).max() < 4e-16


def test_a_short_pi_stays_short() -> None:
    # cos(1.57079632679) is 4.9e-12: the eleven digits of the file, neither snapped to zero nor rounded to float32.
    found = joint('<origin rpy="1.57079632679 0 0"/>' + LIMIT).origin
    assert found[1, 1] == pytest.approx(math.pi / 2 - 1.57079632679, rel=1e-4)


def test_defaults_of_urdf() -> None:
    found = joint(LIMIT)
    assert found.origin.tolist() == np.eye(4).tolist()
    assert found.axis.tolist() == [1.0, 0.0, 0.0]
    assert joint("<axis/>" + LIMIT).axis.tolist() == [1.0, 0.0, 0.0]
    with pytest.raises(JointError, match=r"has an <axis> with XYZ and no xyz"):
        joint('<axis XYZ="0 0 1"/>' + LIMIT)
    assert joint('<origin xyz="1 2 3"/>' + LIMIT).origin[:3, 3].tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("text", ["0 3 4", "0 3e-200 4e-200", "0 3e200 4e200"])
@pytest.mark.parametrize("kind", ["revolute", "prismatic", "continuous"])
def test_axes_are_normalised(text: str, kind: str) -> None:
    assert joint(f'<axis xyz="{text}"/>' + LIMIT, kind).axis == pytest.approx([0.0, 0.6, 0.8], abs=1e-16)


@pytest.mark.parametrize(
    ("kind", "limit", "expected"),
    [
        ("revolute", '<limit lower="-1.5" upper="2"/>', (-1.5, 2.0)),
        ("revolute", '<limit lower="0.25" upper="0.25"/>', (0.25, 0.25)),
        ("revolute", '<limit effort="1" velocity="1"/>', (-math.inf, math.inf)),
        ("prismatic", "<limit/>", (-math.inf, math.inf)),
        ("prismatic", '<limit upper="2"/>', (0.0, 2.0)),
        ("revolute", '<limit lower="-2"/>', (-2.0, 0.0)),
        ("continuous", '<limit lower="-1" upper="1"/>', (-math.inf, math.inf)),
        ("continuous", "", (-math.inf, math.inf)),
        (
            "revolute",
            '<safety_controller soft_lower_limit="-0.1" soft_upper_limit="0.1"/><limit lower="-1" upper="1"/>',
            (-1.0, 1.0),
        ),
    ],
)
def test_limits(kind: str, limit: str, expected: tuple[float, float]) -> None:
    robot = Robot.from_urdf(urdf(limit, kind))
    assert (robot.lower.item(), robot.upper.item()) == expected
    assert robot.lower.dtype == torch.float64


@pytest.mark.parametrize(
    ("kind", "limit", "said"),
    [
        ("revolute", "", "no <limit>"),
        ("prismatic", "", "no <limit>"),
        ("revolute", '<safety_controller soft_lower_limit="-1" soft_upper_limit="1"/>', "no <limit>"),
        ("revolute", '<limit lower="1" upper="-1"/>', "above"),
        ("prismatic", '<limit lower="1"/>', "above"),
        ("revolute", '<limit lower="nan" upper="1"/>', "finite"),
        ("revolute", '<limit lower="-inf" upper="inf"/>', "finite"),
        ("revolute", '<limit lower="-1" upper="one"/>', "no number"),
        ("revolute", '<limit lower="" upper="1"/>', "0 numbers"),
    ],
)
def test_limits_that_cannot_be(kind: str, limit: str, said: str) -> None:
    with pytest.raises(LimitsError, match=said) as caught:
        Robot.from_urdf(urdf(limit, kind, name="elbow"))
    assert "'elbow'" in str(caught.value)


@pytest.mark.parametrize(
    ("inside", "kind", "error", "said"),
    [
        ('<axis xyz="0 0 0"/>', "revolute", JointError, "zero axis"),
        ('<axis xyz="0 0 -0.0"/>', "continuous", JointError, "zero axis"),
        ('<axis xyz="0 0 0"/>', "prismatic", JointError, "zero axis"),
        ('<axis xyz="0 0"/>', "revolute", ModelFileError, "<axis> xyz holds 2 numbers"),
        ('<axis xyz="0 nan 1"/>', "revolute", ModelFileError, "<axis> xyz .*finite"),
        ('<origin xyz="0 inf 1"/>', "revolute", ModelFileError, "<origin> xyz .*finite"),
        ('<origin rpy="0 NaN 1"/>', "fixed", ModelFileError, "<origin> rpy .*finite"),
        ('<origin rpy="0 0 x"/>', "revolute", ModelFileError, "<origin> rpy .*no number"),
        ('<mimic multiplier="2"/>', "revolute", JointError, "names no joint"),
        ('<mimic joint="j2" multiplier="nan"/>', "revolute", ModelFileError, "<mimic> multiplier .*finite"),
        ('<mimic joint="j2" offset="1 2"/>', "revolute", ModelFileError, "<mimic> offset .*2 numbers"),
        ("", "hinge", JointError, "type 'hinge'; expected one of revolute"),
        ("", "", JointError, "type ''"),
    ],
)
def test_joints_that_cannot_be(inside: str, kind: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said) as caught:
        Robot.from_urdf(urdf(inside + LIMIT, kind, name="elbow"))
    assert "'elbow'" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ('<robot name="r"/>', ModelFileError, "no <link>"),
        ('<robot name="r"><link/></robot>', ModelFileError, "line 1: a <link> has no name"),
        (
            '<robot name="r"><link name="a"/>\n<joint type="fixed"/></robot>',
            ModelFileError,
            "line 2: a <joint> has no name",
        ),
        ('<robot name="r"><link name="a"/><joint name="j"/></robot>', JointError, "type None"),
        ('<robot name="r"><link name="a"/><joint name="j" type="fixed"/></robot>', JointError, "no parent link"),
        (
            '<robot name="r"><link name="a"/><joint name="j" type="fixed"><parent link="a"/></joint></robot>',
            JointError,
            "no child link",
        ),
    ],
)
def test_elements_that_lack_something(text: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Robot.from_urdf(text)


def test_what_is_not_kinematics_is_left_alone() -> None:
    text = """
    <robot>
      <gazebo reference="a"><nonsense value="nan"/></gazebo>
      <transmission name="t"><joint name="ghost"/><actuator/></transmission>
      <material/>
      <link name="a"><visual><geometry><mesh filename="package://absent/mesh.dae"/></geometry></visual></link>
      <link name="b"><inertial><mass/></inertial><collision><geometry/></collision></link>
      <joint name="j" type="fixed"><parent link="a"/><child link="b"/><axis xyz="0 0 0"/><limit lower="2" upper="1"/>
        <mimic joint="absent"/></joint>
    </robot>"""
    robot = Robot.from_urdf(text)
    assert robot.link_names == ("a", "b")
    assert robot.joint_names == ()


def test_a_mimic_is_read() -> None:
    mimic = joint('<mimic joint="k" multiplier="-2.5" offset="0.1"/>' + LIMIT).mimic
    assert (mimic.source, mimic.multiplier, mimic.offset) == ("k", -2.5, 0.1)
    mimic = joint('<mimic joint="k"/>' + LIMIT).mimic
    assert (mimic.source, mimic.multiplier, mimic.offset) == ("k", 1.0, 0.0)


def test_the_parser_is_imported_only_where_a_file_is_read() -> None:
    code = "import sys, diffkin.robot; sys.exit(any(name in sys.modules for name in ('yourdfpy', 'trimesh', 'lxml')))"
    assert run_code(code).returncode == 0


HALF = "0.7071067811865476"
QUATERNIONS = [
    ('version="1.1"', f'quat_xyzw="0 0 {HALF} {HALF}"'),
    ('version="1.2"', 'quat_xyzw="0.1 -0.2 0.3 0.9"'),
    ('version="1.1"', 'quat_xyzw="1e-200 0 0 1e-200"'),
    ('version="1.1"', 'rpy="0.3 0.4 0.5"'),
    ('version="1.0"', f'quat_xyzw="0 0 {HALF} {HALF}"'),
    ("", f'quat_xyzw="0 0 {HALF} {HALF}" rpy="0.1 0.2 0.3"'),
]


@pytest.mark.parametrize(("version", "turn"), QUATERNIONS)
def test_quaternions_count_from_version_1_1_on_as_pinocchio_has_it(version: str, turn: str) -> None:
    text = urdf(f'<origin xyz="1 2 3" {turn}/>' + LIMIT).replace("<robot", f"<robot {version}")
    pose = Robot.from_urdf(text).forward_kinematics([0.0])
    if "e-200" in turn:  # of which Pinocchio makes the identity
        expected = Rotation.from_euler("x", math.pi / 2).as_matrix()
    else:
        expected = pin.buildModelFromXML(text).jointPlacements[1].rotation
    assert np.abs(pose[:3, :3].numpy() - expected).max() < 1e-15
    assert pose[:3, 3].tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("turn", "said"),
    [
        ('quat_xyzw="0 0 0 1" rpy="0 0 0"', "both rpy and quat_xyzw"),
        ('quat_xyzw="0 0 0 0"', "zero"),
        ('quat_xyzw="0 0 1"', "3 numbers"),
        ('quat_xyzw="0 0 nan 1"', "finite"),
    ],
)
def test_quaternions_that_cannot_be(turn: str, said: str) -> None:
    with pytest.raises(ModelFileError, match=said):
        Robot.from_urdf(urdf(f"<origin {turn}/>" + LIMIT).replace("<robot", '<robot version="1.1"'))


@pytest.mark.parametrize(
    ("kind", "limit", "velocity", "effort"),
    [
        ("revolute", '<limit lower="-1" upper="1" velocity="2.5" effort="10"/>', 2.5, 10.0),
        ("prismatic", '<limit upper="1" velocity="0.5"/>', 0.5, math.inf),
        ("continuous", '<limit effort="3"/>', math.inf, 3.0),
        ("continuous", "", math.inf, math.inf),
        ("revolute", '<limit upper="1" velocity="inf" effort="+INF"/>', math.inf, math.inf),
    ],
)
def test_speeds_and_efforts(kind: str, limit: str, velocity: float, effort: float) -> None:
    robot = Robot.from_urdf(urdf(limit, kind))
    assert (robot.max_velocity.tolist(), robot.max_effort.tolist()) == ([velocity], [effort])


@pytest.mark.parametrize(
    ("limit", "said"), [('velocity="-1"', "below zero"), ('effort="nan"', "finite"), ('effort="a"', "no number")]
)
def test_speeds_and_efforts_that_cannot_be(limit: str, said: str) -> None:
    with pytest.raises(LimitsError, match=said):
        Robot.from_urdf(urdf(f'<limit upper="1" {limit}/>'))


def test_speeds_of_a_named_robot_as_pinocchio(panda: Robot) -> None:
    model = pin.buildModelFromUrdf(panda.source)
    places = [model.joints[model.getJointId(name)].idx_v for name in panda.joint_names]
    assert panda.max_velocity.tolist() == model.velocityLimit[places].tolist()
    assert panda.max_effort.tolist() == model.effortLimit[places].tolist()


@pytest.mark.parametrize("count", [20_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_very_many_joints(count: int) -> None:
    """A chain that long is read in seconds."""
    links = "".join(f'<link name="l{k}"/>' for k in range(count + 1))
    joints = "".join(
        f'<joint name="j{k}" type="{"continuous" if k < 3 else "fixed"}"><parent link="l{k}"/><child link="l{k + 1}"/>'
        '<origin xyz="0.001 0 0"/></joint>'
        for k in range(count)
    )
    start = time.process_time()
    robot = Robot.from_urdf(f'<robot name="long">{links}{joints}</robot>')
    assert time.process_time() - start < 60
    assert robot.dof == 3
    assert len(robot.link_names) == count + 1
    end = robot.forward_kinematics([0.0, 0.0, 0.0])
    assert end[0, 3].item() == pytest.approx(count * 0.001, rel=1e-9)
