"""Inverse kinematics of lists of tasks by a fused kernel: several links, locked joints, free bases, on the CPU."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffkin._gate import is_plain, kernel
from diffkin.ik import kernel_route
from diffkin.ik.options import Options
from diffkin.ik.problem import Problem, State, make_problem
from diffkin.ik.reach import NO_ROTATION, on_axis, reach
from diffkin.ik.result import IKResult
from diffkin.ik.search import Progress
from diffkin.ik.solvers.priority import KEPT, STILL, SelfMotion
from diffkin.ik.tasks import Task
from diffkin.kernels.lists.pieces import PLACE, POINT, RAY, TURN, Piece
from diffkin.kinematics import dispatch
from diffkin.kinematics.kept import Cache
from diffkin.kinematics.ranges import sampling_range

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["solve_tasks"]

Floats = NDArray[np.float64]

_TIMED_SLICE = 32  # problems that the kernel solves between two looks at the clock
_LISTS = 32  # lists of tasks kept ready for a robot
_CALLS = 16  # sets of options kept ready for a list
_ONES = (1.0,) * 6
_NOTHING = np.zeros((0, 0))
_Solve = Callable[..., None]  # of targets, bases, first starts, and the arrays that get coordinates, bases and counts


def solve_tasks(
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
) -> IKResult | None:
    """Solve checked tasks in one go: single problems take microseconds, so what depends on their targets alone is done in
    NumPy and in kernels, and all else once for a robot and a kind of list.

    Args:
        robot: The robot.
        tasks: The tasks as the caller gave them.
        options: How to solve.
        q0: (*batch, dof) first starts, or None.
        base: (*batch, 4, 4) poses of the base, or None.
        free_base: As in ``solve_ik``.
        movable: (dof,) False for locked coordinates.
        batch: Leading axes of the problems.
        progress: Called after each slice.
        deadline: When ``time.monotonic()`` is past it, no further slice is begun.

    Returns:
        The result; None where the kernel does not apply.
    """
    if not dispatch.kernel_applies(options.backend, robot.tree) or not kernel_route.expresses(options):
        return None
    pieces = _pieces(tasks)
    if pieces is None:
        return None
    count = batch.numel()
    sliding = any(task.priority for task in tasks)  # so what is nearest is known only after that
    if not count or ((free_base or sliding) and options.nearest_of > 1):
        return None
    size = _TIMED_SLICE if deadline < float("inf") else kernel_route.SLICE
    part = _part_of(tasks, q0, base, batch, None if count <= size else slice(0, size))
    if not all(is_plain(given) for given in (*part.numbers, part.q0, part.base) if given is not None):
        return None
    ready = _ready(robot, part.tasks, pieces, part.base, free_base, movable, part.batch)
    shape, dof = tuple(batch), robot.tree.dof
    single = options.dtype == torch.float32
    whole, every, groups = ready.calls_for(options, q0 is not None)
    q, success, counts = np.empty((count, dof)), np.empty(count, bool), np.zeros((count, 2), np.int64)
    errors = np.empty((2, count))
    found = np.empty((count, 12)) if free_base else _NOTHING
    late = False
    for start in range(0, count, size):
        rows = slice(start, min(start + size, count))
        if start:
            part = _part_of(tasks, q0, base, batch, rows)
            late = late or time.monotonic() > deadline  # what is not begun is judged where it would have begun
        targets = _targets(part, len(ready.derived))
        first = _NOTHING if part.q0 is None else _rows(part.q0.detach().numpy(), part.batch, dof)
        placed = _NOTHING if part.base is None else _rows(_columns(part.base.detach().numpy()), part.batch, 12)
        kernel("lists.program.ready")(every, targets)
        width = targets.shape[1] - 12 * len(ready.derived)
        for k, (own, other) in enumerate(ready.derived):
            targets[:, width + 12 * k : width + 12 * (k + 1)] = _product(targets[:, other:], targets[:, own:])
        q[rows] = first if q0 is not None else 0.0
        np.clip(q[rows], ready.lower, ready.upper, out=q[rows])
        if free_base:
            found[rows] = placed
        if not late:
            for solve in groups:
                solve(targets, placed, first, q[rows], found[rows], counts[rows])
            if sliding:
                kernel("lists.program.slide")(
                    every, ready.manner, targets, placed, first, q[rows], found[rows], counts[rows]
                )
            if progress is not None:
                progress(rows.stop, count)
        judged = kernel("lists.program.judge_all")(whole, targets, found[rows] if free_base else placed, q[rows])
        errors[:, rows], success[rows] = judged
    as_tensor = torch.from_numpy
    poses = as_tensor(_matrices(found).reshape(*shape, 4, 4)).to(robot.dtype) if free_base else None
    return IKResult(
        as_tensor((q.astype(np.float32) if single else q).reshape(*shape, dof)),
        as_tensor(success.reshape(shape)),
        as_tensor(errors[0].reshape(shape)),
        as_tensor(errors[1].reshape(shape)),
        as_tensor(counts[:, 1].reshape(shape)),
        as_tensor(counts[:, 0].reshape(shape)),
        poses,
    )


class _Part(NamedTuple):
    """Some of the problems, and what is asked in them; arguments as in ``solve_tasks``."""

    tasks: Sequence[Task]
    numbers: list[Tensor]
    q0: Tensor | None
    base: Tensor | None
    batch: torch.Size


def _part_of(
    tasks: Sequence[Task], q0: Tensor | None, base: Tensor | None, batch: torch.Size, rows: slice | None
) -> _Part:
    """Some rows of the flattened batch, or all of it: only these are copied, however large it is."""
    if rows is not None:
        chosen = np.unravel_index(np.arange(rows.start, rows.stop), tuple(batch))
        places = tuple(map(torch.from_numpy, chosen))

        def some(given: Tensor, axes: int) -> Tensor:
            return given.expand(*batch, *given.shape[given.ndim - axes :])[places]

        tasks = [task.for_rows(some) for task in tasks]
        q0 = None if q0 is None else some(q0, 1)
        base = None if base is None else some(base, 2)
        batch = torch.Size([rows.stop - rows.start])
    return _Part(tasks, [task.kernel_numbers() for task in tasks], q0, base, batch)


def _targets(part: _Part, derived: int) -> Floats:
    """(count, width) numbers of all tasks side by side, with room for ``derived`` poses after them."""
    shape, width = tuple(part.batch), sum(number.shape[-1] for number in part.numbers)
    targets = np.empty((part.batch.numel(), width + 12 * derived))
    spread, at = targets.reshape(*shape, -1), 0
    for number in part.numbers:
        spread[..., at : at + number.shape[-1]] = number.detach().numpy()
        at += number.shape[-1]
    return targets


@dataclass(frozen=True, eq=False)
class _Ready:
    """The programs of a kind of list, their calls made ready for options, which are told apart by identity.

    Attributes:
        whole: Of the tasks of priority 0, by which answers are judged.
        every: Of all tasks, where those of later priorities slide; else the same.
        manner: How they slide.
        groups: Of the tasks of priority 0, those that can be solved by themselves.
        lower: (dof,) limits; upper likewise.
        upper: (dof,) limits.
        derived: Places of two poses among the targets whose product, the second first, says where a link is wanted: it
            follows the targets.
    """

    whole: Any
    every: Any
    manner: Any
    groups: Sequence[Callable[[Options, bool], _Solve]]
    lower: Floats
    upper: Floats
    derived: Sequence[tuple[int, int]]
    calls: Cache = field(default_factory=lambda: Cache(_CALLS))

    def calls_for(self, options: Options, has_q0: bool) -> tuple[Any, Any, list[_Solve]]:
        """What the judge takes, what slides, and what solves each group."""
        key = (options, has_q0)
        made: tuple[Any, Any, list[_Solve]] | None = self.calls.get(key)
        if made is None:
            settings = kernel_route.settings_of(options, _ONES, has_q0)
            whole = self.whole.call(settings)
            every = whole if self.every is self.whole else self.every.call(settings)
            made = self.calls[key] = (whole, every, [group(options, has_q0) for group in self.groups])
        return made


def _pieces(tasks: Sequence[Task]) -> list[tuple[Piece, ...]] | None:
    """What each task asks of the kernel; None if one cannot be asked of it."""
    found = []
    for task in tasks:
        pieces = task.kernel_pieces()
        if pieces is None:
            return None
        found.append(pieces)
    return found


def _ready(
    robot: Robot,
    tasks: Sequence[Task],
    pieces: Sequence[tuple[Piece, ...]],
    base: Tensor | None,
    free_base: str | None,
    movable: Tensor,
    batch: torch.Size,
) -> _Ready:
    lists: Cache | None = robot.cache.get("ik lists")
    if lists is None:
        lists = robot.cache["ik lists"] = Cache(_LISTS)
    links = tuple(task.links for task in tasks)
    levels = tuple(task.priority for task in tasks)
    key = (
        tuple(pieces),
        links,
        levels,
        free_base,
        base is not None,
        None if bool(movable.all()) else tuple(movable.tolist()),
    )
    entry: _Ready | None = lists.get(key)
    if entry is None:
        problem = make_problem(robot, tasks, batch, movable, free_base)
        middle = torch.zeros(1, robot.dof, dtype=torch.float64, device="cpu").clamp(problem.lower, problem.upper)
        place = None if base is None else base.detach().double().expand(*batch, 4, 4).reshape(-1, 4, 4)[:1]
        problem = problem.tried(State(middle, place, torch.zeros(1, dtype=torch.long, device="cpu")), batch.numel())
        entry = _make_ready(robot, problem, base is not None)
        learnt = any(part.requires_grad for part in (robot.link_masses, robot.link_centers))
        if problem.keeps and not (learnt and any(task.kernel_bodies() for task in problem.tasks)):
            lists[key] = entry
    return entry


def _make_ready(robot: Robot, problem: Problem, based: bool) -> _Ready:
    """The programs of a problem's tasks; ``based`` says whether poses of the base are given."""
    low, high = sampling_range(problem.tree, problem.lower, problem.upper)
    rounding, moves = problem.rounding, problem.moves
    arrays = [part.numpy() for part in (problem.lower, problem.upper, low, high, problem.turns)]
    ranges = kernel("lists.program.Ranges")(
        *arrays,
        bool(problem.slides.any()),
        rounding.turns.numpy(),
        rounding.slides.numpy(),
        rounding.constant,
        rounding.length,
    )
    freedom = kernel("lists.pack.Freedom")(problem.movable.numpy(), moves.shifts, moves.turns, moves.world)
    mechanism = dispatch.mechanism(problem.tree)
    begins, at = [], 0
    derived: list[tuple[int, int]] = []
    for task in problem.tasks:
        begins.append(at)
        at += task.kernel_numbers().shape[-1]

    def program(group: Sequence[int]) -> Any:
        pieces: list[Piece] = []
        bodies = []
        for k in group:
            links, begin = problem.links[k], begins[k]
            own = problem.tasks[k].kernel_pieces() or ()
            level = problem.levels.index(problem.tasks[k].priority)
            pieces += [_numbered(piece, links, begin, level) for piece in own]
            body = kernel("lists.pack.Body")
            bodies += [body(links[place], share, center) for place, share, center in problem.tasks[k].kernel_bodies()]
        alone = problem.free_base or pieces[-1].level > 0
        placed, ends = ([], []) if alone else (_placed(robot, pieces, at, derived), _ends(robot, pieces))
        return kernel("lists.program.make_program")(mechanism, pieces, bodies, freedom, ranges, placed, ends)

    by_level = sorted(range(len(problem.tasks)), key=lambda k: problem.tasks[k].priority)
    hard = [k for k in by_level if problem.tasks[k].priority == 0]
    whole = program(hard)
    every = program(by_level) if problem.has_second else whole
    groups: list[Callable[[Options, bool], _Solve]] = []
    for group in [[hard[k] for k in members] for members in problem.only(0).groups()]:
        task = problem.tasks[group[0]]
        weights = task.kernel_weights(turned=based) if len(group) == 1 and not problem.free_base else None
        if weights is not None and bool(problem.movable.all()):
            last = begins[group[0]] + task.kernel_numbers().shape[-1]
            groups.append(partial(_by_chain, robot, problem.links[group[0]][0], weights, begins[group[0]], last - 3))
        else:
            groups.append(partial(_by_list, whole if len(group) == len(hard) else program(group)))
    method = SelfMotion()
    manner = kernel("lists.slide.Manner")(method.max_iterations, method.damping, method.patience, STILL, KEPT)
    return _Ready(whole, every, manner, groups, arrays[0], arrays[1], derived)


def _by_list(program: Any, options: Options, has_q0: bool) -> _Solve:
    """What solves tasks that belong together."""
    call = program.call(kernel_route.settings_of(options, _ONES, has_q0))
    return partial(kernel("lists.program.solve"), call)


def _by_chain(
    robot: Robot, link: int, weights: tuple[float, ...], turn: int, place: int, options: Options, has_q0: bool
) -> _Solve:
    """What solves one task that places one link: the kernel for poses. Its target's columns begin at ``turn``, its position
    at ``place``.
    """
    program = kernel_route.program_of(robot, link)
    call = program.call(kernel_route.settings_of(options, weights, has_q0))
    moving = program.chain.moving
    position, rotation = any(weights[:3]), any(weights[3:])
    answer = kernel("ik.program.solve")

    def solve(targets: Floats, bases: Floats, q0: Floats, q: Floats, found: Floats, counts: NDArray[np.int64]) -> None:
        poses = np.zeros((len(targets), 4, 4))
        poses[:] = np.eye(4)
        if rotation:
            poses[:, :3, :3] = np.swapaxes(targets[:, turn : turn + 9].reshape(-1, 3, 3), -1, -2)
        if position:
            poses[:, :3, 3] = targets[:, place : place + 3]
        if len(bases):
            placed = _matrices(bases)
            back = np.swapaxes(placed[:, :3, :3], -1, -2)
            poses[:, :3, 3] -= placed[:, :3, 3]
            poses[:, :3] = back @ poses[:, :3]
        done = answer(call, poses, q0 if has_q0 else None)
        q[:, moving] = done.q[:, moving]
        counts[:, 0] = np.maximum(counts[:, 0], done.rank)
        counts[:, 1] += done.iterations

    return solve


def _numbered(piece: Piece, links: Sequence[int], begin: int, level: int) -> Piece:
    """A piece with the robot's numbers of links, its place among the targets of all tasks, and its level."""
    link, reference = (-1 if place < 0 else links[place] for place in (piece.link, piece.reference))
    return piece._replace(link=link, reference=reference, target=begin + piece.target, level=level)


def _placed(robot: Robot, pieces: Sequence[Piece], width: int, derived: list[tuple[int, int]]) -> list[Any]:
    """The links that pieces place in the world, in the order of the tasks; then those that are placed as seen from one of
    them. What these are derived from is added to ``derived``, and so are they to the ``width`` numbers of all targets.
    """
    wholes = {piece.target for piece in pieces if piece.kind == PLACE} & {p.target for p in pieces if p.kind == TURN}
    made: list[Any] = []
    kind, program = kernel("lists.starts.Placed"), partial(kernel_route.program_of, robot)
    for piece in pieces:
        if piece.reference < 0 and piece.kind in (PLACE, POINT, TURN):
            turns = piece.kind == TURN or piece.target in wholes
            if piece.kind != TURN or piece.target not in wholes:
                place = {PLACE: piece.target + 9, POINT: piece.target, TURN: -1}[piece.kind]
                made.append(kind(program(piece.link), place, piece.target if turns else -1))
    for piece in pieces:
        if piece.kind == PLACE and piece.reference >= 0 and piece.target in wholes:
            known = [p.target for p in pieces if p.kind == PLACE and p.reference < 0 and p.link == piece.reference]
            if known and known[0] in wholes:
                pair = (piece.target, known[0])
                if pair not in derived:
                    derived.append(pair)
                at = width + 12 * derived.index(pair)
                made.append(kind(program(piece.link), at + 9, at))
    return made


def _ends(robot: Robot, pieces: Sequence[Piece]) -> list[Any]:
    """What pieces that hold a link in the world say of the distance between a point of the base and one of the link."""
    made: list[Any] = []
    kind = kernel("lists.reach.Ends")
    held = [piece for piece in pieces if piece.reference < 0]
    for piece in held:
        if piece.kind not in (PLACE, POINT) or min(piece.weights) == 0:
            continue
        place = piece.target + (9 if piece.kind == PLACE else 0)
        fixed, _, least, most = reach(robot, piece.link)
        made.append(kind(place, -1, False, tuple(fixed.tolist()), (0.0, 0.0, 0.0), least, most))
        fixed, carried, least, most = reach(robot, piece.link, rigid=True)
        for other in held:
            if other.link != piece.link or other.kind not in (TURN, RAY):
                continue
            point, turn, spread, directed = tuple(carried.tolist()), other.target, other.angle, False
            if other.kind == RAY or min(other.weights) == 0:  # of a rotation with one free axis, that axis is held
                free = [axis for axis in range(3) if other.weights[axis] == 0]
                if len(free) != (0 if other.kind == RAY else 1):
                    continue
                axis = other.axis if other.kind == RAY else tuple(float(k == free[0]) for k in range(3))
                along = on_axis(carried, carried.new_tensor(axis))
                if along is None:
                    continue
                point, directed = (along, 0.0, 0.0), True
                turn += 0 if other.kind == RAY else 3 * free[0]
            made.append(kind(place, turn, directed, tuple(fixed.tolist()), point, least, most, spread + NO_ROTATION))
    return made


def _product(first: Floats, second: Floats) -> Floats:
    """(count, 12) columns of the products of poses given by theirs."""
    return _columns(_matrices(first[:, :12]) @ _matrices(second[:, :12]))


def _rows(array: NDArray[Any], shape: tuple[int, ...], width: int) -> Floats:
    """(count, width) of an array (*batch, width) that broadcasts with the batch, in memory of its own: kernels are compiled
    for arrays that may be written.
    """
    return np.array(np.broadcast_to(array, (*shape, width)), np.float64, order="C").reshape(-1, width)


def _columns(poses: NDArray[Any]) -> NDArray[Any]:
    """(*batch, 12) columns x, y, z and origin of poses (*batch, 4, 4)."""
    return np.swapaxes(poses[..., :3, :], -1, -2).reshape(*poses.shape[:-2], 12)


def _matrices(columns: Floats) -> Floats:
    """Poses (count, 4, 4) of their columns (count, 12)."""
    poses = np.zeros((len(columns), 4, 4))
    poses[:, :3] = np.swapaxes(columns.reshape(-1, 4, 3), -1, -2)
    poses[:, 3, 3] = 1.0
    return poses
