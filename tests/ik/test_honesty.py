"""No success by rounding, and problems that are linear are solved however far away: judged in extended precision."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import diffkin as dk
from tests.ik.arms import CONTINUOUS, FOLLOWS, arm

WIDE = 'type="revolute"/<limit lower="-{0}" upper="{0}" effort="1" velocity="1"/>'
RAIL = 'type="prismatic"/<limit lower="-{0}" upper="{0}" effort="1" velocity="1"/>'
SOLVERS = ("levenberg_marquardt", "gauss_newton", "gradient_descent", "adam", "lbfgs")
wide = np.longdouble


def extended_poses(robot: dk.Robot, q: torch.Tensor) -> np.ndarray:
    """Poses of the tip (n, 4, 4) by the textbook formula (Rodrigues), in numbers of 64 bits of mantissa."""
    tree, link = robot.tree, robot.link_index(None)
    values = q.double().numpy().astype(wide)
    poses = np.broadcast_to(np.eye(4, dtype=wide), (len(q), 4, 4))
    for joint in tree.path(tree.link_joint[link]):
        value = wide(tree.multiplier[joint]) * values[:, tree.coordinate[joint]] + wide(tree.offset[joint])
        axis = tree.axes[joint].double().numpy().astype(wide)
        motion = np.broadcast_to(np.eye(4, dtype=wide), (len(q), 4, 4)).copy()
        if tree.kinds[joint] == dk.kinematics.REVOLUTE:
            hat = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]], dtype=wide)
            sine, versine = np.sin(value)[:, None, None], (1 - np.cos(value))[:, None, None]
            motion[:, :3, :3] += sine * hat + versine * (hat @ hat)
        else:
            motion[:, :3, 3] = value[:, None] * axis
        poses = poses @ tree.origins[joint].double().numpy().astype(wide) @ motion
    return poses @ tree.link_offsets[link].double().numpy().astype(wide)


def extended_errors(robot: dk.Robot, q: torch.Tensor, T: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    poses, target = extended_poses(robot, q), T.double().numpy().astype(wide)
    for _ in range(3):  # the rotation that a rounded target stands for
        R = target[:, :3, :3]
        target[:, :3, :3] = 0.5 * R @ (3 * np.eye(3) - R.transpose(0, 2, 1) @ R)
    gap = target[:, :3, :3].transpose(0, 2, 1) @ poses[:, :3, :3]
    sine = (
        np.stack([gap[:, 2, 1] - gap[:, 1, 2], gap[:, 0, 2] - gap[:, 2, 0], gap[:, 1, 0] - gap[:, 0, 1]], axis=-1) / 2
    )
    return np.linalg.norm((target - poses)[:, :3, 3].astype(float), axis=-1), np.linalg.norm(
        sine.astype(float), axis=-1
    )


@pytest.mark.parametrize("backend", [None, "reference"])
@pytest.mark.parametrize(
    ("limit", "tolerance", "count"), [(1e4, 1e-12, 2000), (1e7, 1e-9, 2000), (3.0, 1e-14, 500), (3.0, 1e-13, 500)]
)
def test_no_success_is_claimed_by_rounding(limit, tolerance, count, backend):
    robot = arm(WIDE.format(limit), FOLLOWS.format(0.5), *[CONTINUOUS] * 3, WIDE.format(limit), FOLLOWS.format(-1.7))
    count = count if backend is None else 200
    unit = torch.rand(count, robot.dof, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    q0 = (2 * unit - 1) * torch.where(robot.periodic, math.pi, limit)
    T = robot.forward_kinematics(q0 + 1e-3)
    result = dk.solve_ik(
        robot, T, q0=q0, position_tolerance=tolerance, rotation_tolerance=tolerance, max_restarts=1, backend=backend
    )
    position, rotation = extended_errors(robot, result.q, T)
    good = (position <= tolerance) & (rotation <= tolerance)
    claimed = result.success.numpy()
    assert not (claimed & ~good).any()
    if tolerance == 1e-13:
        assert claimed.mean() > 0.5
    elif limit > 3.0:
        assert (np.minimum(position, rotation) <= tolerance).any()


@pytest.mark.parametrize("name", ["kuka_iiwa", "franka_panda", "xarm6"])
def test_tight_tolerances_are_still_met(name):
    robot = dk.load_robot(name)
    T = robot.forward_kinematics(robot.sample(200, seed=2))
    result = dk.solve_ik(robot, T, position_tolerance=1e-12, rotation_tolerance=1e-12)
    position, rotation = extended_errors(robot, result.q, T)
    assert result.success.double().mean() > 0.98
    assert (np.maximum(position, rotation)[result.success.numpy()] <= 1e-12).all()


@pytest.mark.parametrize("limit", ["1e16", "1.7e308", "1e6", "1e4"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_limits_that_mean_none(limit, dtype):
    robot = arm(*[WIDE.format(limit)] * 6).to(dtype=dtype)
    q = robot.sample(200, seed=3)
    assert q.abs().max() <= 3.2
    T = robot.forward_kinematics(q)
    for backend in (None, "reference"):
        rows = slice(None) if backend is None else slice(20)
        result = dk.solve_ik(robot, T[rows], backend=backend)
        assert result.success.double().mean() > 0.97
        assert result.q.abs().max() <= 3.2


@pytest.mark.parametrize(("limit", "span"), [("1e16", 300.0), ("1e4", 1e4)])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("backend", [None, "reference"])
def test_a_slide_reaches_a_target_of_any_distance(limit, span, solver, backend):
    robot = arm(RAIL.format(limit))
    q = span * torch.linspace(-1.0, 1.0, 40, dtype=torch.float64)[:, None]
    result = dk.solve_ik(robot, robot.forward_kinematics(q), solver=solver, backend=backend)
    assert result.success.all()
    assert torch.allclose(result.q, q, atol=2e-6)
    assert solver == "adam" or result.iterations.max() <= 10


@pytest.mark.parametrize(("limit", "span"), [("1e16", 300.0), ("1e4", 1e4)])
@pytest.mark.parametrize("solver", ["levenberg_marquardt", "gauss_newton"])
@pytest.mark.parametrize("backend", [None, "reference"])
def test_a_gantry_reaches_far(limit, span, solver, backend):
    limited = 'type="revolute"/<limit lower="-2.5" upper="2.5" effort="1" velocity="1"/>'
    robot = arm(RAIL.format(limit), RAIL.format(limit), RAIL.format(limit), *[limited] * 3)
    q = robot.sample(40, seed=4)
    q[:, :3] = span * (2 * torch.rand(40, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64) - 1)
    result = dk.solve_ik(robot, robot.forward_kinematics(q), solver=solver, backend=backend)
    assert result.success.double().mean() > 0.85


def test_a_slide_with_limits_in_single_precision():
    robot = arm(RAIL.format("1e4"), *[CONTINUOUS] * 6).to(dtype=torch.float32)
    T = robot.forward_kinematics(robot.sample(100, seed=6))
    assert dk.solve_ik(robot, T).success.double().mean() > 0.95
