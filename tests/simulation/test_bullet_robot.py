"""Robots in PyBullet: the same joints, links and frames, mimic joints and base poses included."""

from pathlib import Path

import pytest
import torch

import diffkin as dk
from diffkin import transforms
from diffkin.errors import ShapeError, UnknownNameError
from diffkin.simulation import bullet_robot, library, world

pytestmark = pytest.mark.skipif(not library.is_installed(), reason="needs pybullet")

# Inertial frames turned against their links, axes not of unit length, a mimic joint behind its source.
TURNED = """
<robot name="turned">
  <link name="a"><inertial><origin xyz="0.1 0.2 0.3" rpy="0.4 0.1 -0.3"/><mass value="1"/>
    <inertia ixx="0.1" ixy="0.01" ixz="0.02" iyy="0.2" iyz="-0.01" izz="0.25"/></inertial></link>
  <link name="b"><inertial><origin xyz="0.1 0.2 -0.3" rpy="1.4 0.1 -0.3"/><mass value="1"/>
    <inertia ixx="0.1" ixy="0.01" ixz="0.02" iyy="0.2" iyz="-0.01" izz="0.25"/></inertial></link>
  <link name="c"><inertial><origin xyz="-0.1 0.2 0.3" rpy="0.4 0.6 -0.3"/><mass value="1"/>
    <inertia ixx="0.1" ixy="0.01" ixz="0.02" iyy="0.2" iyz="-0.01" izz="0.25"/></inertial></link>
  <link name="d"><inertial><origin xyz="0.05 0 0.1" rpy="0.1 0.2 0.3"/><mass value="1"/>
    <inertia ixx="0.1" ixy="0.01" ixz="0" iyy="0.2" iyz="0" izz="0.25"/></inertial></link>
  <joint name="j1" type="revolute"><parent link="a"/><child link="b"/><origin xyz="0.3 0.1 0.2" rpy="0.2 0.5 0.7"/>
    <axis xyz="0.3 0.5 0.8"/><limit lower="-1" upper="1" effort="50" velocity="1"/></joint>
  <joint name="j2" type="prismatic"><parent link="b"/><child link="c"/><origin xyz="0.3 0.1 0.2" rpy="0.2 0.5 0.7"/>
    <axis xyz="-0.6 1.0 1.6"/><limit lower="-1" upper="1" effort="50" velocity="1"/></joint>
  <joint name="j3" type="revolute"><parent link="c"/><child link="d"/><origin xyz="0 0.1 0.2" rpy="0.9 0 0.7"/>
    <axis xyz="0 1 0.2"/><limit lower="-1" upper="1" effort="50" velocity="1"/>
    <mimic joint="j1" multiplier="-0.5" offset="0.2"/></joint>
</robot>
"""


def robots() -> list:
    return [
        *(pytest.param(dk.load_robot(name), id=name) for name in dk.robot_names()),
        pytest.param(dk.load_robot("kuka_iiwa", "lbr_iiwa_link_2", "lbr_iiwa_link_5"), id="part of an arm"),
        pytest.param(dk.load_robot("franka_panda", tip="panda_rightfinger"), id="mimic whose source is off the way"),
        pytest.param(dk.Robot.from_urdf(TURNED), id="turned inertial frames, from text"),
    ]


@pytest.mark.parametrize("robot", robots())
@pytest.mark.parametrize("moved", [False, True])
def test_every_link_and_jacobian_agrees(robot: dk.Robot, moved: bool) -> None:
    tangent = torch.tensor([0.3, -0.2, 0.5, 0.4, -0.7, 0.6], dtype=torch.float64)
    placed = transforms.exp(tangent) if moved else None
    point = torch.tensor([0.1, -0.2, 0.3], dtype=torch.float64)
    with world.open_world() as client:
        arm = bullet_robot.load(client, robot, placed)
        for q in robot.sample(4, seed=7):
            arm.reset(q)
            torch.testing.assert_close(arm.coordinates(), q, rtol=0, atol=1e-12)
            base = arm.base_pose()
            ours = robot.forward_kinematics(q, links=robot.link_names, base=base)
            theirs = torch.stack([arm.link_pose(link) for link in robot.link_names])
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
            for link in robot.link_names:
                if arm.links[link] >= 0:
                    for at in (None, point):
                        expected = arm.jacobian(q, link, at)
                        got = robot.jacobian(q, link, at, base=base)
                        torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)
        root = next(link for link, index in arm.links.items() if index < 0)
        expected = torch.eye(4, dtype=torch.float64) if placed is None else placed
        torch.testing.assert_close(arm.link_pose(root), expected, rtol=0, atol=1e-12)


def test_link_frame_of_getlinkstate_agrees() -> None:
    """Bullet's own link frame, entry 4 of getLinkState, which it gives in single precision."""
    p = library.bullet()
    robot = dk.load_robot("kuka_iiwa")
    q = robot.sample(1, seed=1)[0]
    with world.open_world() as client:
        arm = bullet_robot.load(client, robot)
        arm.reset(q)
        for link, pose in zip(robot.link_names[1:], robot.forward_kinematics(q, links=robot.link_names[1:])):
            state = p.getLinkState(arm.body, arm.links[link], computeForwardKinematics=True, physicsClientId=client)
            theirs = bullet_robot.to_pose(state[4], state[5])
            torch.testing.assert_close(pose, theirs, rtol=0, atol=3e-7)


def test_jacobian_agrees_with_finite_differences_through_bullet() -> None:
    robot = dk.load_robot("xarm6")
    q = robot.sample(1, seed=2)[0]
    step = 1e-6
    with world.open_world() as client:
        arm = bullet_robot.load(client, robot)
        columns = []
        for k in range(robot.dof):
            ends = []
            for sign in (1.0, -1.0):
                moved = q.clone()
                moved[k] += sign * step
                arm.reset(moved)
                ends.append(arm.link_pose("link6")[:3, 3])
            columns.append((ends[0] - ends[1]) / (2 * step))
    torch.testing.assert_close(robot.jacobian(q)[:3], torch.stack(columns, -1), rtol=0, atol=1e-8)


def test_meshes_that_are_not_there_become_simple_shapes() -> None:
    text = Path(dk.load_robot("kuka_iiwa").source).read_text(encoding="utf-8")
    robot = dk.Robot.from_urdf(text, tip="lbr_iiwa_link_7")  # as text, its meshes cannot be found
    with world.open_world() as client:
        arm = bullet_robot.load(client, robot)
        q = robot.sample(1, seed=3)[0]
        arm.reset(q)
        torch.testing.assert_close(arm.link_pose(robot.tip), robot.forward_kinematics(q), rtol=0, atol=1e-12)
        kinds = {shape[2] for shape in library.bullet().getVisualShapeData(arm.body, physicsClientId=client)}
    assert kinds == {library.bullet().GEOM_CYLINDER}


def test_robots_of_no_file_and_changed_ones_are_loaded_as_they_are() -> None:
    rows = [[0.3, 1.2, 0.1, 0.2], [0.2, -0.7, 0.0, 0.5], [0.1, 0.3, 0.2, 0.0]]
    iiwa = dk.load_robot("kuka_iiwa")
    shift = torch.eye(4, dtype=torch.float64)
    shift[:3, 3] = torch.tensor([0.01, -0.02, 0.03])
    robots = [
        dk.Robot.from_dh(rows, kinds="RPR", lower=[-1, 0, -1], upper=[1, 0.3, 1]),
        dk.Robot.from_mjcf(
            "<mujoco><worldbody><body pos='0 0 1'><joint axis='0 1 0' pos='0.1 0 0'/><geom size='0.1'/>"
            "<body name='b' pos='0 0.4 0'><joint axis='1 0 1'/><geom size='0.1'/></body></body></worldbody></mujoco>"
        ),
        iiwa.replace(origins=iiwa.tree.origins @ shift),
        iiwa.with_frame("tcp", "lbr_iiwa_link_7", shift, tip=True),
    ]
    for robot in robots:
        q = robot.sample(3, seed=1)
        with world.open_world() as client:
            arm = bullet_robot.load(client, robot)
            for each in q:
                arm.reset(each)
                for link, pose in robot.link_poses(each).items():
                    torch.testing.assert_close(arm.link_pose(link), pose, rtol=0, atol=1e-9)


def test_a_robot_as_in_its_file_is_loaded_from_it() -> None:
    arm = dk.load_robot("franka_panda")
    for robot in (arm, arm.to(torch.float32), dk.Robot.from_urdf(arm.source).replace(tip="panda_link4")):
        with bullet_robot.urdf_file(robot) as path:
            assert path == arm.source
    with bullet_robot.urdf_file(arm.replace(joint_names=tuple(f"j{k}" for k in range(7)))) as path:
        assert path != arm.source


def test_what_bullet_cannot_load_is_said() -> None:
    with world.open_world() as client:
        robot = dk.load_robot("planar_2r")
        with pytest.raises(ShapeError, match=r"\(4, 4\)"):
            bullet_robot.load(client, robot, torch.eye(4).expand(2, 4, 4))
        arm = bullet_robot.load(client, robot)
        with pytest.raises(ShapeError, match="one configuration"):
            arm.reset(torch.zeros(2, 2))
        with pytest.raises(UnknownNameError, match="tool"):
            arm.link_pose("tol")
