"""Inverse kinematics by the fused kernel: one target frame, Levenberg-Marquardt, on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from diffkin._checks import ROTATION_TOLERANCE
from diffkin._gate import DTYPES, array, kernel
from diffkin.ik.options import GRACE, Options
from diffkin.ik.problem import Problem
from diffkin.ik.result import IKResult
from diffkin.ik.search import Found, Progress
from diffkin.ik.solvers.newton import FAR, FLOOR, LevenbergMarquardt
from diffkin.kinematics import dispatch
from diffkin.kinematics.kept import Cache
from diffkin.kinematics.ranges import sampling_range

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["SLICE", "expresses", "program_of", "settings_of", "solve", "solve_in_turn", "solve_poses", "takes"]

SLICE = 16384
"""Targets solved at a time, and between two progress reports."""

_CALLS = 16  # sets of options kept ready for a program
_ONES = (1.0,) * 6


def takes(options: Options, problem: Problem, robot: Robot, based: bool) -> bool:
    """Whether the kernel solves these tasks as they are meant; ``based`` says whether a base pose is given."""
    if not dispatch.kernel_applies(options.backend, robot.tree) or not expresses(options):
        return False
    if problem.free_base or len(problem.tasks) != 1 or not bool(problem.movable.all()) or not robot.dof:
        return False
    return problem.tasks[0].kernel_weights(turned=based) is not None


def solve(problem: Problem, options: Options, robot: Robot, q0: Tensor | None, base: Tensor | None) -> Found:
    """Solve one task by the kernel, for ``SLICE`` targets at most; arguments as in ``search``, targets in the world.

    Returns:
        The best of each problem.
    """
    task, link = problem.tasks[0], problem.links[0][0]
    weights = task.kernel_weights(turned=base is not None)
    place = (task if base is None else task.seen_from(base)).placement()
    if weights is None or place is None:
        raise NotImplementedError(f"{type(task).__name__} has kernel_weights, but no placement to reach.")
    asked = place.position if place.position is not None else place.rotation
    poses = torch.eye(4, dtype=torch.float64, device="cpu").repeat(0 if asked is None else len(asked), 1, 1)
    if place.rotation is not None:
        poses[:, :3, :3] = place.rotation
    if place.position is not None:
        poses[:, :3, 3] = place.position
    first = None if q0 is None else q0.contiguous().numpy()
    call = _ready(robot, link).call(options, weights, first is not None)
    found = kernel("ik.program.solve")(call, poses.numpy(), first)
    q, success, iterations, rank = (
        torch.from_numpy(array) for array in (found.q, found.success, found.iterations, found.rank)
    )
    return Found(q, base, success, iterations, rank, None)


def solve_poses(
    options: Options, robot: Robot, target: Tensor, q0: Tensor | None, progress: Progress | None
) -> IKResult | None:
    """The short way for poses of the tip: one target takes microseconds, so every check runs inside a kernel.

    Reshaping is done in NumPy, since torch takes microseconds for each.

    Returns:
        The result; None where the kernel does not apply or the long way has to say what is wrong.
    """
    if not dispatch.kernel_applies(options.backend, robot.tree) or not expresses(options):
        return None
    if target.dtype not in DTYPES or not target.is_cpu or (options.nearest_of != 1 and q0 is None):
        return None
    shape = tuple(target.shape)
    if shape[-2:] != (4, 4):
        return None
    dof, batch = robot.tree.dof, shape[:-2]
    first = None
    if q0 is not None:
        if not isinstance(q0, Tensor) or tuple(q0.shape) != (*batch, dof) or q0.dtype not in DTYPES or not q0.is_cpu:
            return None
        first = np.ascontiguousarray((q0.detach() if q0.requires_grad else q0).numpy()).reshape(-1, dof)
        if not kernel("finite.all_finite")(first):
            return None
    given = (target.detach() if target.requires_grad else target).numpy().reshape(-1, 4, 4)
    call = _ready(robot, robot.link_index(None)).call(options, _ONES, first is not None)
    ready_targets = kernel("ik.targets.ready_targets")
    found = _in_slices(
        call,
        len(given),
        lambda rows: ready_targets(np.ascontiguousarray(given[rows]), ROTATION_TOLERANCE),
        first,
        options.dtype == torch.float32,
        progress,
    )
    if found is None:
        return None
    as_tensor = torch.from_numpy
    return IKResult(
        as_tensor(found.q.reshape(*batch, dof)),
        as_tensor(found.success.reshape(batch)),
        as_tensor(found.position_error.reshape(batch)),
        as_tensor(found.rotation_error.reshape(batch)),
        as_tensor(found.iterations.reshape(batch)),
        as_tensor(found.rank.reshape(batch)),
    )


def solve_in_turn(options: Options, robot: Robot, poses: Tensor, firsts: Tensor) -> tuple[Tensor, Tensor] | None:
    """Poses of the tip one after the other, each from the answer to the one before it, from several firsts at once.

    Args:
        options: As for ``solve_poses``; those of one descent.
        robot: A float64 robot.
        poses: (n, 4, 4) float64.
        firsts: (k, dof) float64, from which the first pose is solved.

    Returns:
        (m, k, dof) the answers and (m, k) whether each was reached; m is n, or less where none is reached any more. None
        where the kernel does not apply or there is no such pose.
    """
    if not dispatch.kernel_applies(options.backend, robot.tree) or not robot.dof or robot.dtype != torch.float64:
        return None
    targets = kernel("ik.targets.ready_targets")(array(poses), ROTATION_TOLERANCE)
    if targets is None:
        return None
    call, answer = _ready(robot, robot.link_index(None)).call(options, _ONES, True), kernel("ik.program.solve")
    found, success = np.empty((len(targets), *firsts.shape)), np.empty((len(targets), len(firsts)), np.bool_)
    q = np.ascontiguousarray(firsts.numpy())
    for tick, target in enumerate(np.repeat(targets[:, None], len(q), axis=1)):
        solution = answer(call, target, q)
        q = found[tick] = solution.q
        success[tick] = solution.success
        if not success[tick].any():
            return torch.from_numpy(found[: tick + 1]), torch.from_numpy(success[: tick + 1])
    return torch.from_numpy(found), torch.from_numpy(success)


def settings_of(options: Options, weights: tuple[float, ...], has_q0: bool) -> Any:
    """The options in the kernel's terms: it counts the first start too."""
    method = options.method
    if not isinstance(method, LevenbergMarquardt):
        raise TypeError(f"The kernel goes downhill by LevenbergMarquardt, not by {type(method).__name__}.")
    return kernel("ik.layout.Settings")(
        weights=weights,
        position_tolerance=options.position_tolerance,
        rotation_tolerance=options.rotation_tolerance,
        margin=options.margin,
        starts=options.max_restarts + 1,
        gives_up=options.gives_up,
        max_iterations=options.max_iterations,
        early_iterations=options.early_iterations,
        grace=GRACE,
        patience=method.patience,
        far=FAR,
        damping=method.damping,
        floor=FLOOR,
        grow=method.grow,
        shrink=method.shrink,
        nearest=options.nearest_of,
        seed=options.seed,
        has_q0=has_q0,
        single=options.dtype == torch.float32,
        joint_weights=options.joint_weights or (),
    )


def program_of(robot: Robot, link: int) -> Any:
    """The kernel's program for a link and the robot's limits, made once."""
    return _ready(robot, link).program


@dataclass(frozen=True, eq=False)
class _Ready:
    """A program and its calls made ready for options, which are told apart by identity."""

    program: Any
    calls: Cache = field(default_factory=lambda: Cache(_CALLS))

    def call(self, options: Options, weights: tuple[float, ...], has_q0: bool) -> Any:
        key = (options, weights, has_q0)
        made = self.calls.get(key)
        if made is None:
            made = self.calls[key] = self.program.call(settings_of(options, weights, has_q0))
        return made


def _ready(robot: Robot, link: int) -> _Ready:
    key = ("ik program", link)
    entry: _Ready | None = robot.cache.get(key)
    if entry is None:
        lower, upper = robot.lower.detach().double(), robot.upper.detach().double()
        low, high = sampling_range(robot.tree, lower, upper)
        limits = (lower.numpy(), upper.numpy(), low.numpy(), high.numpy())
        entry = _Ready(kernel("ik.program.make_program")(dispatch.mechanism(robot.tree), link, *limits))
        if not (robot.lower.requires_grad or robot.upper.requires_grad):  # those may be stepped in place
            robot.cache[key] = entry
    return entry


def expresses(options: Options) -> bool:
    """Whether the kernel can do what the options say."""
    return type(options.method) is LevenbergMarquardt and options.dtype in DTYPES and not options.history


def _in_slices(
    call: Any,
    count: int,
    poses: Callable[[slice], np.ndarray[Any, Any] | None],
    q0: np.ndarray[Any, Any] | None,
    single: bool,
    progress: Progress | None,
) -> Any:
    """The kernel's solution, with ``q`` in float32 if it is to be ``single``.

    In slices, so that what is made of targets and starts on the way stays small.

    Returns:
        The solution; None if ``poses`` of some slice is None.
    """
    answer = kernel("ik.program.solve")
    if count <= SLICE and progress is None:
        targets = poses(slice(0, count))
        if targets is None:
            return None
        found = answer(call, targets, None if q0 is None else q0.astype(np.float64, copy=False))
        return found._replace(q=found.q.astype(np.float32)) if single else found
    whole = kernel("ik.program.new_solution")(call, count, np.float32 if single else np.float64)
    for start in range(0, count, SLICE):
        rows = slice(start, min(start + SLICE, count))
        targets = poses(rows)
        if targets is None:
            return None
        found = answer(call, targets, None if q0 is None else q0[rows].astype(np.float64, copy=False))
        whole.q[rows], whole.success[rows] = found.q, found.success
        whole.whole[:, rows], whole.errors[:, rows] = found.whole, found.errors
        if progress is not None:
            progress(rows.stop, count)
    return whole
