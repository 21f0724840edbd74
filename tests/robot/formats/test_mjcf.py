"""MuJoCo models against MuJoCo's own kinematics."""

from __future__ import annotations

import builtins
import time
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffkin.errors import JointError, MissingDependencyError, ModelFileError
from diffkin.robot import Robot
from tests.fresh import run_code
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
    path = Path(pytest.importorskip("pybullet_data").getDataPath()) / "mjcf" / f"{name}.xml"
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
    with pytest.raises(JointError, match="'free' is not at the root.*tip='arm'"):
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
        Robot.from_mjcf(model('<body name="b"/>'))


@pytest.mark.parametrize("text", ["<mujoco/>", model(""), model('<site name="s"/><geom size="1"/>')])
def test_a_model_without_bodies_is_no_robot(text: str) -> None:
    with pytest.raises(ModelFileError, match="no <body>"):
        Robot.from_mjcf(text)


@pytest.mark.parametrize(
    ("before", "site"),
    [
        ("", '<site name="s" material="m"/>'),
        ('<default><site material="m"/></default>', '<site name="s"/>'),
        (
            '<default><default class="c"><site material="m" size="0.1"/></default></default>',
            '<site name="s" class="c"/>',
        ),
    ],
)
def test_sites_may_have_a_material(before: str, site: str) -> None:
    material = '<asset><texture name="t" type="2d" file="absent.png"/><material name="m" texture="t"/></asset>'
    robot = Robot.from_mjcf(model(f'<body name="b"><joint name="j"/>{SHAPE}{site}</body>', material, before))
    assert robot.link_names == ("world", "b", "s")


ARM = f"""<body name="arm"><joint name="x"/>{SHAPE}<body name="fore"><joint name="y" axis="1 0 0"/>{SHAPE}
<body name="hand" pos="0 0 1"><joint name="z" axis="0 1 0"/>{SHAPE}</body></body></body>"""
BESIDE = {
    "ball": f'<body name="head"><joint name="neck" type="ball"/>{SHAPE}</body>',
    "free object": f'<body name="cup"><freejoint name="loose"/>{SHAPE}</body>',
    "mocap body": f'<body name="target" mocap="true">{SHAPE}</body>',
    "soft": '<body name="cloth"><flexcomp name="f" type="grid" count="3 3 1" spacing="0.1 0.1 0.1" radius="0.01"/></body>',
}


@pytest.mark.parametrize("beside", BESIDE)
def test_what_is_not_on_the_way_does_not_matter(beside: str) -> None:
    text = model(ARM + BESIDE[beside])
    for base, tip in ((None, "hand"), ("arm", "hand"), ("arm", None)):
        robot = Robot.from_mjcf(text, base, tip)
        assert robot.tip == "hand"
        (q,) = robot.sample(1, seed=1)
        assert gap(robot, text, q) < 1e-14
    if beside in ("ball", "free object"):
        with pytest.raises(JointError, match="base='world', tip='hand' gives an arm"):
            Robot.from_mjcf(text)
        with pytest.raises(JointError):
            Robot.from_mjcf(text, tip="head" if beside == "ball" else "cup")


COUPLED = {
    "second order": ('<joint joint1="z" joint2="x" polycoef="0 1 0.5 0 0"/>', "", "polynomial"),
    "two drivers": ('<joint joint1="z" joint2="x"/><joint joint1="z" joint2="y"/>', "", "two equalities"),
    "tendon": (
        '<tendon tendon1="t"/>',
        '<tendon><fixed name="t"><joint joint="z" coef="1"/></fixed></tendon>',
        "through a tendon",
    ),
    "two tendons": (
        '<tendon tendon1="t" tendon2="u"/>',
        '<tendon><fixed name="u"><joint joint="z" coef="1"/></fixed><fixed name="t"><joint joint="z" coef="2"/></fixed>'
        "</tendon>",
        "through a tendon",
    ),
}


@pytest.mark.parametrize("coupling", COUPLED)
def test_couplings_matter_where_the_robot_has_the_joint(coupling: str) -> None:
    equality, after, said = COUPLED[coupling]
    text = model(ARM, f"{after}<equality>{equality}</equality>")
    for tip in (None, "hand"):
        with pytest.raises(JointError, match=f"'z'.*{said}|{said}.*'z'"):
            Robot.from_mjcf(text, tip=tip)
    assert Robot.from_mjcf(text, tip="fore").joint_names == ("x", "y")


def test_tendon_equalities_that_say_nothing() -> None:
    tendons = '<tendon><fixed name="t"><joint joint="z" coef="1"/></fixed></tendon>'
    for equality in ('<tendon tendon1="t" active="false"/>', ""):
        text = model(ARM, f"{tendons}<equality>{equality}</equality>")
        assert Robot.from_mjcf(text).joint_names == ("x", "y", "z")


def test_an_equality_of_tendons_along_sites_is_left_out_with_a_warning() -> None:
    sites = '<site name="s"/>'
    tendon = '<tendon><spatial name="rope"><site site="s"/><site site="end"/></spatial></tendon>'
    text = model(
        ARM + f'<body name="post" pos="1 0 0"><site name="end"/>{SHAPE}</body>',
        tendon + '<equality><tendon tendon1="rope"/></equality>',
    ).replace('<body name="fore">', f'{sites}<body name="fore">')
    with pytest.warns(UserWarning, match="'rope'.*leaves it out"):
        assert Robot.from_mjcf(text, tip="hand").dof == 3


@pytest.mark.parametrize(
    ("name", "text"),
    {
        "replicate": model('<replicate count="1000000000"><body/></replicate>'),
        "nested replicate": model('<replicate count="1000">' * 4 + "<body/>" + "</replicate>" * 4),
        "empty replicate": model('<replicate count="1000000000"/><body name="b"/>'),
        "many sites": model('<body name="b"><replicate count="100000"><site name="s"/></replicate></body>'),
        "flexcomp": model('<body name="b"><flexcomp name="f" type="grid" count="1000 1000 1000"/></body>'),
        "bodies": model("<body/>" * 100_000),
    }.items(),
)
def test_models_that_would_take_minutes_are_refused_at_once(name: str, text: str) -> None:
    start = time.process_time()
    with pytest.raises(ModelFileError, match="at most 6000"):
        Robot.from_mjcf(text)
    assert time.process_time() - start < 10, name


@pytest.mark.parametrize(
    "part",
    [
        '<size nkey="100000000"/>',
        '<size nuser_body="100000000" nuserdata="2000000000" memory="900G"/>',
        '<asset><hfield name="h" nrow="100000" ncol="100000" size="1 1 1 1"/></asset>',
        '<asset><texture name="t" type="2d" builtin="flat" width="100000" height="100000"/></asset>',
        '<custom><numeric name="n" size="1000000000"/></custom>',
        '<asset><mesh name="m" builtin="sphere" params="1000"/></asset>',
        '<sensor><user name="u" dim="1000000000"/></sensor>',
        '<visual><global offwidth="1000000" offheight="1000000"/></visual>',
    ],
)
def test_what_is_not_kinematics_costs_nothing(part: str) -> None:
    code = (
        "import resource, sys; import diffkin as dk; "
        "resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30,) * 2); "
        "print(dk.Robot.from_mjcf(sys.argv[1]).dof)"
    )
    text = model(ARM, part)
    done = run_code(code, text, timeout=240)
    assert done.stdout.strip() == "3", done.stderr


def test_joints_have_the_force_limits_of_mujoco() -> None:
    text = model(f'<body name="b"><joint name="j" actuatorfrcrange="-3 2"/>{SHAPE}</body>')
    robot = Robot.from_mjcf(text)
    assert (robot.max_effort.tolist(), robot.max_velocity.tolist()) == ([3.0], [np.inf])
    assert Robot.from_mjcf(model(ARM)).max_effort.tolist() == [np.inf] * 3


def test_files_include_files_from_the_folder_of_the_model(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "hand.xml").write_text(f'<mujoco><body name="hand"><joint name="k"/>{SHAPE}</body></mujoco>')
    (tmp_path / "arm.xml").write_text(
        f'<mujocoinclude><body name="b"><joint name="j"/>{SHAPE}<include file="parts/hand.xml"/></body></mujocoinclude>'
    )
    path = tmp_path / "scene.mjcf"
    path.write_text('<mujoco><worldbody><include file="arm.xml"/></worldbody></mujoco>')
    assert Robot.from_mjcf(path).joint_names == ("j", "k")
    with path.open() as file, pytest.raises(ModelFileError, match="Give the path"):
        Robot.from_mjcf(file)
    path.write_text('<mujoco><worldbody><include file="absent.xml"/></worldbody></mujoco>')
    with pytest.raises(ModelFileError, match=r"absent\.xml"):
        Robot.from_mjcf(path)
    path.write_text('<mujoco><worldbody><include file="arm.xml"/><include file="arm.xml"/></worldbody></mujoco>')
    with pytest.raises(ModelFileError, match="twice"):
        Robot.from_mjcf(path)
    (tmp_path / "arm.xml").write_text('<mujoco><include file="arm.xml"/></mujoco>')
    path.write_text('<mujoco><worldbody><include file="arm.xml"/></worldbody></mujoco>')
    with pytest.raises(ModelFileError, match="twice"):
        Robot.from_mjcf(path)


def test_models_attach_models(tmp_path: Path) -> None:
    (tmp_path / "hand.xml").write_text(
        '<mujoco model="hand"><asset><mesh name="m" file="absent.stl"/></asset><worldbody><body name="hand" pos="0 0 1">'
        f'<joint name="k"/>{SHAPE}<geom type="mesh" mesh="m" mass="0"/></body></worldbody></mujoco>'
    )
    path = tmp_path / "scene.xml"
    text = (
        '<mujoco><asset><model name="hand" file="hand.xml"/></asset><worldbody><body name="b"><joint name="j"/>'
        f"{SHAPE}{{}}</body></worldbody></mujoco>"
    )
    attach = '<attach model="hand" body="hand" prefix="{}_"/>'
    path.write_text(text.format(attach.format("left") + attach.format("right")))
    robot = Robot.from_mjcf(path)
    assert robot.joint_names == ("j", "left_k", "right_k")
    assert robot.link_names == ("world", "b", "left_hand", "right_hand")
    assert robot.mass.item() == pytest.approx(3.0)
    path.write_text(text.format(f'<replicate count="3000">{attach.format("x")}</replicate>'))
    with pytest.raises(ModelFileError, match="at most 6000"):
        Robot.from_mjcf(path)
    path.write_text(text.replace("hand.xml", "scene.xml").format(""))
    with pytest.raises(ModelFileError, match="attaches itself"):
        Robot.from_mjcf(path)


INERTIAL = '<inertial mass="2" pos="0.1 0.2 0.3" diaginertia="1 1 1"/>'
MASSES = [
    model(ARM),
    model(f'<body name="b"><joint/>{INERTIAL}<geom size="1"/></body>'),
    model(f'<body name="b"><joint/>{INERTIAL}<geom size="1"/></body>', before='<compiler inertiafromgeom="true"/>'),
    model(f'<body name="b"><joint/>{SHAPE}<geom type="capsule" fromto="0 0 0 1 2 3" size="0.1" density="500"/></body>'),
    model(
        f'<body name="b"><joint/>{SHAPE}<geom class="c"/></body>',
        before='<default><default class="c"><geom size="0.3" type="box"/></default></default>',
    ).replace('size="0.3"', 'size="0.3 0.2 0.1"'),
    model(ARM, before='<compiler settotalmass="12"/>'),
    model(
        f'<body name="b"><joint/>{SHAPE}<geom size="1" group="4"/></body>', before='<compiler inertiagrouprange="0 2"/>'
    ),
    model(f'<body name="b"><joint/>{SHAPE}</body>', before='<compiler boundmass="5"/>'),
]


@pytest.mark.parametrize("text", MASSES)
def test_masses_are_those_of_mujoco(text: str) -> None:
    robot = Robot.from_mjcf(text)
    own = mujoco.MjModel.from_xml_string(text)
    data = mujoco.MjData(own)
    assert robot.mass.item() == pytest.approx(float(own.body_mass[1:].sum()), rel=1e-14)
    for q in robot.sample(3, seed=1):
        data.qpos[:] = q.numpy()
        mujoco.mj_kinematics(own, data)
        mujoco.mj_comPos(own, data)
        assert np.abs(robot.center_of_mass(q).numpy() - data.subtree_com[0]).max() < 1e-12


@pytest.mark.parametrize("name", ["ant", "humanoid", "pusher"])
def test_masses_of_files_are_those_of_mujoco(name: str) -> None:
    path = Path(pytest.importorskip("pybullet_data").getDataPath()) / "mjcf" / f"{name}.xml"
    robot, own = Robot.from_mjcf(path), mujoco.MjModel.from_xml_path(str(path))
    masses = {own.body(index).name: own.body_mass[index] for index in range(1, own.nbody) if own.body(index).name}
    ours = dict(zip(robot.link_names, robot.link_masses.tolist()))
    shared = masses.keys() & ours.keys()
    assert len(shared) > 1
    assert {link: ours[link] for link in shared} == pytest.approx({link: masses[link] for link in shared}, rel=1e-14)


def test_a_mass_that_comes_of_a_mesh_is_not_known() -> None:
    mesh = '<asset><mesh name="m" file="absent.stl"/></asset>'
    shape = '<geom type="mesh" mesh="m"{}/>'
    body = '<body name="b"><joint name="j"/>{}</body>'
    unknown = Robot.from_mjcf(model(body.format(shape.format("")), mesh))
    with pytest.raises(ModelFileError, match="mass of link 'b'"):
        _ = unknown.mass
    for inside in (
        INERTIAL + shape.format(""),
        SHAPE + shape.format(' mass="0"'),
        SHAPE + shape.format(' density="0"'),
    ):
        known = Robot.from_mjcf(model(body.format(inside), mesh))
        assert known.mass.item() == (2.0 if inside.startswith(INERTIAL) else 1.0)


def test_numbers_that_say_nothing_of_kinematics_may_be_anything() -> None:
    inside = '<body name="a"><joint name="j" damping="inf" armature="nan"/>' + SHAPE + "</body>"
    assert Robot.from_mjcf(model(inside)).joint_names == ("j",)


@pytest.mark.parametrize(
    ("written", "lower", "upper"), [("-inf inf", -np.inf, np.inf), ("-1 inf", -1.0, np.inf), ("-inf 1", -np.inf, 1.0)]
)
def test_an_infinite_range_is_no_limit(written: str, lower: float, upper: float) -> None:
    inside = f'<body name="a"><joint name="j" range="{written}"/>{SHAPE}</body>'
    robot = Robot.from_mjcf(model(inside, before='<compiler angle="radian"/>'))
    assert (float(robot.lower), float(robot.upper)) == (lower, upper)
    for wrong in ("nan 1", "inf inf", "0 -inf"):
        with pytest.raises(ModelFileError):
            Robot.from_mjcf(model(inside.replace(written, wrong)))


def test_a_misspelt_default_is_refused_as_mujoco_does() -> None:
    with pytest.raises(ModelFileError, match="Joint"):
        Robot.from_mjcf(model(f"<body><joint/>{SHAPE}</body>", before='<default><Joint axis="0 1 0"/></default>'))
    with pytest.raises(ModelFileError, match="angles"):
        Robot.from_mjcf(model(f"<body><joint/>{SHAPE}</body>", before='<compiler angles="radian"/>'))
    before = '<default><position kp="1"/><joint axis="0 1 0"/></default>'
    assert Robot.from_mjcf(model(f"<body><joint/>{SHAPE}</body>", before=before)).tree.axes.tolist() == [
        [0.0, 1.0, 0.0]
    ]


def test_what_follows_a_locked_joint_is_locked() -> None:
    inside = "".join(f'<body name="{name}" pos="0 0 1"><joint name="{name}"/>{SHAPE}' for name in "abc") + "</body>" * 3
    xml = model(
        inside,
        "<equality>"
        '<joint joint1="c" joint2="b" polycoef="0.2 2 0 0 0"/><joint joint1="b" polycoef="0.3 1 0 0 0"/></equality>',
    )
    robot = Robot.from_mjcf(xml)
    assert robot.joint_names == ("a",)
    assert gap(robot, xml, torch.tensor([0.4], dtype=torch.float64), b=0.3, c=0.8) < 1e-12


@pytest.mark.parametrize("quat", ["1e-200 0 0 0", "1e-12 1e-12 0 0", "1 1e300 0 0"])
@pytest.mark.parametrize("what", ["body", "site"])
def test_a_quaternion_that_mujoco_cannot_normalise_is_refused(quat: str, what: str) -> None:
    turned = {"body": "", "site": ""} | {what: f'quat="{quat}"'}
    inside = f'<body name="a" {turned["body"]}><joint name="j"/>{SHAPE}<site name="s" {turned["site"]}/></body>'
    with pytest.raises(ModelFileError, match=f"the {what} .* which MuJoCo cannot normalise"):
        Robot.from_mjcf(model(inside))


def test_an_equality_of_a_tendon_that_is_not_there_is_refused() -> None:
    after = '<equality><tendon tendon1="nobody"/></equality>'
    with pytest.raises(ModelFileError, match="nobody"):
        Robot.from_mjcf(model(f"<body><joint/>{SHAPE}</body>", after))
