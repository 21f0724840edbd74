"""Inverse kinematics by the fused kernel: one target frame, Levenberg-Marquardt, on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from diffkin._checks import ROTATION_TOLERANCE
from diffkin.ik.problem import Problem
from diffkin.ik.result import IKResult
from diffkin.ik.search import Found, Progress
from diffkin.ik.solvers.newton import LevenbergMarquardt
from diffkin.ik.tasks import OrientationTask, PoseTask, PositionTask
from diffkin.kinematics import dispatch

if TYPE_CHECKING:
    from diffkin.ik.descent import Method
    from diffkin.robot import Robot

__all__ = ["MARGIN", "SLICE", "solve", "solve_poses", "takes"]

MARGIN = {torch.float64: 1.0, torch.float32: 0.2}
"""How much tighter than asked to solve, so that rounding ``q`` to the robot's dtype keeps a success."""

SLICE = 16384
"""Targets solved at a time, and between two progress reports."""


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
) -> Found:
    """Solve one task by the kernel, for ``SLICE`` targets at most; arguments as in ``search``, targets in the world.

    Returns:
        The best of each problem.
    """
    from diffkin.ik.starts import in_base
    from diffkin.kernels.ik.program import answer

    task, link = problem.tasks[0], problem.links[0][0]
    assert isinstance(task, PoseTask | PositionTask | OrientationTask)
    target = task.target if base is None else in_base(task, task.target, base)
    poses = torch.eye(4, dtype=torch.float64).repeat(len(target), 1, 1)
    if not isinstance(task, PositionTask):
        poses[:, :3, :3] = target[:, :3, :3]
    if not isinstance(task, OrientationTask):
        poses[:, :3, 3] = target if isinstance(task, PositionTask) else target[:, :3, 3]
    first = None if q0 is None else q0.contiguous().numpy()
    options = _options(
        robot, link, _weights(task), problem.position_tolerance, problem.rotation_tolerance, max_restarts,
        max_iterations, seed, nearest_of, first is not None, False,
    )  # fmt: skip
    found = answer(options, poses.numpy(), first)
    q, success, iterations, rank = found.q, found.success, found.iterations, found.rank
    tensors = [torch.from_numpy(array) for array in (q, success, iterations, rank)]
    return Found(tensors[0], base, tensors[1], tensors[2], tensors[3], None)


def solve_poses(
    backend: str | None,
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

    Reshaping is done in NumPy, since torch takes microseconds for each.

    Returns:
        The result; None where the kernel does not apply or the long way has to say what is wrong.
    """
    dtype, single = target.dtype, robot.dtype == torch.float32
    if (dtype != torch.float64 and dtype != torch.float32) or not target.is_cpu or (nearest_of != 1 and q0 is None):
        return None
    shape = tuple(target.shape)
    if shape[-2:] != (4, 4) or not dispatch.kernel_applies(backend, robot.tree):
        return None
    ready_targets, all_finite = _kernels()[:2]
    dof, batch = robot.tree.dof, shape[:-2]
    first = None
    if q0 is not None:
        if not isinstance(q0, Tensor) or tuple(q0.shape) != (*batch, dof) or q0.dtype not in MARGIN or not q0.is_cpu:
            return None
        first = np.ascontiguousarray((q0.detach() if q0.requires_grad else q0).numpy()).reshape(-1, dof)
        if not all_finite(first):
            return None
    given = (target.detach() if target.requires_grad else target).numpy().reshape(-1, 4, 4)
    options = _options(
        robot, robot.link_index(None), None, position_tolerance, rotation_tolerance, max_restarts, max_iterations, seed,
        nearest_of, first is not None, single,
    )  # fmt: skip
    found = _answer(
        options,
        len(given),
        lambda rows: ready_targets(np.ascontiguousarray(given[rows]), ROTATION_TOLERANCE),
        first,
        single,
        progress,
    )
    if found is None:
        return None
    q, position, rotation, success, iterations, rank = found
    as_tensor = torch.from_numpy
    return IKResult(
        as_tensor(q.reshape(*batch, dof)),
        as_tensor(success.reshape(batch)),
        as_tensor(position.reshape(batch)),
        as_tensor(rotation.reshape(batch)),
        as_tensor(iterations.reshape(batch)),
        as_tensor(rank.reshape(batch)),
    )


@cache
def _kernels() -> tuple[Any, Any, Any, Any]:
    """What is imported at the first call; kept, since asking for it again takes a microsecond each time."""
    from diffkin.kernels.finite import all_finite
    from diffkin.kernels.ik.program import answer, new_solution
    from diffkin.kernels.ik.targets import ready_targets

    return ready_targets, all_finite, answer, new_solution


def _options(
    robot: Robot,
    link: int,
    weights: tuple[float, ...] | None,
    position_tolerance: float,
    rotation_tolerance: float,
    max_restarts: int,
    max_iterations: int | None,
    seed: int,
    nearest_of: int,
    has_q0: bool,
    single: bool,
) -> Any:
    """The kernel's options, in its terms: it counts the first start too, and gives early starts less time."""
    most, early = (60, 16) if max_iterations is None else (max_iterations, max_iterations)
    return _program(robot, link).options(
        weights, position_tolerance, rotation_tolerance, max_restarts + 1, most, nearest_of, seed, early, has_q0, single
    )


def _answer(
    options: Any,
    count: int,
    poses: Callable[[slice], np.ndarray[Any, Any] | None],
    q0: np.ndarray[Any, Any] | None,
    single: bool,
    progress: Progress | None,
) -> Any:
    """The kernel's answers, with ``q`` in float32 if it is to be ``single``.

    In slices, so that what is made of targets and starts on the way stays small.

    Returns:
        The solution; None if ``poses`` of some slice is None.
    """
    answer, new_solution = _kernels()[2:]
    if count <= SLICE and progress is None:
        targets = poses(slice(0, count))
        if targets is None:
            return None
        found = answer(options, targets, None if q0 is None else q0.astype(np.float64, copy=False))
        return found._replace(q=found.q.astype(np.float32)) if single else found
    whole = new_solution(options, count, np.float32 if single else np.float64)
    for start in range(0, count, SLICE):
        rows = slice(start, min(start + SLICE, count))
        targets = poses(rows)
        if targets is None:
            return None
        found = answer(options, targets, None if q0 is None else q0[rows].astype(np.float64, copy=False))
        for part, piece in zip(whole, found, strict=True):
            part[rows] = piece
        if progress is not None:
            progress(rows.stop, count)
    return whole


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
        from diffkin.kernels.ik.program import make_program

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
