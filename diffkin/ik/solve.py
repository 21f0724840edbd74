"""``solve_ik``: the public call."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._checks import as_tensor, check_broadcast, check_finite, check_last, check_pose, ordinary
from diffkin.errors import OptionError, ShapeError, closest
from diffkin.ik import kernel_route, list_route
from diffkin.ik.descent import Method
from diffkin.ik.elsewhere import by_the_cpu, is_elsewhere, plainly
from diffkin.ik.gradients import attach_gradient, without_gradient
from diffkin.ik.options import Options, make_options
from diffkin.ik.problem import FREE_BASE, Problem, State, make_problem
from diffkin.ik.reach import out_of_reach
from diffkin.ik.result import IKResult
from diffkin.ik.search import Found, Progress, joined, search
from diffkin.ik.solvers.complete import nearest_of_all
from diffkin.ik.starts import Starts
from diffkin.ik.tasks import POSE, PoseTask, Task
from diffkin.ik.turns import check_joint_weights
from diffkin.kernels.ik.scales import farthest_turn
from diffkin.robot import Robot
from diffkin.robot.robot import check_robot_given

__all__ = ["solve_ik"]

_TIMED_SLICE = 32  # targets that the kernel solves between two looks at the clock

_HOW = (
    "For a position alone give diffkin.ik.PositionTask(None, point) with a point of three numbers: planar arms move in "
    "the plane z = 0, and a point (x, y) is (x, y, 0) there."
)


def solve_ik(
    robot: Robot,
    target: Float[Tensor, "*batch 4 4"] | Task | Sequence[Task],
    q0: Float[Tensor, "*batch dof"] | None = None,
    solver: str | Method = "levenberg_marquardt",
    position_tolerance: float | None = None,
    rotation_tolerance: float | None = None,
    max_restarts: int | None = None,
    max_iterations: int | None = None,
    seed: int = 0,
    differentiable: bool = False,
    *,
    base: Float[Tensor, "*batch 4 4"] | None = None,
    free_base: str | None = None,
    locked: Sequence[str] = (),
    nearest_of: int = 1,
    history: bool = False,
    progress: Progress | None = None,
    backend: str | None = None,
    time_limit: float | None = None,
    joint_weights: Float[Tensor, " dof"] | None = None,
) -> IKResult:
    """Find coordinates at which links meet their targets, within joint limits.

    Every problem descends from its starts in turn until one succeeds: ``q0`` if given, the samples of a stored table
    whose poses are nearest to the target, then a low-discrepancy sequence. Limits are held inside every step.

    Args:
        robot: The robot.
        target: (*batch, 4, 4) pose of the tip in the world, or tasks.
        q0: (*batch, dof) first start, projected onto the limits. Broadcasts with the targets.
        solver: "levenberg_marquardt", "gauss_newton", "gradient_descent", "adam" or "lbfgs"; or one of the classes of
            ``diffkin.ik`` of those names with settings of its own.
        position_tolerance: [m]; 1e-6 for a float64 robot, 1e-5 for float32.
        rotation_tolerance: [rad]; likewise.
        max_restarts: Starts after the first; the solver's own default if None. Given, they are all tried; else, and with
            all else of the solver at its default, a target is given up early whose starts all end far from it.
            Targets that are proven to be out of reach get few starts in any case.
        max_iterations: For each start; the solver's own default if None.
        seed: A whole number from 0 on; shifts the low-discrepancy starts.
        differentiable: Whether ``result.q``, and ``result.base`` where it is free, carry gradients to targets, weights,
            base, limits, the robot's geometry and ``q0`` of locked joints: those of the conditions that a solution fulfils,
            to any order. For a pose ``dq = J^+ xi`` along ``target @ exp(xi)``; tasks of priority 1 are at their least along
            what the others leave free; joints on a limit stay there. Problems without a solution have gradient 0.
        base: (*batch, 4, 4) pose of the base in the world; the identity if None.
        free_base: None, or "rotation", "pose" or "planar" (world x, y and the turn about the world's z, as of a mobile
            base) to solve for the base as well, starting from ``base``.
        locked: Names of joints that stay at ``q0``.
        nearest_of: With k > 1, find up to k solutions and return the one nearest to ``q0``. For poses of the tip of an arm
            with six turning joints that is the nearest of all that ``diffkin.ik.solve_all`` finds, whatever k.
        history: Whether to record the error after each iteration.
        progress: Called now and then as ``progress(finished, total)``.
        backend: None, or "reference" to force the plain torch path on the robot's device. Poses for a robot on a GPU are
            otherwise solved by the kernels on the CPU, and brought back.
        time_limit: [s] after which no further start is begun, or, of targets solved by the kernel, no further 32; None
            for no limit. What was not reached by then has ``success`` False.

    Returns:
        The solutions. Reaching none is no exception: ``success`` is False there and ``q`` is the best found.

    Raises:
        diffkin.errors.ShapeError: Shapes that do not fit or do not broadcast.
        diffkin.errors.RotationError: A target that is no pose.
        diffkin.errors.NonFiniteError: NaN or infinity in targets or ``q0``.
        diffkin.errors.UnknownNameError: Unknown solver, link or joint.
        diffkin.errors.OptionError: An option out of its range.
        diffkin.errors.GradientError: A task's residual has no graph where its derivative is needed.
    """
    check_robot_given(robot)
    options = make_options(
        robot.dtype, solver, position_tolerance, rotation_tolerance, max_restarts, max_iterations, seed, nearest_of,
        history, backend, _joint_weights(robot, joint_weights, q0, nearest_of),
    )  # fmt: skip
    robot.check_unchanged()
    if progress is not None and not callable(progress):
        raise OptionError(f"progress must be called as progress(finished, total), got {progress!r}.")
    deadline = _deadline(time_limit)
    q0, base = (
        part if part is None or isinstance(part, Tensor) else as_tensor(part, name, robot.dtype, robot.device)
        for part, name in ((q0, "q0"), (base, "base"))
    )
    target = _given(target, robot)
    differentiated = differentiable and torch.is_grad_enabled()
    plain = without_gradient(robot)
    if isinstance(target, Tensor) and base is None and time_limit is None and not (free_base or locked):
        if options.backend is None and is_elsewhere(plain, target, q0=q0):
            result = by_the_cpu(_short_way, plain, target, q0, options, progress)
        else:
            result = _short_way(plain, target, q0, options, progress)
        if result is not None:
            object.__setattr__(
                result, "out_of_reach", partial(_pose_out_of_reach, plain, target, result.success.shape, options)
            )
            if not differentiated:
                return result
            with plainly(robot):
                return attach_gradient(robot, _as_tasks(target), result, None, None, None, _movable(robot, (), None))
    tasks = _as_tasks(target)
    if options.nearest_of > 1 and q0 is None:
        raise OptionError(f"nearest_of={nearest_of} chooses the solution nearest to q0: give q0.")
    if isinstance(locked, str):
        raise OptionError(f"locked must be a list of names, got the single name {locked!r}. Write locked=[{locked!r}].")
    if not isinstance(free_base, (str, type(None))) or free_base not in FREE_BASE:
        raise closest(free_base, [name for name in FREE_BASE if name], "choice for free_base")
    if free_base and base is None:
        base = torch.eye(4, dtype=robot.dtype, device=robot.device)
    batch = _batch(tasks, q0, base, robot)
    with plainly(robot), torch.no_grad():
        movable = _movable(robot, locked, q0)
        arguments = (plain, tasks, options, q0, base, free_base, movable, batch, progress, deadline)
        result = list_route.solve_tasks(*arguments)
        if result is None:
            result = _solve(*arguments)
    if not free_base:
        tolerances = options.position_tolerance, options.rotation_tolerance
        object.__setattr__(result, "out_of_reach", partial(out_of_reach, plain, tasks, base, batch, *tolerances))
    if not differentiated:
        return result
    with plainly(robot):
        return attach_gradient(robot, tasks, result, q0, base, free_base, movable)


def _short_way(
    robot: Robot, target: Tensor, q0: Tensor | None, options: Options, progress: Progress | None
) -> IKResult | None:
    """Poses of the tip by the kernels; None where they do not apply or the long way has to say what is wrong."""
    result = None
    if options.nearest_of > 1 and q0 is not None:
        result = nearest_of_all(options, robot, target, q0, progress)
    return kernel_route.solve_poses(options, robot, target, q0, progress) if result is None else result


def _solve(
    robot: Robot,
    tasks: Sequence[Task],
    options: Options,
    q0: Tensor | None,
    base: Tensor | None,
    free_base: str | None,
    movable: Tensor,
    batch: torch.Size,
    progress: Progress | None,
    deadline: float,
) -> IKResult:
    """The solutions of checked tasks, by the kernel where it can serve them, else by the methods in torch."""
    count = batch.numel()
    whole = make_problem(
        robot, tasks, batch, movable, free_base,
        options.margin * options.position_tolerance, options.margin * options.rotation_tolerance,
    )  # fmt: skip
    least = min(options.position_tolerance, options.rotation_tolerance)
    farthest = farthest_turn(least, int(whole.turns.sum()), options.dtype == torch.float32)
    whole = dataclasses.replace(whole, farthest=farthest)
    given = None if q0 is None else _flat(q0, batch, robot.dof)
    first = None if given is None else given.clamp(whole.lower, whole.upper)
    first = None if first is None else whole.near(first, first)
    placed = None if base is None else _flat(base, batch, 4, 4)
    if count:
        middle = torch.zeros(1, robot.dof, dtype=torch.float64, device=robot.device).clamp(whole.lower, whole.upper)
        one = torch.zeros(1, dtype=torch.long, device=robot.device)
        whole = whole.tried(State(middle, None if placed is None else placed[:1], one), count)
    groups = whole.groups() if count and not options.history else [list(range(len(tasks)))]
    kinds = [
        count > 0 and kernel_route.takes(options, whole.having(group), robot, base is not None) for group in groups
    ]

    def solved(rows: slice) -> IKResult:
        problem = dataclasses.replace(whole, tasks=[task.exact_at(rows) for task in whole.tasks])
        begin, at = (None if part is None else part[rows] for part in (first, placed))
        told = progress if len(groups) == 1 else None
        if not robot.dof and not free_base:
            found = _left_alone(problem.lower.new_zeros(rows.stop - rows.start, 0), at)
        elif rows.start and time.monotonic() > deadline:
            rest = torch.zeros_like(problem.lower).clamp(problem.lower, problem.upper)
            found = _left_alone(rest.expand(rows.stop - rows.start, -1) if begin is None else begin, at)
        else:
            parts = [problem.having(group) for group in groups]
            proven = (
                None
                if all(kinds) or free_base
                else out_of_reach(
                    robot, tasks, base, batch, options.position_tolerance, options.rotation_tolerance
                ).reshape(-1)[rows]
            )
            ends = [
                kernel_route.solve(part, options, robot, begin, at)
                if by_kernel
                else search(
                    part,
                    options,
                    Starts(part, options, begin, at, rows.stop - rows.start),
                    count,
                    told,
                    deadline,
                    proven,
                )
                for part, by_kernel in zip(parts, kinds, strict=True)
            ]
            found = ends[0] if len(ends) == 1 else joined(ends, [part.needed for part in parts])
        if progress is not None and (told is None or kinds[0]):
            progress(rows.stop, count)
        return _result(robot, problem, options, found, None if given is None else given[rows])

    size = kernel_route.SLICE if deadline == math.inf else _TIMED_SLICE
    return _in_slices(solved, count, size if all(kinds) else count, batch)


def _result(robot: Robot, problem: Problem, options: Options, found: Found, q0: Tensor | None) -> IKResult:
    """Turn to where ``q0`` is, or to zero; round to the robot's dtype, and judge what is returned in float64."""
    wrapped = problem.near(found.q, torch.zeros_like(found.q) if q0 is None else q0)
    q = torch.minimum(torch.maximum(wrapped.to(robot.dtype), robot.lower), robot.upper)
    every = torch.arange(len(q), device=q.device)
    position, rotation = problem.errors(State(q.double(), found.base, every))
    most, turned = problem.errors_at_most(State(q.double(), found.base, every))
    success = (most <= options.position_tolerance) & (turned <= options.rotation_tolerance)
    base = None if found.base is None or not problem.free_base else found.base.to(robot.dtype)
    history = None if found.history is None else found.history.transpose(0, 1)
    return IKResult(q, success, position, rotation, found.iterations, found.restarts, base, history)


def _pose_out_of_reach(robot: Robot, target: Tensor, batch: torch.Size, options: Options) -> Tensor:
    tolerances = options.position_tolerance, options.rotation_tolerance
    return out_of_reach(robot, [PoseTask(None, target.detach())], None, batch, *tolerances)


def _left_alone(q: Tensor, base: Tensor | None) -> Found:
    """What there is to say of coordinates (count, dof) that nothing was done to."""
    none = torch.zeros(len(q), dtype=torch.long, device=q.device)
    return Found(q, base, none > 0, none, none.clone(), None)


def _joint_weights(robot: Robot, given: Any, q0: Any, nearest_of: Any) -> tuple[float, ...] | None:
    """The weights of nearness to ``q0`` as numbers, where they mean something."""
    if given is None:
        return None
    if q0 is None or nearest_of == 1:
        raise OptionError(
            "joint_weights say what is near to q0 when several solutions are compared: give q0, and nearest_of above 1."
        )
    return tuple(check_joint_weights(given, robot).tolist())


def _deadline(time_limit: float | None) -> float:
    """When ``time.monotonic()`` will have reached a limit [s] from now."""
    if time_limit is None:
        return math.inf
    if isinstance(time_limit, bool) or not isinstance(time_limit, (int, float)) or not time_limit > 0:
        raise OptionError(f"time_limit must be a number of seconds above 0, or None, got {time_limit!r}.")
    return time.monotonic() + time_limit


def _in_slices(solved: Callable[[slice], IKResult], count: int, size: int, batch: torch.Size) -> IKResult:
    """The results of slices put together and given the shape of the batch: what a slice needs on the way stays small."""
    if count <= size:
        parts = vars(solved(slice(0, count)))
    else:
        parts = {}
        for start in range(0, count, size):
            rows = slice(start, min(start + size, count))
            for name, part in vars(solved(rows)).items():
                if part is not None:
                    parts.setdefault(name, part.new_empty(count, *part.shape[1:]))[rows] = part
    shaped = {name: part.reshape((*batch, *part.shape[1:])) for name, part in parts.items() if part is not None}
    if "history" in shaped:
        shaped["history"] = shaped["history"].movedim(-1, 0)
    return IKResult(**shaped)


def _given(target: Any, robot: Robot) -> Tensor | Task | Sequence[Task]:
    """The target as a tensor or tasks; arrays and lists of numbers become tensors."""
    if isinstance(target, Tensor):
        made = target
    elif isinstance(target, Task) or (isinstance(target, (list, tuple)) and any(isinstance(t, Task) for t in target)):
        return target
    elif target is None or isinstance(target, (str, bytes, dict)) or (hasattr(target, "__len__") and not len(target)):
        raise OptionError(
            f"There is nothing to reach: a (*batch, 4, 4) pose or tasks of diffkin.ik, got {target!r}. {_HOW}"
        )
    elif isinstance(target, (list, tuple)) and len(target) == 2 and [np.ndim(part) for part in target] == [1, 1]:
        sizes = [len(part) for part in target]
        raise ShapeError(
            f"A target must be a (*batch, 4, 4) pose, got a pair of {sizes[0]} and {sizes[1]} numbers. Of a point p and a "
            f"quaternion it is transforms.pose(rotations.quat_xyzw_to_matrix(quat), p). {_HOW}"
        )
    elif hasattr(target, "__array__") or isinstance(target, (list, tuple)):
        made = as_tensor(target, "target", robot.dtype, robot.device)
    else:
        raise OptionError(
            f"Targets must be (*batch, 4, 4) poses or tasks of diffkin.ik, got {type(target).__name__}. {_HOW} "
            "Derive your own task from diffkin.ik.Task."
        )
    if made.ndim < 2 or made.shape[-2:] != (4, 4):
        raise ShapeError(f"T_target must be a (*batch, 4, 4) pose of the tip, got shape {tuple(made.shape)}. {_HOW}")
    return made


def _as_tasks(target: Tensor | Task | Sequence[Task]) -> list[Task]:
    if isinstance(target, Tensor):
        check_pose(target, "T_target")
        return [PoseTask(None, target)]
    tasks = [target] if isinstance(target, Task) else list(target)
    for task in tasks:
        if not isinstance(task, Task):
            raise OptionError(
                f"Targets must be a (*batch, 4, 4) tensor or diffkin.ik tasks, got {type(task).__name__}. "
                "Derive your own task from diffkin.ik.Task."
            )
        task.check_weight(task.rows)  # again, for tasks with a __post_init__ of their own
    if not any(task.priority == 0 for task in tasks):
        raise OptionError("There must be at least one task of priority 0.")
    return tasks


def _batch(tasks: Sequence[Task], q0: Tensor | None, base: Tensor | None, robot: Robot) -> torch.Size:
    shapes: dict[str, tuple[int, ...]] = {}
    for index, task in enumerate(tasks):
        name = f"target of {type(task).__name__}"
        shapes[f"{name} {index}" if name in shapes else name] = tuple(task.batch_shape)
    if q0 is not None:
        check_last(q0, (robot.dof,), "q0")
        check_finite(q0, "q0")
        shapes["q0"] = tuple(q0.shape[:-1])
    if base is not None:
        POSE.check(base, "base")
        shapes["base"] = tuple(base.shape[:-2])
    check_broadcast(**shapes)
    return torch.broadcast_shapes(*shapes.values())


def _movable(robot: Robot, locked: Sequence[str], q0: Tensor | None) -> Tensor:
    movable = torch.ones(robot.dof, dtype=torch.bool, device=robot.device)
    for name in locked:
        if name not in robot.joint_names:
            raise closest(name, robot.joint_names, "joint")
        movable[robot.joint_names.index(name)] = False
    if len(locked) and q0 is None:
        raise OptionError("Locked joints stay at q0: give q0.")
    return movable


def _flat(tensor: Tensor, batch: torch.Size, *core: int) -> Tensor:
    return ordinary(tensor).detach().to(torch.float64).expand(*batch, *core).reshape(batch.numel(), *core)
