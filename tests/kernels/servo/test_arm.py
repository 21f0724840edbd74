"""The arm of the servo kernel: pose and error by Pinocchio, Jacobian by differences."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest

from diffkin.kernels.servo.arm import jacobian, pack_arm, residual, walk
from tests.kernels import ik_robots

ROBOTS = ["panda", "xarm6", "slides"]


def load(name):
    return ik_robots.random_chain(6, 3, slides=0.4) if name == "slides" else ik_robots.load(name)


def error(arm, q, target):
    frame, axes, out = np.empty(12), np.empty((len(arm.which), 6)), np.empty(6)
    walk(arm.reals, arm.which, q, frame, axes)
    residual(frame, target, out)
    return frame, axes, out


@pytest.mark.parametrize("name", ROBOTS)
def test_pose_and_error_against_pinocchio(name):
    robot = load(name)
    arm = pack_arm(robot.mechanism(), 0, robot.lower, robot.upper)
    q, targets = robot.sample(30, seed=1), robot.poses(robot.sample(30, seed=2))
    for values, target, pose in zip(q, targets, robot.poses(q), strict=True):
        frame, _, out = error(arm, values, target)
        np.testing.assert_allclose(frame[:9].reshape(3, 3).T, pose[:3, :3], atol=1e-13)
        np.testing.assert_allclose(frame[9:], pose[:3, 3], atol=1e-13)
        np.testing.assert_allclose(out[:3], target[:3, :3].T @ (pose[:3, 3] - target[:3, 3]), atol=1e-13)
        np.testing.assert_allclose(out[3:], pin.log3(target[:3, :3].T @ pose[:3, :3]), atol=1e-8)


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-5, 0.05, 0.2, 1.0, 3.0, np.pi - 1e-9])
def test_rotation_vectors_of_all_lengths(angle):
    target, out = np.eye(4), np.empty(6)
    for axis in (*np.eye(3), *-np.eye(3), np.array([0.6, -0.64, 0.48])):
        frame = np.concatenate([pin.exp3(angle * axis).T.reshape(-1), np.zeros(3)])
        residual(frame, target, out)
        np.testing.assert_allclose(out[3:], angle * axis, rtol=1e-12, atol=1e-15 if angle < 1.0 else 1e-13)


@pytest.mark.parametrize("name", ROBOTS)
@pytest.mark.parametrize("away", [1e-3, 0.3, None])
def test_jacobian_is_the_derivative_of_the_error(name, away):
    robot = load(name)
    arm = pack_arm(robot.mechanism(), 0, robot.lower, robot.upper)
    q = robot.sample(10, seed=1)
    targets = robot.poses(robot.sample(10, seed=2) if away is None else q + away)
    h = 1e-6
    for values, target in zip(q, targets, strict=True):
        frame, axes, out = error(arm, values, target)
        if np.linalg.norm(out[3:]) > 3.1:  # the vector jumps at half a turn
            continue
        columns = np.full((len(values), 6), np.nan)
        jacobian(arm.reals, arm.which, frame, axes, target, out, columns)
        for k in range(len(values)):
            step = np.zeros(len(values))
            step[k] = h
            slope = (error(arm, values + step, target)[2] - error(arm, values - step, target)[2]) / (2.0 * h)
            np.testing.assert_allclose(columns[k], slope, atol=2e-8)


def test_a_coordinate_that_moves_two_joints_or_none():
    robot = ik_robots.load("xarm6")
    mimic = {"coordinate": np.array([0, 1, 2, 1, 4, 5]), "multiplier": np.array([1.0, 1.0, 1.0, -0.5, 1.0, 1.0])}
    arm = pack_arm(robot.mechanism(**mimic), 0, robot.lower, robot.upper)
    q, target, h = robot.sample(1, seed=3)[0], robot.poses(robot.sample(1, seed=4))[0], 1e-6
    frame, axes, out = error(arm, q, target)
    columns = np.full((6, 6), np.nan)
    jacobian(arm.reals, arm.which, frame, axes, target, out, columns)
    step = np.array([0.0, h, 0.0, 0.0, 0.0, 0.0])
    slope = (error(arm, q + step, target)[2] - error(arm, q - step, target)[2]) / (2.0 * h)
    np.testing.assert_allclose(columns[1], slope, atol=2e-8)
    assert not columns[3].any()
