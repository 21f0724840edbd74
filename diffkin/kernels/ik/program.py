"""Inverse kinematics of one frame of a mechanism for many targets, on plain arrays.

``make_program`` packs a mechanism once, ``IkProgram.call`` the settings; ``solve`` answers targets. The answer for a
target is the same to the bit whether it comes alone or in a batch, whatever the batch's order and the number of threads.
"""

from __future__ import annotations

import math
import threading
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.ik.chain import Chain, pack_chain
from diffkin.kernels.ik.judge import judge
from diffkin.kernels.ik.layout import Ranges, Settings, Workspace, new_rows, pack_call
from diffkin.kernels.ik.reach import Span, span
from diffkin.kernels.ik.roberts import roberts_steps
from diffkin.kernels.ik.search import search
from diffkin.kernels.ik.table import StartTable, build_table
from diffkin.kernels.threads import run_chunks
from diffkin.kernels.tree.mechanism import PRISMATIC, Mechanism

__all__ = ["IkProgram", "PreparedCall", "Solution", "errors", "make_program", "new_solution", "solve"]

Floats = NDArray[np.float64]

CHUNK = 512  # targets a thread takes at once
STEP_SECONDS = 0.05  # the loop comes back for interrupts about so often
_TABLE_STARTS = 16  # samples of a cell that are tried before the sequence
_SEED_STRIDE = 7919  # points of the sequence between two seeds


class Solution(NamedTuple):
    """What ``solve`` found for B targets."""

    q: Floats  # (B, dof) within limits; where turns lead back, the turn nearest to q0, else that in (-pi, pi]
    whole: NDArray[np.int64]  # (2, B) rank and iterations, in one array for the kernel
    errors: Floats  # (2, B) of position [m] and rotation [rad], likewise
    success: NDArray[np.bool_]  # (B,) both errors within tolerance

    @property
    def rank(self) -> NDArray[np.int64]:
        """(B,) of the start that answers: the lowest that converged, else the one that came nearest."""
        return self.whole[0]

    @property
    def iterations(self) -> NDArray[np.int64]:
        """(B,) steps over all starts up to the one that answers."""
        return self.whole[1]

    @property
    def position_error(self) -> Floats:
        """(B,) [m] over the axes that count."""
        return self.errors[0]

    @property
    def rotation_error(self) -> Floats:
        """(B,) [rad] over the axes that count."""
        return self.errors[1]


class PreparedCall(NamedTuple):
    """A program and settings, checked and packed for the kernel."""

    dof: int
    size: tuple[int, int, int, int, int]  # of the workspace
    steps: int  # of the kernel between two looks for an interrupt
    packed: tuple[NDArray[Any], ...]  # the kernel's arguments that do not depend on the targets


class IkProgram:
    """A mechanism, the frame to place and the ranges of its coordinates, made by ``make_program``."""

    def __init__(self, chain: Chain, ranges: Ranges) -> None:
        self.chain = chain
        self.ranges = ranges
        self._tables: dict[tuple[bool, bool], StartTable] = {}
        self._spans: dict[bool, Span] = {}
        self._lock = threading.Lock()

    def call(self, settings: Settings) -> PreparedCall:
        """What ``solve`` takes for these settings; raises OptionError if one is out of its range."""
        settings.check()
        chain = self.chain
        table = self.table(any(w > 0 for w in settings.weights[:3]), any(w > 0 for w in settings.weights[3:]))
        keep = table.ids.shape[1]
        first_point = table.samples + _SEED_STRIDE * settings.seed
        reals, integers = pack_call(
            chain,
            self.ranges,
            settings,
            table.counts,
            min(_TABLE_STARTS, keep),
            first_point,
            self._span(settings.weights),
        )
        n, m = len(chain.joints), len(chain.moving)
        return PreparedCall(
            len(self.ranges.least),
            (n, m, keep, settings.starts, settings.nearest),
            int(STEP_SECONDS / (1e-6 + 0.2e-6 * n)) + 1,
            (reals, integers, table.grid, table.frames, table.ids),
        )

    def _span(self, weights: tuple[float, ...]) -> Span | None:
        """What targets of which these errors count are known to be out of reach by."""
        if min(weights[:3]) == 0 or not len(self.chain.joints):
            return None
        rigid = min(weights[3:]) > 0
        if rigid not in self._spans:
            self._spans[rigid] = span(self.chain, self.ranges.lower, self.ranges.upper, rigid)
        return self._spans[rigid]

    def table(self, position: bool, rotation: bool) -> StartTable:
        """The start table for targets whose position or rotation counts, made at its first use."""
        key = (position, rotation)
        if key not in self._tables:
            with self._lock:
                if key not in self._tables:
                    self._tables[key] = build_table(self.chain, self.ranges.low, self.ranges.high, position, rotation)
        return self._tables[key]


def make_program(
    mechanism: Mechanism, frame: int, lower: Floats, upper: Floats, low: Floats, high: Floats
) -> IkProgram:
    """Pack a mechanism for ``solve``.

    Args:
        mechanism: The tree of joints.
        frame: Index of the frame to place.
        lower: (dof,) limits, -inf where there are none.
        upper: (dof,) limits, inf where there are none.
        low: (dof,) finite lower bounds, within the limits, of the range that starts are drawn from.
        high: (dof,) finite upper bounds.

    Returns:
        The program.
    """
    chain = pack_chain(mechanism, frame)
    moving = chain.moving
    slides, whole = np.zeros(mechanism.dof, bool), np.ones(mechanism.dof, bool)
    for joint, c in enumerate(mechanism.coordinate):  # all of them: a turn shall lead back for the whole mechanism
        slides[c] |= mechanism.kind[joint] == PRISMATIC
        whole[c] &= float(mechanism.multiplier[joint]).is_integer()
    with np.errstate(over="ignore"):
        room = np.asarray(upper, np.float64) - lower >= 2.0 * math.pi
    ranges = Ranges(
        lower=np.asarray(lower, np.float64)[moving],
        upper=np.asarray(upper, np.float64)[moving],
        low=np.asarray(low, np.float64)[moving],
        high=np.asarray(high, np.float64)[moving],
        wraps=(room & whole & ~slides)[moving],
        slides=slides[moving],
        step=roberts_steps(len(moving)),
        least=np.asarray(lower, np.float64),
        greatest=np.asarray(upper, np.float64),
    )
    return IkProgram(chain, ranges)


_local = threading.local()
_NO_Q0 = np.zeros((0, 0))


def _workspace(size: tuple[int, int, int, int, int]) -> Workspace:
    """This thread's workspace of that size; it keeps the last one."""
    if getattr(_local, "size", None) != size:
        _local.workspace = Workspace(*size)
        _local.size = size
    return _local.workspace


def solve(call: PreparedCall, targets: Floats, q0: Floats | None = None) -> Solution:
    """Coordinates that bring the frame to each target, by Levenberg-Marquardt within the limits from ranked starts.

    Args:
        call: The program with its settings.
        targets: (B, 4, 4) C-contiguous finite poses of the frame in the base; their rotations exact to rounding.
        q0: (B, dof) C-contiguous, if the settings say so: tried first, projected onto the limits; coordinates that do
            not move the frame keep its values.

    Returns:
        The solution: of the lowest-ranked start that converges, else the best that was found.
    """
    count = len(targets)
    out = new_solution(call, count)
    arguments = (*call.packed, targets, _NO_Q0 if q0 is None else q0, *out)
    stopped = False

    def work(begin: int, end: int) -> None:
        nonlocal stopped
        workspace = _workspace(call.size)
        workspace.take(begin, end)
        try:
            while not stopped and search(call.steps, *workspace.arrays, *arguments):
                pass
        except BaseException:
            stopped = True  # the other threads return within STEP_SECONDS
            raise

    run_chunks(work, count, CHUNK if count >= 4 * CHUNK else max(32, -(-count // 4)))
    return out


def new_solution(call: PreparedCall, count: int, dtype: type[np.floating[Any]] = np.float64) -> Solution:
    """Memory for the answers of ``count`` targets, ``q`` in ``dtype``; its fields in the order of the kernel's outputs."""
    q, success = np.empty((count, call.dof), dtype), np.empty(count, np.bool_)
    return Solution(q, np.empty((2, count), np.int64), np.empty((2, count)), success)


def errors(call: PreparedCall, targets: Floats, q: Floats) -> tuple[Floats, Floats]:
    """Position errors [m] and rotation errors [rad] (B,) of coordinates (B, dof) at targets (B, 4, 4)."""
    count = len(q)
    found, success = np.empty((2, count)), np.empty(count, np.bool_)
    n, m = call.size[:2]
    reals, integers = call.packed[:2]
    judge(new_rows(n, m), reals, integers, targets, np.array(q, np.float64), found, success)
    return found[0], found[1]
