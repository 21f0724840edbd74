"""The target in each joint's frame, against poses of links."""

import pytest
import torch

import diffkin as dk
from diffkin.learning.inverse.joint_order import JointOrder

MIMIC = """
<robot name="mimic">
  <link name="base"/><link name="a"/><link name="b"/><link name="c"/><link name="tip"/>
  <joint name="late" type="prismatic"><parent link="base"/><child link="a"/><origin xyz="0 0 0.1"/><axis xyz="1 0 0"/>
    <limit lower="-0.2" upper="0.3" effort="1" velocity="1"/></joint>
  <joint name="turn" type="revolute"><parent link="a"/><child link="b"/><origin xyz="0.2 0 0"/><axis xyz="0 1 0"/>
    <limit lower="-1" upper="2" effort="1" velocity="1"/></joint>
  <joint name="follow" type="revolute"><parent link="b"/><child link="c"/><origin xyz="0.3 0 0"/><axis xyz="0 1 0"/>
    <mimic joint="turn" multiplier="0.5" offset="0.1"/><limit lower="-9" upper="9" effort="1" velocity="1"/></joint>
  <joint name="spin" type="continuous"><parent link="c"/><child link="tip"/><origin xyz="0.1 0 0"/>
    <axis xyz="1 0 0"/></joint>
</robot>
"""


def order_of(robot):
    return JointOrder(robot), robot.sample(7, seed=1)


@pytest.mark.parametrize("name", ["kuka_iiwa", "franka_panda", "xarm6", "planar_3r", "scara"])
def test_the_target_seen_from_a_joint_is_seen_from_its_link_at_zero(name):
    robot = dk.load_robot(name)
    joints, q = order_of(robot)
    T = robot.forward_kinematics(robot.sample(7, seed=2))
    seen = joints.targets(q, T, joints.turns)
    assert joints.order == tuple(range(robot.dof))  # catalogue robots are in order of the chain
    for turn, coordinate in enumerate(joints.order):
        child = robot.link_names[robot.tree.link_joint.index(coordinate)]
        at_zero = q.clone()
        at_zero[:, coordinate] = 0.0
        pose = robot.forward_kinematics(at_zero, links=[child])[:, 0]
        in_link = torch.linalg.inv(robot.tree.link_offsets[robot.link_index(child)].expand(7, 4, 4))
        expected = torch.linalg.inv(pose @ in_link) @ T
        torch.testing.assert_close(seen[turn, :, :, 3].norm(dim=-1), expected[:, :3, 3].norm(dim=-1))
        axis = robot.tree.axes[coordinate]
        torch.testing.assert_close(seen[turn, :, 2, 3], expected[:, :3, 3] @ axis)  # height along the joint's axis
        torch.testing.assert_close(seen[turn, :, 2, :3], axis @ expected[:, :3, :3])


def test_later_joints_do_not_matter():
    robot = dk.load_robot("kuka_iiwa")
    joints, q = order_of(robot)
    T = robot.forward_kinematics(q)
    seen = joints.targets(q, T, joints.turns)
    for turn in joints.turns:
        other = q.clone()
        other[:, list(joints.order[turn:])] = robot.sample(7, seed=3)[:, list(joints.order[turn:])]
        torch.testing.assert_close(joints.targets(other, T, (turn,))[0], seen[turn])


def test_mimics_slides_and_endless_joints():
    robot = dk.Robot.from_urdf(MIMIC, tip="tip")
    joints = JointOrder(robot)
    names = [robot.joint_names[coordinate] for coordinate in joints.order]
    assert names == ["late", "turn", "spin"]
    assert [robot.joint_names[coordinate] for coordinate in joints.shared] == ["turn"]
