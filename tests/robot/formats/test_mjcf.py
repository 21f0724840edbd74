"""MuJoCo models against MuJoCo's own kinematics."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pybullet_data
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffkin.errors import JointError, MissingDependencyError, ModelFileError
from diffkin.robot import Robot
from tests.oracles.poses import mujoco_poses

SHAPE = '<geom size="0.1" mass="1"/>'


def model(body: str, after: str = "", before: str = "") -> str:
    return f'<mujoco model="m">{before}<worldbody>{body}</worldbody>{after}</mujoco>'


def gap(robot: Robot, xml: str, q: torch.Tensor, **others: float) -> float:
    """Largest difference of any number of any link's pose, with more joints set in MuJoCo by name."""
    theirs = mujoco_poses(xml, dict(zip(robot.joint_names, q.tolist())) | others)
    poses = robot.forward_kinematics(q, links=robot.link_names).numpy()
    relative = np.linalg.inv(theirs[robot.base])
    return max(float(np.abs(pose - relative @ theirs[link]).max()) for link, pose in zip(robot.link_names, poses))


_NUMBER = st.integers(-1000, 1000).map(lambda count: count / 1000)
_AXIS = st.tuples(_NUMBER, _NUMBER, _NUMBER).filter(lambda axis: sum(number**2 for number in axis) > 0.01)


def words(numbers: tuple[float, ...]) -> str:
    return " ".join(map(repr, numbers))


@st.composite
def models(draw: st.DrawFn) -> str:
    """A random tree of bodies with up to three hinges and slides each, anchors, references and a site."""
    count, joints = draw(st.integers(1, 5)), 0
    inside = [""] * (count + 1)
    parents = [0, *(draw(st.integers(0, body - 1)) for body in range(1, count + 1))]
    for body in range(count, 0, -1):
        lines = []
        for _ in range(draw(st.integers(0, 3))):
            joints += 1
            kind, limited = draw(st.sampled_from(["hinge", "slide"])), draw(st.booleans())
            anchor = draw(st.sampled_from([(0.0, 0.0, 0.0), draw(st.tuples(_NUMBER, _NUMBER, _NUMBER))]))
            lines.append(
                f'<joint name="joint{joints}" type="{kind}" axis="{words(draw(_AXIS))}" pos="{words(anchor)}" '
                f'ref="{draw(_NUMBER)}" armature="1" limited="{str(limited).lower()}" range="-0.5 1.25"/>'
            )
        pos, euler = draw(st.tuples(_NUMBER, _NUMBER, _NUMBER)), draw(st.tuples(_NUMBER, _NUMBER, _NUMBER))
        site = f'<site name="site{body}" pos="{words(euler)}" euler="{words(pos)}"/>' if draw(st.booleans()) else ""
        inside[parents[body]] += (
            f'<body name="body{body}" pos="{words(pos)}" euler="{words(euler)}">{"".join(lines)}{SHAPE}{site}'
            f"{inside[body]}</body>"
        )
    return model(inside[0], before='<compiler angle="radian"/>')


@settings(max_examples=80, deadline=None)
@given(models(), st.integers(0, 1000))
def test_random_models_agree_with_mujoco(xml: str, seed: int) -> None:
    robot = Robot.from_mjcf(xml)
    (q,) = robot.sample(1, seed=seed)
    assert gap(robot, xml, q) < 1e-13
    own = mujoco.MjModel.from_xml_string(xml)
    named = {own.joint(index).name: index for index in range(own.njnt)}
    assert list(robot.joint_names) == list(named)
    for name, lower, upper in zip(robot.joint_names, robot.lower.tolist(), robot.upper.tolist()):
        limited = own.jnt_limited[named[name]]
        assert (lower, upper) == (tuple(own.jnt_range[named[name]]) if limited else (-np.inf, np.inf))


@pytest.mark.parametrize("name", ["ant", "humanoid", "inverted_double_pendulum", "pusher", "reacher"])
def test_files_agree_with_mujoco(name: str) -> None:
    path = Path(pybullet_data.getDataPath()) / "mjcf" / f"{name}.xml"
    robot = Robot.from_mjcf(path)
    own = mujoco.MjModel.from_xml_path(str(path))
    data = mujoco.MjData(own)
    (q,) = robot.sample(1, seed=1)
    for joint, value in zip(robot.joint_names, q.tolist()):
        data.qpos[own.joint(joint).qposadr[0]] = value
    mujoco.mj_kinematics(own, data)
    named = {own.body(index).name: index for index in range(own.nbody) if own.body(index).name in robot.link_names}
    assert len(named) > 1
    poses = robot.forward_kinematics(q, links=list(named)).numpy()
    for pose, index in zip(poses, named.values()):
        assert np.abs(pose[:3, 3] - data.xpos[index]).max() < 1e-12
        assert np.abs(pose[:3, :3] - data.xmat[index].reshape(3, 3)).max() < 1e-12
    assert robot.source == str(path)


def test_degrees_and_defaults() -> None:
    xml = model(
        f'<body name="b" euler="0 90 0"><joint name="j" class="c" range="-90 180" axis="0 0 2"/>{SHAPE}</body>',
        before='<compiler angle="degree"/><default><default class="c"><joint pos="1 0 0"/></default></default>',
    )
    robot = Robot.from_mjcf(xml)
    assert [robot.lower.item(), robot.upper.item()] == pytest.approx([-np.pi / 2, np.pi], abs=1e-15)
    assert gap(robot, xml, torch.tensor([0.7], dtype=torch.float64)) < 1e-14


def test_hidden_links_are_not_listed() -> None:
    xml = model(
        f'<body name="b"><joint name="x" axis="1 0 0"/><joint name="y" axis="0 1 0" pos="0 0 1"/>{SHAPE}</body>'
    )
    robot = Robot.from_mjcf(xml)
    assert robot.link_names == ("world", "b")
    assert (robot.joint_names, robot.tip) == (("x", "y"), "b")


def test_bodies_and_joints_without_names() -> None:
    robot = Robot.from_mjcf(
        model(f'<body><joint/>{SHAPE}<body name="body2"><joint name="joint0"/>{SHAPE}</body></body>')
    )
    assert robot.link_names == ("world", "body1", "body2")
    assert robot.joint_names == ("joint0_2", "joint0")


@pytest.mark.parametrize("root", ["<freejoint/>", '<joint type="free"/>', '<joint type="ball"/>'])
def test_a_free_or_ball_joint_at_the_root_is_the_base_pose(root: str) -> None:
    xml = model(f'<body name="torso" pos="1 2 3">{root}{SHAPE}<body name="leg"><joint name="j"/>{SHAPE}</body></body>')
    robot = Robot.from_mjcf(xml)
    assert (robot.base, robot.link_names, robot.joint_names) == ("torso", ("torso", "leg"), ("j",))
    assert gap(robot, xml, torch.tensor([0.7], dtype=torch.float64)) < 1e-14


def test_a_ball_joint_elsewhere_is_refused() -> None:
    inner = f'<body name="hand"><joint name="wrist" type="ball"/>{SHAPE}</body>'
    for body in (f'<body name="arm"><joint/>{SHAPE}{inner}</body>', inner + f'<body name="other">{SHAPE}</body>'):
        with pytest.raises(JointError, match="ball joint 'wrist' of body 'hand'"):
            Robot.from_mjcf(model(body))


def test_a_free_body_beside_the_robot_is_refused_with_a_way_out() -> None:
    xml = model(
        f'<body name="ball"><freejoint name="free"/>{SHAPE}</body><body name="arm"><joint name="j"/>{SHAPE}</body>'
    )
    with pytest.raises(JointError, match="'free' is not at the root"):
        Robot.from_mjcf(xml)
    assert Robot.from_mjcf(xml, tip="arm").joint_names == ("j",)


TWO = f"""
<body name="a"><joint name="x" axis="0 0 1" ref="0.3"/>{SHAPE}
<body name="b" pos="1 0 0"><joint name="y" axis="0 1 0" ref="-0.2"/>{SHAPE}</body></body>"""
RADIAN = '<compiler angle="radian"/>'


def test_joint_equalities_become_mimics() -> None:
    coupling = '<equality><joint joint1="y" joint2="x" polycoef="0.1 -2 0 0 0"/></equality>'
    robot = Robot.from_mjcf(model(TWO, coupling, RADIAN))
    assert robot.joint_names == ("x",)
    # MuJoCo's manual: y - y0 = a0 + a1 (x - x0), with the values at the reference pose.
    for x in (0.3, 0.7, -1.1):
        y = -0.2 + 0.1 - 2 * (x - 0.3)
        assert gap(robot, model(TWO, coupling, RADIAN), torch.tensor([x], dtype=torch.float64), y=y) < 1e-14


def test_an_equality_without_a_second_joint_locks_the_first() -> None:
    coupling = '<equality><joint joint1="y" polycoef="0.4 0 0 0 0"/></equality>'
    robot = Robot.from_mjcf(model(TWO, coupling, RADIAN))
    assert robot.joint_names == ("x",)
    assert gap(robot, model(TWO, coupling, RADIAN), torch.tensor([0.5], dtype=torch.float64), y=0.2) < 1e-14


def test_equalities_that_are_no_mimics() -> None:
    for ignored in ('<joint joint1="y" joint2="x" active="false"/>', '<connect body1="a" body2="b" anchor="0 0 0"/>'):
        assert Robot.from_mjcf(model(TWO, f"<equality>{ignored}</equality>")).joint_names == ("x", "y")
    with pytest.raises(JointError, match="'y' follows 'x' by a polynomial"):
        Robot.from_mjcf(model(TWO, '<equality><joint joint1="y" joint2="x" polycoef="0 1 0.5 0 0"/></equality>'))
    with pytest.raises(JointError, match="two equalities drive joint 'y'"):
        Robot.from_mjcf(model(TWO, '<equality><joint joint1="y" joint2="x"/><joint joint1="y"/></equality>'))
    circle = '<equality><joint joint1="y" joint2="x"/><joint joint1="x" joint2="y"/></equality>'
    with pytest.raises(JointError, match="circle"):
        Robot.from_mjcf(model(TWO, circle))


def test_meshes_and_all_else_need_not_exist() -> None:
    xml = model(
        '<body name="b"><joint name="j"/><geom name="g" type="mesh" mesh="m"/><site name="s"/><camera/><light/></body>',
        '<contact><exclude body1="world" body2="b"/></contact><tendon><spatial name="t"><site site="s"/>'
        '<site site="s2"/></spatial><fixed name="f"><joint joint="j" coef="1"/></fixed></tendon>'
        '<actuator><motor joint="j"/></actuator><sensor><jointpos joint="j"/></sensor>'
        '<keyframe><key qpos="0.5" ctrl="1"/></keyframe>',
        '<asset><mesh name="m" file="absent.stl"/><texture name="t" type="2d" file="absent.png"/>'
        '<material name="w" texture="t"/></asset>',
    ).replace("<worldbody>", '<worldbody><site name="s2"/>')
    robot = Robot.from_mjcf(xml)
    assert (robot.joint_names, robot.link_names) == (("j",), ("world", "b", "s"))


@pytest.mark.parametrize(
    ("body", "error", "said"),
    [
        ('<body pos="0 nan 0"><joint/></body>', ModelFileError, "line 1: pos of <body>.*finite"),
        ('<body><joint axis="0 0 inf"/></body>', ModelFileError, "axis of <joint>.*finite"),
        ('<body><joint axis="0 0 0"/></body>', ModelFileError, "axis"),
        ('<body><joint limited="true" range="2 1"/></body>', ModelFileError, "range"),
        ('<body><joint name="j"/><joint name="j"/></body>', ModelFileError, "repeated name 'j'"),
        ('<body name="b"/><body name="b"/>', ModelFileError, "repeated name 'b'"),
        ('<body><joint type="screw"/></body>', ModelFileError, "screw"),
        ("<joint/>", ModelFileError, "joint"),
        ('<include file="other.xml"/>', ModelFileError, "includes another file"),
    ],
)
def test_models_that_cannot_be(body: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Robot.from_mjcf(model(body))


def test_a_file_may_include_another(tmp_path: Path) -> None:
    (tmp_path / "arm.xml").write_text(
        f'<mujoco><worldbody><body name="b"><joint name="j"/>{SHAPE}</body></worldbody></mujoco>'
    )
    path = tmp_path / "scene.xml"
    path.write_text('<mujoco><include file="arm.xml"/></mujoco>')
    assert Robot.from_mjcf(path).joint_names == ("j",)


def test_without_mujoco_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "mujoco":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match="pip install mujoco"):
        Robot.from_mjcf(model(""))
