"""Inverse kinematics by the fused kernel: one target frame, Levenberg-Marquardt, on the CPU."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from diffkin._checks import ROTATION_TOLERANCE
from diffkin.ik.newton import LevenbergMarquardt
from diffkin.ik.problem import Problem
from diffkin.ik.result import IKResult
from diffkin.ik.search import Found, Progress
from diffkin.ik.tasks import OrientationTask, PoseTask, PositionTask
from diffkin.kinematics import dispatch

if TYPE_CHECKING:
    from diffkin.ik.descent import Method
    from diffkin.robot import Robot

__all__ = ["solve", "solve_poses", "takes", "takes_poses"]

MARGIN = {torch.float64: 1.0, torch.float32: 0.2}
"""How much tighter than asked to solve, so that rounding ``q`` to the robot's dtype keeps a success."""

_SLICE = 65536  # targets between two progress reports


def takes(backend: str | None, problem: Problem, method: Method, robot: Robot, history: bool) -> bool:
    """Whether the kernel can solve these tasks as they are meant."""
    if history or problem.free_base or len(problem.tasks) != 1 or method != LevenbergMarquardt():
        return False
    task = problem.tasks[0]
    if type(task) not in (PoseTask, PositionTask, OrientationTask) or not bool(problem.movable.all()):
        return False
    if _weights(task) is None or not bool(torch.isfinite(torch.as_tensor(task.weight)).all()):
        return False
    return dispatch.kernel_applies(backend, robot.tree) and robot.dtype in MARGIN and robot.dof > 0


def solve(
    problem: Problem,
    robot: Robot,
    q0: Tensor | None,
    base: Tensor | None,
    max_restarts: int,
    max_iterations: int | None,
    seed: int,
    nearest_of: int,
    progress: Progress | None,
) -> Found:
    """Solve one task by the kernel; arguments as in ``search``, the targets in the world.

    Returns:
        The best of each problem.
    """
    from diffkin.ik.starts import in_base

    task, link = problem.tasks[0], problem.links[0][0]
    assert isinstance(task, PoseTask | PositionTask | OrientationTask)
    target = task.target if base is None else in_base(task, task.target, base)
    poses = torch.eye(4, dtype=torch.float64).repeat(len(target), 1, 1)
    if not isinstance(task, PositionTask):
        poses[:, :3, :3] = target[:, :3, :3]
    if not isinstance(task, OrientationTask):
        poses[:, :3, 3] = target if isinstance(task, PositionTask) else target[:, :3, 3]
    tolerances = problem.position_tolerance, problem.rotation_tolerance
    found = _run(
        robot, link, poses.numpy(), None if q0 is None else q0.contiguous().numpy(), _weights(task), tolerances,
        max_restarts, max_iterations, seed, nearest_of, progress,
    )  # fmt: skip
    tensors = [torch.from_numpy(array) for array in found]
    q, _, _, success, iterations, rank = tensors
    return Found(q, base, success, iterations, rank.clamp_min(0), None)


def takes_poses(backend: str | None, robot: Robot, target: object, q0: Tensor | None, solver: object) -> bool:
    """Whether ``solve_poses`` can serve: poses of the tip, default solver, plain CPU tensors."""
    if not isinstance(target, Tensor) or solver != "levenberg_marquardt" or robot.dtype not in MARGIN:
        return False
    if target.dtype not in MARGIN or target.ndim < 2 or target.shape[-2:] != (4, 4) or not target.is_cpu:
        return False
    if q0 is not None and (
        not isinstance(q0, Tensor) or q0.ndim == 0 or q0.shape[-1] != robot.dof or q0.dtype not in MARGIN
    ):
        return False
    return robot.dof > 0 and dispatch.kernel_applies(backend, robot.tree) and target.numel() != 0


def solve_poses(
    robot: Robot,
    target: Tensor,
    q0: Tensor | None,
    position_tolerance: float,
    rotation_tolerance: float,
    max_restarts: int,
    max_iterations: int | None,
    seed: int,
    nearest_of: int,
    progress: Progress | None,
) -> IKResult | None:
    """The short way for poses of the tip: one target takes microseconds, so every check runs inside a kernel.

    Returns:
        The result; None if the targets are no poses or ``q0`` is not finite, for the long way to say what is wrong.
    """
    ready_targets, _, errors = _kernels()
    batch = target.shape[:-2]
    # reshaping in NumPy: torch takes microseconds for each
    given = np.ascontiguousarray((target.detach() if target.requires_grad else target).numpy())
    poses = ready_targets(given.reshape(-1, 4, 4), ROTATION_TOLERANCE)
    if poses is None:
        return None
    first = None
    if q0 is not None:
        if q0.shape[:-1] != batch:
            return None
        first = q0.detach().reshape(-1, robot.dof).to(torch.float64).contiguous().numpy()
        if not np.isfinite(first.sum()):
            return None
    margin = MARGIN[robot.dtype]
    tolerances = margin * position_tolerance, margin * rotation_tolerance
    link = robot.link_index(None)
    found = _run(robot, link, poses, first, None, tolerances, max_restarts, max_iterations, seed, nearest_of, progress)
    q, position, rotation, success = found.q, found.position_error, found.rotation_error, found.success
    if margin != 1.0:
        q = np.clip(q.astype(np.float32), robot.lower.numpy(), robot.upper.numpy())
        position, rotation = errors(_program(robot, link), poses, q.astype(np.float64))
        success = (position <= position_tolerance) & (rotation <= rotation_tolerance)
    rank = found.rank
    np.maximum(rank, 0, out=rank)
    as_tensor, shape = torch.from_numpy, tuple(batch)
    return IKResult(
        as_tensor(q.reshape(*shape, robot.tree.dof)),
        as_tensor(success.reshape(shape)),
        as_tensor(position.reshape(shape)),
        as_tensor(rotation.reshape(shape)),
        as_tensor(found.iterations.reshape(shape)),
        as_tensor(rank.reshape(shape)),
    )


def _run(
    robot: Robot,
    link: int,
    poses: np.ndarray[Any, Any],
    q0: np.ndarray[Any, Any] | None,
    weights: tuple[float, ...] | None,
    tolerances: tuple[float, float],
    max_restarts: int,
    max_iterations: int | None,
    seed: int,
    nearest_of: int,
    progress: Progress | None,
) -> Any:
    _, solve, _ = _kernels()
    program = _program(robot, link)
    options: dict[str, Any] = {
        "weights": weights,
        "position_tolerance": tolerances[0],
        "rotation_tolerance": tolerances[1],
        "max_restarts": max_restarts + 1,
        "nearest": nearest_of,
        "seed": seed,
    }
    if max_iterations is not None:
        options["max_iterations"] = options["early_iterations"] = max_iterations
    if progress is None:
        return solve(program, poses, q0, **options)
    parts = []
    for start in range(0, len(poses), _SLICE):
        rows = slice(start, start + _SLICE)
        parts.append(solve(program, poses[rows], None if q0 is None else q0[rows], **options))
        progress(min(start + _SLICE, len(poses)), len(poses))
    return type(parts[0])(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


@cache
def _kernels() -> tuple[Any, Any, Any]:
    """What is imported at the first call; kept, since asking for it again takes a microsecond each time."""
    from diffkin.kernels.ik import errors, solve
    from diffkin.kernels.ik_targets import ready_targets

    return ready_targets, solve, errors


def _weights(task: object) -> tuple[float, ...] | None:
    """Six weights along base axes, or None where the task's own axes matter."""
    assert isinstance(task, PoseTask | PositionTask | OrientationTask)
    weight = torch.as_tensor(task.weight, dtype=torch.float64).expand(task.rows).tolist()
    if isinstance(task, PositionTask):
        return (*weight, 0.0, 0.0, 0.0)
    position, rotation = (weight[:3], weight[3:]) if isinstance(task, PoseTask) else ([0.0] * 3, weight)
    if len(set(position)) > 1 or len(set(rotation)) > 1:
        return None
    return (*position, *rotation)


def _program(robot: Robot, link: int) -> Any:
    """The kernel's program for a link and the robot's limits, made once."""
    # told by the limits' identity, which takes no time: the entry keeps them alive, and a robot never changes
    quick = ("ik program", link, id(robot.lower), id(robot.upper))
    entry = robot.tree.cache.get(quick)
    if entry is None:
        entry = robot.tree.cache[quick] = (_program_of_limits(robot, link), robot.lower, robot.upper)
    return entry[0]


def _program_of_limits(robot: Robot, link: int) -> Any:
    key = ("ik program", link, robot.lower.numpy().tobytes(), robot.upper.numpy().tobytes())
    program = robot.tree.cache.get(key)
    if program is None:
        from diffkin.kernels.ik import make_program

        mechanism = dispatch.mechanism(robot.tree)
        program = make_program(
            mechanism.parent,
            mechanism.kind,
            mechanism.coordinate,
            mechanism.multiplier,
            mechanism.offset,
            mechanism.origin,
            mechanism.axis,
            mechanism.dof,
            int(mechanism.frame_joint[link]),
            mechanism.frame_offset[link],
            robot.lower.double().numpy(),
            robot.upper.double().numpy(),
        )
        robot.tree.cache[key] = program
    return program
