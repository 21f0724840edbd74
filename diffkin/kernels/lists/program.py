"""Inverse kinematics of a list of tasks for many problems, on plain arrays.

``make_program`` packs a mechanism and the tasks' pieces once, ``ListProgram.call`` the settings; ``solve`` answers problems
and ``judge_all`` says what answers are worth. An answer is the same to the bit whether it comes alone or in a batch.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.ik import layout as ik_layout
from diffkin.kernels.ik.hope import HOPE
from diffkin.kernels.ik.layout import Settings
from diffkin.kernels.ik.roberts import roberts_steps
from diffkin.kernels.ik.scales import NEAR2, ROUNDING, farthest_turn
from diffkin.kernels.lists import layout
from diffkin.kernels.lists.judge import judge
from diffkin.kernels.lists.layout import new_books, new_rows, open_call
from diffkin.kernels.lists.pack import Body, Freedom, pack
from diffkin.kernels.lists.pieces import Piece
from diffkin.kernels.lists.reach import Ends, pack_ends, prove
from diffkin.kernels.lists.search import search
from diffkin.kernels.lists.slide import Manner, new_memory
from diffkin.kernels.lists.slide import slide as slide_along
from diffkin.kernels.lists.starts import RANKED, Placed, rank_starts
from diffkin.kernels.lists.targets import make_exact
from diffkin.kernels.threads import run_batch, run_chunks
from diffkin.kernels.tree.mechanism import Mechanism

__all__ = ["ListCall", "ListProgram", "Ranges", "judge_all", "make_program", "ready", "slide", "solve"]

Floats = NDArray[np.float64]

STEP_SECONDS = 0.05  # the loop comes back for interrupts about so often
_CHUNK = 128  # problems a thread takes at once
_SEED_STRIDE = 7919  # points of the sequence between two seeds
_JUDGED = 100  # problems whose judging takes about a tenth of a millisecond


class Ranges(NamedTuple):
    """Of all coordinates.

    Attributes:
        lower: (dof,) limits, -inf where there are none.
        upper: (dof,) limits, inf where there are none.
        low: (dof,) finite lower bounds, within the limits, of the range that starts are drawn from.
        high: (dof,) finite upper bounds.
        wraps: (dof,) whether a turn of 2 pi leads back and the limits leave room for one.
        slides: Whether some coordinate moves along an axis.
        turning: (dof,) angle of the joints that a coordinate turns, per unit of it: what rounding is told by.
        sliding: (dof,) likewise of those it slides.
        constant: Roundings whatever the coordinates.
        length: Of the mechanism [m], its slides at zero.
    """

    lower: Floats
    upper: Floats
    low: Floats
    high: Floats
    wraps: NDArray[np.bool_]
    slides: bool
    turning: Floats
    sliding: Floats
    constant: float
    length: float


class ListCall(NamedTuple):
    """A program and settings, packed for the kernel."""

    reals: Floats
    integers: NDArray[np.int64]
    steps: int  # of the kernel between two looks for an interrupt
    placed: list[Placed]
    sizes: NDArray[np.int64]
    size: tuple[int, ...]  # of the workspace: its sizes, starts, solutions to choose from
    exact: tuple[NDArray[np.int64], NDArray[np.int64]]  # where targets begin, and of which kind they are
    ends: Floats  # what proves that a problem has no solution


class ListProgram:
    """A mechanism, pieces and ranges, made by ``make_program``."""

    def __init__(
        self,
        reals: Floats,
        integers: NDArray[np.int64],
        ranges: Ranges,
        placed: list[Placed],
        ends: Sequence[Ends],
        heaviest: float,
    ) -> None:
        self.reals = reals
        self.integers = integers
        self.ranges = ranges
        self.placed = placed
        self.ends = ends
        self.heaviest = heaviest

    def call(self, settings: Settings) -> ListCall:
        """What ``solve`` takes for these settings; raises OptionError if one is out of its range."""
        settings.check()
        reals, integers, s, ranges = self.reals.copy(), self.integers.copy(), settings, self.ranges
        call = open_call(reals, integers)
        nodes = int(call.sizes[layout.NODES])
        doubt = ROUNDING * 64.0 * (nodes + 1)  # what the judge takes off a tolerance, about
        values = {
            ik_layout.POSITION2: _aim(s.position_tolerance, s.margin, doubt * ranges.length) ** 2,
            ik_layout.ROTATION2: _aim(s.rotation_tolerance, s.margin, doubt) ** 2,
            ik_layout.DAMPING: s.damping,
            ik_layout.FLOOR: s.floor,
            ik_layout.GROW: s.grow,
            ik_layout.SHRINK: s.shrink,
            ik_layout.EARLY: min(s.early_iterations, s.max_iterations),
            ik_layout.GRACE: s.grace,
            ik_layout.MOST_ITERATIONS: s.max_iterations,
            ik_layout.PATIENCE: s.patience,
            ik_layout.FAR2: s.far**2,
            ik_layout.POSITION: s.position_tolerance,
            ik_layout.ROTATION: s.rotation_tolerance,
            ik_layout.FARTHEST: farthest_turn(
                min(s.position_tolerance, s.rotation_tolerance), int(ranges.wraps.sum()), s.single
            ),
            ik_layout.BEYOND: NEAR2 * max(1.0, self.heaviest) ** 2,
            ik_layout.WAIT: float(ranges.slides),
            ik_layout.HOPE2: self._hope2(call) if s.gives_up else np.inf,
            layout.CONSTANT: ranges.constant,
            layout.LENGTH: ranges.length,
        }
        call.settings[list(values)] = list(values.values())
        call.nearness[:] = np.array(s.joint_weights)[call.moving] if s.joint_weights else 1.0
        samples = max((one.program.table(*one.asked).samples for one in self.placed), default=0)
        call.switches[[layout.STARTS, layout.WANTED, layout.HAS_Q0, layout.SINGLE]] = (
            s.starts,
            s.nearest,
            s.has_q0,
            s.single,
        )
        call.switches[layout.RANKED] = RANKED if self.placed else 0
        call.switches[layout.FIRST_POINT] = samples + _SEED_STRIDE * s.seed
        rows, columns = int(call.sizes[layout.ROWS]), int(call.sizes[layout.FREE] + call.sizes[layout.BASE])
        seconds = 2e-6 + 0.1e-6 * nodes + 1e-9 * rows * rows * (columns + rows)
        size = (*call.sizes.tolist(), s.starts, s.nearest)
        exact = np.ascontiguousarray(call.pieces[:, layout.TARGET]), call.exact
        ends = pack_ends(self.ends, s.position_tolerance, s.rotation_tolerance)
        return ListCall(reals, integers, int(STEP_SECONDS / seconds) + 1, self.placed, call.sizes, size, exact, ends)

    def _hope2(self, call: layout.Call) -> float:
        """The square of ``HOPE`` in the units of the squared residual, as in ``diffkin.ik.search``."""
        ranges, tasks = self.ranges, int((call.pieces[:, layout.CLOSES] != 0).sum())
        slides = ranges.sliding > 0
        extent = ranges.length + float(((ranges.upper - ranges.lower)[slides] * ranges.sliding[slides]).sum())
        return tasks * (HOPE * max(1.0, self.heaviest) * max(1.0, extent)) ** 2


def make_program(
    mechanism: Mechanism,
    pieces: Sequence[Piece],
    bodies: Sequence[Body],
    freedom: Freedom,
    ranges: Ranges,
    placed: Sequence[Placed] = (),
    ends: Sequence[Ends] = (),
) -> ListProgram:
    """Pack a mechanism and what is asked of it for ``solve``.

    Args:
        mechanism: The tree of joints.
        pieces: What is asked, their links numbered as the mechanism's frames.
        bodies: Where the centre of mass is asked for.
        freedom: What may move.
        ranges: Of the coordinates.
        placed: Links whose joints start from stored samples, the more important first.
        ends: Points whose distance proves that some problems have no solution.

    Returns:
        The program.
    """
    reals, integers = pack(mechanism, pieces, bodies, freedom)
    call = open_call(reals, integers)
    moving = call.moving.tolist()
    for name in ("lower", "upper", "low", "high", "wraps"):
        getattr(call, name)[:] = getattr(ranges, name)[moving]
    call.least[:], call.greatest[:] = ranges.lower, ranges.upper
    call.turning[:], call.sliding[:] = ranges.turning, ranges.sliding
    call.step[:] = roberts_steps(len(moving) + 3)
    call.ranked[:] = -1
    used: list[Placed] = []
    for one in placed:
        chain = one.program.chain.moving.tolist()
        fresh = [c for c in chain if c in moving and call.ranked[moving.index(c)] < 0]
        if fresh and not call.sizes[layout.BASE]:
            steps = roberts_steps(len(chain))
            for c in fresh:
                call.ranked[moving.index(c)], call.ranked_step[moving.index(c)] = len(used), steps[chain.index(c)]
            used.append(one)
    call.switches[layout.MASSES] = bool(bodies)
    return ListProgram(reals, integers, ranges, used, ends, max(max(piece.weights) for piece in pieces))


def _aim(tolerance: float, margin: float, doubt: float) -> float:
    """What the search aims at, so that the judge, who takes off a doubt, agrees."""
    return min(margin * tolerance, max(tolerance - doubt, 0.2 * tolerance))


def _chunk(count: int) -> int:
    return _CHUNK if count >= 4 * _CHUNK else max(8, -(-count // 4))


_local = threading.local()


def _workspace(call: ListCall) -> tuple[NDArray[Any], ...]:
    """This thread's memory for a search of that size: rows, books, counts, answers; it keeps the last one."""
    if getattr(_local, "size", None) != call.size:
        sizes, (starts, wanted) = call.sizes, call.size[-2:]
        width = ik_layout.COORDINATES + int(sizes[layout.FREE]) + 12 * bool(sizes[layout.BASE])
        counts, answers = np.zeros((layout.W, starts + 1), np.int32), np.zeros((layout.W, wanted + 1, width))
        _local.arrays = (new_rows(sizes), new_books(), counts, answers)
        _local.size = call.size
    return _local.arrays


def ready(call: ListCall, targets: Floats) -> None:
    """Make targets (B, NUMBERS) exact, in their place."""
    make_exact(targets, *call.exact)


def solve(
    call: ListCall,
    targets: Floats,
    bases: Floats,
    q0: Floats,
    out_q: Floats,
    out_base: Floats,
    out_whole: NDArray[np.int64],
) -> None:
    """Coordinates that meet the targets, by Levenberg-Marquardt within the limits from ranked starts.

    Args:
        call: The program with its settings.
        targets: (B, NUMBERS) C-contiguous, made exact.
        bases: (B, 12) poses of the base, (0, 12) for the identity.
        q0: (B, dof) first starts, (0, dof) if there are none.
        out_q: (B, dof) gets the free coordinates: of the lowest-ranked start that converges, else the best found.
        out_base: (B, 12) gets the base, (0, 12) where it is not free.
        out_whole: (B, 2) gets the larger of its rank and what is there; steps are added.
    """
    count = len(targets)
    ranked = rank_starts(call.placed, targets, bases, count)
    proven = prove(call.ends, targets, bases)
    stopped = False

    def work(begin: int, end: int) -> None:
        nonlocal stopped
        rows, books, counts, answers = _workspace(call)
        books[: ik_layout.CHUNK] = begin, end, begin, 0
        try:
            while not stopped and search(
                call.steps, rows, books, counts, answers, call.reals, call.integers, ranked, proven, targets, bases, q0,
                out_q, out_base, out_whole,
            ):  # fmt: skip
                pass
        except BaseException:
            stopped = True  # the other threads return within STEP_SECONDS
            raise

    run_chunks(work, count, _chunk(count))


def slide(
    call: ListCall,
    manner: Manner,
    targets: Floats,
    bases: Floats,
    q0: Floats,
    q: Floats,
    found: Floats,
    whole: NDArray[np.int64],
) -> None:
    """Bring problems that meet level 0 to the least of the cost of each later level in turn, and leave the others.

    Args:
        call: A program of all levels with its settings.
        manner: How to slide.
        targets: (B, NUMBERS) C-contiguous, made exact.
        bases: (B, 12) poses of the base, (0, 12) for the identity.
        q0: (B, dof) where whole turns lead to, (0, dof) for zero.
        q: (B, dof) coordinates, replaced.
        found: (B, 12) bases that are free, replaced; (0, 12) where none is.
        whole: (B, 2) of which the second gets the slides added.
    """
    rule = np.array(manner, np.float64)
    levels = range(1, int(open_call(call.reals, call.integers).pieces[:, layout.LEVEL].max()) + 1)

    def work(begin: int, end: int) -> None:
        rows, memory = new_rows(call.sizes), new_memory(call.sizes)
        for level in levels:
            slide_along(
                rows, memory, call.reals, call.integers, rule, level, targets, bases, q0, q, found, whole, begin, end
            )  # fmt: skip

    run_chunks(work, len(q), _chunk(len(q)))


def judge_all(call: ListCall, targets: Floats, bases: Floats, q: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Largest errors (2, B) of a task [m, rad], and whether both are within tolerance; ``q`` (B, dof) is rounded to
    float32 before where the settings say so.
    """
    count = len(q)
    errors, success = np.empty((2, count)), np.empty(count, np.bool_)

    def work(start: int, stop: int) -> None:
        judge(new_rows(call.sizes), call.reals, call.integers, targets, bases, q, errors, success, start, stop)

    run_batch(work, (), count, _JUDGED)
    return errors, success
