"""Inverse kinematics of one frame of a mechanism for many targets, on plain arrays.

``make_program`` packs a mechanism once; ``solve`` answers targets. The answer for a target is the same to the bit
whether it comes alone or in a batch, whatever the batch's order and the number of threads.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffkin.errors import OptionError
from diffkin.kernels.ik import layout as ik_layout
from diffkin.kernels.ik.chain import Chain, pack_chain
from diffkin.kernels.ik.judge import judge
from diffkin.kernels.ik.layout import SETTINGS, SWITCHES, Workspace
from diffkin.kernels.ik.search import search
from diffkin.kernels.ik.table import StartTable, build_table, roberts_steps
from diffkin.kernels.threads import run_chunks

__all__ = ["IkProgram", "Options", "Solution", "answer", "errors", "make_program", "new_solution", "solve"]

Floats = NDArray[np.float64]

CHUNK = 512  # targets a thread takes at once
STEP_SECONDS = 0.05  # the loop comes back for interrupts about so often


class Solution(NamedTuple):
    """What ``solve`` found for B targets."""

    q: Floats  # (B, dof) within limits, unlimited revolute coordinates in (-pi, pi]
    position_error: Floats  # (B,) [m] over the axes that count
    rotation_error: Floats  # (B,) [rad] likewise
    success: NDArray[np.bool_]  # (B,) both errors within tolerance
    iterations: NDArray[np.int64]  # (B,) over all starts up to the one that answers
    rank: NDArray[np.int64]  # (B,) of the start that answers: the lowest that converged, else the one that came nearest


class Options(NamedTuple):
    """A program and a set of options, checked and turned into what the kernel takes."""

    dof: int
    size: tuple[int, int, int, int, int]  # of the workspace
    steps: int  # of the kernel between two looks for an interrupt
    fixed: tuple[NDArray[Any], ...]  # arguments that do not depend on the targets


class IkProgram:
    """A mechanism, the frame to place and the limits, packed for the kernels by ``make_program``."""

    def __init__(self, chain: Chain, dof: int, ranges: Floats, indices: NDArray[np.int64]) -> None:
        self.chain = chain
        self.dof = dof
        self.ranges = ranges
        self.indices = indices
        self._tables: dict[tuple[bool, bool], StartTable] = {}
        self._options: dict[tuple[object, ...], Options] = {}
        self._lock = threading.Lock()

    def options(
        self,
        weights: tuple[float, ...] | None,
        position_tolerance: float,
        rotation_tolerance: float,
        max_restarts: int,
        max_iterations: int,
        nearest: int,
        seed: int,
        early_iterations: int,
        has_q0: bool,
        single: bool,
    ) -> Options:
        """Options as for ``solve``, made once; ``has_q0`` says whether first starts will be given."""
        key = (
            weights, position_tolerance, rotation_tolerance, max_restarts, max_iterations, nearest, seed,
            early_iterations, has_q0, single,
        )  # fmt: skip
        made = self._options.get(key)
        if made is None:
            made = self._options[key] = _prepare(self, *key)
        return made

    def table(self, position: bool, rotation: bool) -> StartTable:
        """The start table for targets whose position or rotation counts, made at its first use."""
        key = (position, rotation)
        if key not in self._tables:
            with self._lock:
                if key not in self._tables:
                    m = len(self.chain.moving)
                    low, high = self.ranges[2 * m : 3 * m], self.ranges[3 * m : 4 * m]
                    self._tables[key] = build_table(self.chain, low, high, position, rotation)
        return self._tables[key]


def make_program(
    parent: NDArray[np.int64],
    kind: NDArray[np.int64],
    coordinate: NDArray[np.int64],
    multiplier: Floats,
    offset: Floats,
    origin: Floats,
    axis: Floats,
    dof: int,
    frame_joint: int,
    frame_offset: Floats,
    lower: Floats,
    upper: Floats,
) -> IkProgram:
    """Pack a mechanism for ``solve``.

    Args:
        parent: (n,) parent joint of every joint, -1 for the base; parents come first.
        kind: (n,) 0 revolute, 1 prismatic.
        coordinate: (n,) index into q. A joint's value is ``multiplier * q[coordinate] + offset``.
        multiplier: (n,).
        offset: (n,) [rad] or [m].
        origin: (n, 4, 4) pose of the joint's frame, before it moves, in that of its parent joint.
        axis: (n, 3) axis in the joint's frame.
        dof: Number of coordinates.
        frame_joint: The joint that carries the frame, -1 for the base.
        frame_offset: (4, 4) pose of the frame in that joint's frame.
        lower: (dof,) limits, -inf where there are none.
        upper: (dof,) limits, inf where there are none.

    Returns:
        The program.
    """
    chain = pack_chain(parent, kind, coordinate, multiplier, offset, origin, axis, frame_joint, frame_offset)
    moving = chain.moving
    m = len(moving)
    slides, turns = np.zeros(m, bool), np.zeros(m, bool)  # moves a prismatic joint; a turn of 2 pi leads back
    turns[:] = True
    joint = int(frame_joint)
    while joint >= 0:
        c = int(np.flatnonzero(moving == coordinate[joint])[0])
        slides[c] |= bool(kind[joint])
        turns[c] &= not kind[joint] and float(multiplier[joint]).is_integer()
        joint = int(parent[joint])
    least, most = lower[moving].astype(np.float64), upper[moving].astype(np.float64)
    free = np.isinf(least) & np.isinf(most)
    wraps = free & turns
    # a coordinate without limits that turns its joints by other than whole multiples stays within one turn
    least = np.where(free & ~turns & ~slides, -math.pi, least)
    most = np.where(free & ~turns & ~slides, math.pi, most)
    wide = np.where(slides, 1.0, math.pi)  # where an unlimited coordinate is sampled
    low = np.where(np.isinf(least), np.where(np.isinf(most), -wide, most - 2 * wide), least)
    high = np.where(np.isinf(most), np.where(np.isinf(least), wide, least + 2 * wide), most)
    first = np.array([c not in chain.column[:j] for j, c in enumerate(chain.column)], dtype=np.int64)
    rest = np.clip(np.zeros(dof), lower, upper)
    fixed = rest, lower.astype(np.float64), upper.astype(np.float64)
    ranges = np.concatenate([least, most, low, high, roberts_steps(m), *fixed, chain.last, [chain.length]])
    indices = np.concatenate([moving, wraps.astype(np.int64), chain.column, first])
    return IkProgram(chain, dof, ranges, indices)


def _prepare(
    program: IkProgram,
    weights: tuple[float, ...] | None,
    position_tolerance: float,
    rotation_tolerance: float,
    max_restarts: int,
    max_iterations: int,
    nearest: int,
    seed: int,
    early_iterations: int,
    has_q0: bool,
    single: bool,
) -> Options:
    """The numbers of a set of options, checked."""
    if not (position_tolerance > 0 and rotation_tolerance > 0):
        raise OptionError(f"Tolerances must be positive, not {position_tolerance!r} and {rotation_tolerance!r}.")
    if max_restarts < 1 or max_iterations < 1 or nearest < 1:
        raise OptionError(
            "max_restarts, max_iterations and nearest must be at least 1, "
            f"not {max_restarts}, {max_iterations} and {nearest}."
        )
    if nearest > 1 and not has_q0:
        raise OptionError(f"nearest={nearest} needs q0, the configuration to be near to.")
    w = np.ones(6) if weights is None else np.array(weights, dtype=np.float64)
    if w.shape != (6,) or not np.isfinite(w).all() or (w < 0).any() or not (w > 0).any():
        raise OptionError(f"weights must be six numbers from 0 on, not all 0, got {weights!r}.")
    table = program.table(bool((w[:3] > 0).any()), bool((w[3:] > 0).any()))
    keep = table.ids.shape[1]
    settings = np.zeros(SETTINGS)
    # what rounding may add when the answer is judged, and rounding it to float32 before
    margin = 0.2 if single else 0.999
    settings[ik_layout.POSITION2] = (margin * position_tolerance / program.chain.length) ** 2
    settings[ik_layout.ROTATION2] = (margin * rotation_tolerance) ** 2
    settings[ik_layout.DAMPING] = 3e-3
    settings[ik_layout.FLOOR] = 1e-9
    settings[ik_layout.GROW] = 4.0
    settings[ik_layout.SHRINK] = 0.5
    settings[ik_layout.LIMIT] = min(early_iterations, max_iterations)
    settings[ik_layout.LIMIT_STEP] = 0.25
    settings[ik_layout.LIMIT_TOP] = max_iterations
    settings[ik_layout.PATIENCE] = 8.0
    settings[ik_layout.PROGRESS] = 1e-4
    settings[ik_layout.POSITION] = position_tolerance
    settings[ik_layout.ROTATION] = rotation_tolerance
    settings[ik_layout.WEIGHTS :] = w
    switches = np.zeros(SWITCHES, np.int64)
    switches[ik_layout.RESTARTS] = max_restarts
    switches[ik_layout.WANTED] = nearest
    switches[ik_layout.HAS_Q0] = has_q0
    switches[ik_layout.TABLE_RANKS] = min(16, keep)
    switches[ik_layout.FIRST_POINT] = table.samples + 7919 * seed
    switches[ik_layout.WEIGHTED] = bool((w != 1).any())
    switches[ik_layout.PARTIAL] = len(set(w[3:])) > 1
    switches[ik_layout.SINGLE] = single
    grid = np.concatenate([table.low, table.inverse, table.weights])
    chain = program.chain
    n, m = len(chain.joints), len(chain.moving)
    return Options(
        program.dof,
        (n, m, keep, max_restarts, nearest),
        int(STEP_SECONDS / (1e-6 + 0.2e-6 * n)) + 1,
        (settings, switches, chain.start, chain.joints, program.ranges, program.indices, grid, table.counts,
         table.frames, table.ids),
    )  # fmt: skip


_local = threading.local()
_NO_Q0 = np.zeros((0, 0))


def _workspace(size: tuple[int, int, int, int, int]) -> Workspace:
    """This thread's workspace of that size; it keeps the last one."""
    if getattr(_local, "size", None) != size:
        _local.workspace = Workspace(*size)
        _local.size = size
    return _local.workspace


def solve(
    program: IkProgram,
    targets: Floats,
    q0: Floats | None = None,
    *,
    weights: Sequence[float] | None = None,
    position_tolerance: float = 1e-6,
    rotation_tolerance: float = 1e-6,
    max_restarts: int = 100,
    max_iterations: int = 60,
    nearest: int = 1,
    seed: int = 0,
    early_iterations: int = 16,
    single: bool = False,
) -> Solution:
    """Coordinates that bring the frame to each target, by Levenberg-Marquardt within the limits from ranked starts.

    Args:
        program: The packed mechanism.
        targets: (B, 4, 4) finite poses of the frame in the base; their rotations exact to rounding.
        q0: (B, dof) tried first, projected onto the limits; coordinates that do not move the frame keep its values.
        weights: Six weights of the position error along the base axes and of the rotation vector of ``R_target R^T`` in
            base axes; 0 leaves an axis free. All 1 if None.
        position_tolerance: [m], for the norm of the position error over the axes that count.
        rotation_tolerance: [rad], for the angle, or the norm of the rotation vector over the axes that count.
        max_restarts: Starts tried for a target.
        max_iterations: Iterations of one start, at most; early starts give up sooner.
        nearest: Of the first so many starts that converge, the one nearest to q0 is the answer.
        seed: Chooses the starts that follow the table's.
        early_iterations: Iterations of the first starts, at most.
        single: Whether the answers are rounded to float32 before they are judged.

    Returns:
        The solution: of the lowest-ranked start that converges, else the best that was found.

    Raises:
        OptionError: If an option is out of its range.
    """
    chosen = None if weights is None else tuple(weights)
    options = program.options(
        chosen, position_tolerance, rotation_tolerance, max_restarts, max_iterations, nearest, seed, early_iterations,
        q0 is not None, single,
    )  # fmt: skip
    first = None if q0 is None else np.ascontiguousarray(q0, np.float64)
    return answer(options, np.ascontiguousarray(targets, np.float64), first)


def answer(options: Options, targets: Floats, q0: Floats | None) -> Solution:
    """``solve`` with options made before, for C-contiguous float64 arrays."""
    count = len(targets)
    out = new_solution(options, count)
    # in the order of the kernel's arguments
    written = (out.q, out.rank, out.iterations, out.position_error, out.rotation_error, out.success)
    arguments = (targets, _NO_Q0 if q0 is None else q0, *options.fixed, *written)
    stopped = False

    def work(begin: int, end: int) -> None:
        nonlocal stopped
        workspace = _workspace(options.size)
        workspace.take(begin, end)
        try:
            while not stopped and search(options.steps, *workspace.arrays, *arguments):
                pass
        except BaseException:
            stopped = True  # the other threads return within STEP_SECONDS
            raise

    run_chunks(work, count, CHUNK if count >= 4 * CHUNK else max(32, -(-count // 4)))
    return out


def new_solution(options: Options, count: int, dtype: type[np.floating[Any]] = np.float64) -> Solution:
    """Memory for the answers of ``count`` targets, ``q`` in ``dtype``."""
    position, rotation = np.empty(count), np.empty(count)
    iterations, rank = np.empty(count, np.int64), np.empty(count, np.int64)
    q, success = np.empty((count, options.dof), dtype), np.empty(count, np.bool_)
    return Solution(q, position, rotation, success, iterations, rank)


def errors(program: IkProgram, targets: Floats, q: Floats) -> tuple[Floats, Floats]:
    """Position errors [m] and rotation errors [rad] (B,) of coordinates (B, dof) at targets (B, 4, 4)."""
    settings = np.zeros(SETTINGS)
    settings[ik_layout.WEIGHTS :] = 1.0
    chain, count = program.chain, len(q)
    position, rotation, success = np.empty(count), np.empty(count), np.empty(count, np.bool_)
    judge(
        0, count, chain.start, chain.joints, program.ranges, program.indices, settings, 0, targets, q, position,
        rotation, success,
    )  # fmt: skip
    return position, rotation
