"""Compile every kernel once and keep it on disk, so that no first call has to wait."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

import torch

from diffkin import aircraft, rotations
from diffkin._checks import check_finite
from diffkin.ik import LimitMarginTask, PositionTask, PostureTask, RayDirectionTask, solve_ik
from diffkin.motion import servo_step
from diffkin.motion.layers import best_way
from diffkin.robot import Robot, load_robot

__all__ = ["compile_kernels", "jobs"]

_ROBOT = "planar_3r"
"""Of our own, so that no other package is needed; the kernels are the same for every robot."""


def jobs() -> dict[str, Callable[[], object]]:
    """What there is to compile: calls by name, each of which compiles and stores what it needs, or finds it stored."""
    made: dict[str, Callable[[], object]] = {}
    for dtype in (torch.float32, torch.float64):
        kind = str(dtype).removeprefix("torch.")
        robot = load_robot(_ROBOT).to(dtype)
        made[f"checks, {kind}"] = partial(check_finite, torch.zeros(100, dtype=dtype, device="cpu"), "zeros")
        made[f"poses, {kind}"] = partial(_poses, robot)
        made[f"Jacobians, {kind}"] = partial(_jacobians, robot)
        made[f"gradients of poses, {kind}"] = partial(_gradients, robot)
        made[f"inverse kinematics, {kind}"] = partial(_inverse, robot)
        made[f"attitude dynamics, {kind}"] = partial(_dynamics, dtype)
    made["inverse kinematics of lists of tasks"] = partial(_lists, load_robot(_ROBOT))
    made["preferences among solutions"] = partial(_preferences, load_robot(_ROBOT))
    made["attitude from vectors"] = _wahba
    made["servo step"] = _servo
    made["all solutions"] = _all_solutions
    made["ways through layers"] = _ways
    return made


def compile_kernels() -> float:
    """Run all jobs, with a bar where rich is installed and a line a job elsewhere.

    Returns:
        Seconds it took.
    """
    begin = time.perf_counter()
    todo = jobs()
    try:
        from rich.progress import track
    except ModuleNotFoundError:
        for number, (name, job) in enumerate(todo.items(), 1):
            print(f"[{number}/{len(todo)}] {name}", file=sys.stderr, flush=True)
            job()
    else:
        for job in track(todo.values(), description="Compiling kernels"):
            job()
    return time.perf_counter() - begin


def _poses(robot: Robot) -> None:
    q, base = robot.sample(2), torch.eye(4, dtype=robot.dtype, device="cpu")
    robot.forward_kinematics(q)
    robot.forward_kinematics(q, base=base)


def _jacobians(robot: Robot) -> None:
    robot.jacobian(robot.sample(2))


def _gradients(robot: Robot) -> None:
    q = robot.sample(2).requires_grad_()
    T = robot.forward_kinematics(q)
    T.sum().backward(retain_graph=True)  # one gradient for all problems
    (T * T.detach()).sum().backward()  # one for each


def _inverse(robot: Robot) -> None:
    q = robot.sample(8)  # numbers enough to be checked by a kernel
    T = robot.forward_kinematics(q)
    solve_ik(robot, T)
    solve_ik(robot, T, q0=q)


def _all_solutions() -> None:
    half = torch.pi / 2.0
    rows = [
        [0.3, half, 0.5, 0.0],
        [0.4, 0.0, 0.1, 0.0],
        [0.1, half, 0.0, 0.0],
        [0.0, -half, 0.4, 0.0],
        [0.0, half, 0.0, 0.0],
    ]
    robot = Robot.from_dh([*rows, [0.0, 0.0, 0.1, 0.0]])
    q = robot.sample(2)
    solve_ik(robot, robot.forward_kinematics(q), q0=q, nearest_of=2)


def _lists(robot: Robot) -> None:
    T = robot.forward_kinematics(robot.sample(2))
    solve_ik(robot, [PositionTask(None, T[:, :3, 3]), RayDirectionTask(None, (1.0, 0.0, 0.0), T[:, :3, 0])])


def _preferences(robot: Robot) -> None:
    q = robot.sample(2)
    tip = PositionTask(None, robot.forward_kinematics(q)[:, :3, 3])
    solve_ik(robot, [tip, PostureTask(torch.zeros(robot.dof, device="cpu")), LimitMarginTask(priority=2)])


def _dynamics(dtype: torch.dtype) -> None:
    R0 = rotations.random_rotation((2,), 0).to(dtype)
    omega0 = torch.ones(2, 3, dtype=dtype, requires_grad=True, device="cpu")
    R, omega = aircraft.simulate_attitude(
        R0, omega0, torch.tensor([1.0, 2.0, 3.0], dtype=dtype, device="cpu"), dt=0.01, steps=2
    )
    (R.sum() + omega.sum()).backward()


def _ways() -> None:
    best_way(
        [torch.zeros(1, 2, dtype=torch.float64, device="cpu")] * 2, torch.ones(2, dtype=torch.float64, device="cpu")
    )


def _wahba() -> None:
    vectors = torch.eye(3, dtype=torch.float64, device="cpu")
    aircraft.solve_wahba(vectors, vectors)


def _servo() -> None:
    robot = load_robot(_ROBOT)
    q = robot.sample(2)
    servo_step(robot, q, torch.zeros_like(q), robot.forward_kinematics(q), 0.01)
