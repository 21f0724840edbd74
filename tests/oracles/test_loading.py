"""Loaded robots against Pinocchio, MuJoCo and PyBullet: every link's pose, the order of joints, their limits."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pinocchio as pin
import pybullet
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffkin.robot import Robot, load_robot, robot_names
from tests.oracles.poses import bullet_poses, mujoco_poses, pinocchio_poses
from tests.oracles.random_trees import joint_values, urdf_trees

EXAMPLES = Path(str(importlib.metadata.distribution("example-robot-data").locate_file("cmeel.prefix/share")))
EXAMPLE_FILES = sorted((EXAMPLES / "example-robot-data" / "robots").rglob("*.urdf"))
NOT_PROPER = {
    "ur3.urdf": "has no <link>",  # a xacro file under another name
    "alex_psyonic_hands.urdf": "which does not exist",  # a mimic without its source
}


def own_poses(robot: Robot, q: torch.Tensor) -> dict[str, np.ndarray]:
    """Poses of all links by diffkin."""
    return dict(zip(robot.link_names, robot.forward_kinematics(q, links=robot.link_names).numpy()))


def gap(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> float:
    """Largest difference of any number of any pose of ours."""
    return max(float(np.abs(pose - theirs[link]).max()) for link, pose in ours.items())


def text_of(robot: Robot) -> str:
    return Path(robot.source).read_text()


@pytest.fixture(params=robot_names())
def named(request: pytest.FixtureRequest) -> tuple[Robot, Robot]:
    """A named robot, and the whole tree of the same file."""
    robot = load_robot(request.param)
    return robot, Robot.from_urdf(robot.source)


def test_named_robots_agree_with_pinocchio(named: tuple[Robot, Robot]) -> None:
    for robot in named:
        for q in robot.sample(5, seed=1):
            rest = dict.fromkeys(named[1].joint_names, 0.0)
            values = joint_values(text_of(robot), rest | dict(zip(robot.joint_names, q.tolist())))
            assert gap(own_poses(robot, q), pinocchio_poses(text_of(robot), values)) < 1e-13


def test_named_robots_agree_with_bullet(named: tuple[Robot, Robot]) -> None:
    for robot in named:
        for q in robot.sample(3, seed=2):
            rest = dict.fromkeys(named[1].joint_names, 0.0)
            values = joint_values(text_of(robot), rest | dict(zip(robot.joint_names, q.tolist())))
            assert gap(own_poses(robot, q), bullet_poses(robot.source, values)) < 1e-12


def test_named_robots_have_the_limits_of_pinocchio(named: tuple[Robot, Robot]) -> None:
    robot, _ = named
    model = pin.buildModelFromXML(text_of(robot))
    for name, lower, upper in zip(robot.joint_names, robot.lower.tolist(), robot.upper.tolist()):
        place = model.joints[model.getJointId(name)].idx_q
        assert (lower, upper) == (model.lowerPositionLimit[place], model.upperPositionLimit[place])


@pytest.mark.parametrize("name", ["kuka_iiwa", "franka_panda", "xarm6", "scara"])
def test_named_robots_agree_with_mujoco(name: str) -> None:
    robot = load_robot(name)
    tree = ElementTree.fromstring(text_of(robot))
    for link in tree.findall("link"):  # MuJoCo would want the meshes
        for part in (*link.findall("visual"), *link.findall("collision")):
            link.remove(part)
        for inertial in link.findall("inertial"):
            link.remove(inertial)
        ElementTree.SubElement(link, "inertial").extend(
            [
                ElementTree.Element("mass", value="1"),
                ElementTree.Element("inertia", ixx="1", ixy="0", ixz="0", iyy="1", iyz="0", izz="1"),
            ]
        )
    ElementTree.SubElement(ElementTree.SubElement(tree, "mujoco"), "compiler", fusestatic="false")
    xml = ElementTree.tostring(tree, encoding="unicode")
    for q in robot.sample(5, seed=3):
        theirs = mujoco_poses(xml, dict(zip(robot.joint_names, q.tolist())))
        theirs[robot.base] = theirs["world"]
        assert gap(own_poses(robot, q), theirs) < 1e-12


@settings(max_examples=60, deadline=None)
@given(urdf_trees(), st.integers(0, 2**31))
def test_random_trees_agree_with_pinocchio_and_mujoco(xml: str, seed: int) -> None:
    robot = Robot.from_urdf(xml)
    (q,) = robot.sample(1, seed=seed)
    values = joint_values(xml, dict(zip(robot.joint_names, q.tolist())))
    ours = own_poses(robot, q)
    assert set(ours) == {link.get("name") for link in ElementTree.fromstring(xml).findall("link")}
    assert gap(ours, pinocchio_poses(xml, values)) < 1e-12
    theirs = mujoco_poses(xml, values)
    theirs["link0"] = theirs["world"]
    assert gap(ours, theirs) < 1e-12


@settings(max_examples=25, deadline=None)
@given(urdf_trees(max_joints=6, unit_axes=True), st.integers(0, 2**31))
def test_random_trees_agree_with_bullet(tmp_path_factory: pytest.TempPathFactory, xml: str, seed: int) -> None:
    path = tmp_path_factory.mktemp("tree") / "tree.urdf"
    path.write_text(xml)
    robot = load_robot(path)
    (q,) = robot.sample(1, seed=seed)
    values = joint_values(xml, dict(zip(robot.joint_names, q.tolist())))
    assert gap(own_poses(robot, q), bullet_poses(path, values)) < 1e-12


@settings(max_examples=40, deadline=None)
@given(urdf_trees(), st.data())
def test_any_chain_of_a_random_tree_is_the_tree_seen_from_its_base(xml: str, data: st.DataObject) -> None:
    tree = Robot.from_urdf(xml)
    joints = ElementTree.fromstring(xml).findall("joint")
    parent = {joint.find("child").get("link"): joint.find("parent").get("link") for joint in joints}
    tip = data.draw(st.sampled_from(tree.link_names))
    above = [tip]
    while above[-1] in parent:
        above.append(parent[above[-1]])
    base = data.draw(st.sampled_from(above))
    chain = Robot.from_urdf(xml, base=base, tip=tip)
    assert set(chain.link_names) == set(above[: above.index(base) + 1])
    (q,) = tree.sample(1, seed=4)
    values = dict(zip(tree.joint_names, q))
    part = torch.stack([values[name] for name in chain.joint_names]) if chain.dof else q[:0]
    whole = pinocchio_poses(xml, joint_values(xml, {name: float(value) for name, value in values.items()}))
    relative = {link: np.linalg.inv(whole[base]) @ pose for link, pose in whole.items()}
    assert gap(own_poses(chain, part), relative) < 1e-12


@settings(max_examples=30, deadline=None)
@given(urdf_trees(max_joints=6, mimics=False))
def test_joints_come_in_the_order_of_bullet(tmp_path_factory: pytest.TempPathFactory, xml: str) -> None:
    path = tmp_path_factory.mktemp("tree") / "tree.urdf"
    path.write_text(xml)
    robot = Robot.from_urdf(path)
    client = pybullet.connect(pybullet.DIRECT)
    try:
        body = pybullet.loadURDF(str(path), physicsClientId=client)
        infos = [pybullet.getJointInfo(body, joint, client) for joint in range(pybullet.getNumJoints(body, client))]
        theirs = [info[1].decode() for info in infos if info[2] != pybullet.JOINT_FIXED]
    finally:
        pybullet.disconnect(client)
    assert list(robot.joint_names) == theirs


@pytest.mark.parametrize("path", EXAMPLE_FILES, ids=lambda path: path.stem)
def test_every_example_robot_loads_and_agrees_with_pinocchio(path: Path) -> None:
    if path.name in NOT_PROPER:
        with pytest.raises(ValueError, match=NOT_PROPER[path.name]):
            load_robot(path)
        return
    robot = load_robot(path)
    (q,) = robot.sample(1, seed=5)
    xml = path.read_text()
    values = joint_values(xml, dict(zip(robot.joint_names, q.tolist())))
    assert gap(own_poses(robot, q), pinocchio_poses(xml, values)) < 1e-12
