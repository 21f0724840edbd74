"""Bones and frames of joints, against forward kinematics of links and against lengths known by hand."""

import pytest
import torch

import diffkin as dk
from diffkin.robot.skeleton import bones_of, joint_poses, reach_of


def test_bones_join_the_frames_of_joints(mixed: dk.Robot) -> None:
    q = mixed.sample(4, seed=2)
    frames = joint_poses(mixed, q)
    assert frames.shape == (4, mixed.tree.joints + 1, 4, 4)
    bones = bones_of(mixed)
    assert {bone.toward for bone in bones} >= {0, 1, 2, 3, 4}
    for bone in bones:
        if bone.toward is not None and mixed.tree.kinds[bone.toward] == 0:
            end = frames[:, bone.joint + 1] @ torch.cat((bone.end, torch.ones(1, dtype=torch.float64)))
            torch.testing.assert_close(end[:, :3], frames[:, bone.toward + 1, :3, 3])


@pytest.mark.parametrize("name", ["kuka_iiwa", "franka_panda", "scara", "fixed_wing"])
def test_frames_of_joints_are_those_of_the_links_they_carry(name: str) -> None:
    robot = dk.load_robot(name)
    q = robot.sample(2, seed=1)
    base = robot.sample(1, seed=1)  # any pose will do
    base = dk.transforms.pose(dk.rotations.random_rotation(1, seed=3)[0], base[0, :3])
    frames = joint_poses(robot, q, base)
    poses = robot.link_poses(q, base=base)
    for link, joint, offset in zip(robot.link_names, robot.tree.link_joint, robot.tree.link_offsets):
        torch.testing.assert_close(frames[:, joint + 1] @ offset, poses[link])


def test_the_tip_has_a_bone_and_points_have_none() -> None:
    arm = dk.load_robot("planar_2r")
    assert [float(bone.end.norm()) for bone in bones_of(arm)] == pytest.approx([0.1, 0.5, 0.4])
    wrist = dk.Robot.from_dh([[0, 1.5, 0, 0], [0, -1.5, 0, 0], [0, 0, 0.1, 0]])
    assert [(bone.joint, bone.toward) for bone in bones_of(wrist)] == [(2, None)]
    nothing = dk.Robot.from_urdf('<robot name="r"><link name="a"/></robot>')
    assert bones_of(nothing) == ()
    assert joint_poses(nothing, torch.zeros(0, dtype=torch.float64)).shape == (1, 4, 4)


def test_reach_is_the_longest_way() -> None:
    assert reach_of(dk.load_robot("planar_3r")) == pytest.approx(
        sum(float(bone.end.norm()) for bone in bones_of(dk.load_robot("planar_3r")))
    )
    slide = dk.Robot.from_dh([[0.5, 0, 0.2, 0]], kinds="P", lower=[-0.4], upper=[0.1])
    assert reach_of(slide) == pytest.approx(0.4 + (0.5**2 + 0.2**2) ** 0.5)
    assert reach_of(dk.Robot.from_dh([[0.5, 0, 0, 0]], kinds="P")) == pytest.approx(0.5)  # without limits
    assert reach_of(dk.Robot.from_urdf('<robot name="r"><link name="a"/></robot>')) == 0.2
    for name in ("kuka_iiwa", "franka_panda", "scara"):
        robot = dk.load_robot(name)
        assert float(robot.forward_kinematics(robot.sample(500))[:, :3, 3].norm(dim=-1).max()) <= reach_of(robot)
