"""Starts that need no learning."""

import torch

import diffkin as dk
from diffkin.learning.inverse.baselines import NearestSample, best_by_pose, mid_range, pose_errors, uniform


def test_nearest_sample_is_the_nearest_of_all():
    robot = dk.load_robot("xarm6")
    nearest = NearestSample(robot, 500, seed=3)
    stored = robot.sample(500, seed=3)
    T, poses = robot.forward_kinematics(robot.sample(20, seed=4)), robot.forward_kinematics(stored)
    gap = poses[None] - T[:, None]
    distance = gap[..., :3, 3].square().sum(-1) + 0.09 * gap[..., :3, :3].square().sum((-1, -2))
    assert torch.equal(nearest(T), stored[distance.argmin(1)])
    assert torch.equal(nearest(T[:4].reshape(2, 2, 4, 4)), nearest(T[:4]).reshape(2, 2, 6))


def test_mid_range_and_uniform():
    robot = dk.load_robot("kuka_iiwa")
    T = robot.forward_kinematics(robot.sample(6)).reshape(2, 3, 4, 4)
    assert mid_range(robot, T).shape == (2, 3, 7)
    assert mid_range(robot, T).abs().max() < 1e-12  # its limits are symmetric
    q = uniform(robot, T, seed=5)
    assert q.shape == (2, 3, 7) and bool(((q >= robot.lower) & (q <= robot.upper)).all())


def test_best_by_pose_finds_the_solution_among_others():
    robot = dk.load_robot("kuka_iiwa")
    q = robot.sample(30).reshape(5, 6, 7)
    which = torch.tensor([0, 5, 2, 3, 1])
    T = robot.forward_kinematics(q[torch.arange(5), which])
    best = best_by_pose(robot, T, q)
    assert torch.equal(best, q[torch.arange(5), which])
    position, rotation = pose_errors(robot, T, best)
    assert position.max() < 1e-12 and rotation.max() < 1e-6
