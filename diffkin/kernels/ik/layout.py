"""Every array that the inverse kinematics kernels are handed: its size, what lies where in it, and its named parts.

An ``open_...`` function gives the parts of packed arrays as a named tuple of views. Kernels call it at their entry, for
named tuples take microseconds to hand over from Python; Python calls the same function to fill the arrays.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

from diffkin.errors import OptionError
from diffkin.kernels.ik.chain import COLUMNS, SLIDE, Chain
from diffkin.kernels.ik.hope import HOPE
from diffkin.kernels.ik.reach import Span
from diffkin.kernels.ik.scales import NEAR2, ROUNDING, farthest_turn
from diffkin.kernels.vectors.strict import W

__all__ = [
    "Block",
    "Call",
    "Desk",
    "Grid",
    "Ranges",
    "Settings",
    "Workspace",
    "new_rows",
    "open_block",
    "open_call",
    "open_desk",
    "open_grid",
    "pack_call",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_NO_PROOF = 1e-9  # lengths of the chain that rounding may hide

_anywhere = register_jitable(forceinline=True)  # a plain function in Python, a piece of every kernel that calls it


# -- what does not change during a call ---------------------------------------------------------------------------


class Settings(NamedTuple):
    """How to solve, whatever the targets.

    Attributes:
        weights: Six, of the position error along the base axes and of the rotation vector of ``R_target R^T`` in base
            axes; 0 leaves an axis free.
        position_tolerance: [m], for the norm of the position error over the axes that count.
        rotation_tolerance: [rad], for the angle, or the norm of the rotation vector over the axes that count.
        margin: Share of the tolerances that the search aims at.
        starts: Tried for a target, at most.
        gives_up: Whether a target that looks out of reach gets fewer.
        max_iterations: Steps of one start, at most.
        early_iterations: Steps of the first starts, at most.
        grace: Steps that every further start gets in addition.
        patience: Steps after which a start far from the target is given up; those of grace are added.
        far: Residual above which a start is far, in lengths of the chain and radians.
        damping: Factor of the squared error in the damping.
        floor: Added to the damping.
        grow: Factor on the damping when a step is refused.
        shrink: Factor on the damping when a step is taken, down to what it was without refusals.
        nearest: Of the first so many starts that converge, the one nearest to q0 is the answer.
        seed: Chooses the starts that follow the table's.
        has_q0: Whether first starts are given.
        single: Whether the answers are rounded to float32 before they are judged.
        joint_weights: (dof,) of the squared differences in the distance to q0; empty for ones.
    """

    weights: tuple[float, ...]
    position_tolerance: float
    rotation_tolerance: float
    margin: float
    starts: int
    gives_up: bool
    max_iterations: int
    early_iterations: int
    grace: float
    patience: float
    far: float
    damping: float
    floor: float
    grow: float
    shrink: float
    nearest: int
    seed: int
    has_q0: bool
    single: bool
    joint_weights: tuple[float, ...] = ()

    def check(self) -> None:
        """Raise OptionError if a number is out of its range."""
        if not (self.position_tolerance > 0 and self.rotation_tolerance > 0):
            raise OptionError(
                f"Tolerances must be positive, not {self.position_tolerance!r} and {self.rotation_tolerance!r}."
            )
        least = min(self.starts, self.max_iterations, self.early_iterations, self.nearest)
        if least < 1:
            raise OptionError(f"starts, iterations and nearest must be at least 1, got {least}.")
        if self.nearest > 1 and not self.has_q0:
            raise OptionError(f"nearest={self.nearest} needs q0, the configuration to be near to.")
        w = np.array(self.weights, dtype=np.float64)
        if w.shape != (6,) or not np.isfinite(w).all() or (w < 0).any() or not (w > 0).any():
            raise OptionError(f"weights must be six numbers from 0 on, not all 0, got {self.weights!r}.")


# places in Call.settings: the squared tolerances of the search, the first in squared lengths of the chain; the damping;
# when to give up; the tolerances that the answer is judged by, in m and rad; the largest coordinate that whole turns may
# lead to; the squared residual beyond which the damping grows no more, and what a step beyond it adds to the patience;
# the square of ``HOPE``, infinite where nothing is given up; six weights
POSITION2, ROTATION2, DAMPING, FLOOR, GROW, SHRINK, EARLY, GRACE, MOST_ITERATIONS, PATIENCE, FAR2 = range(11)
POSITION, ROTATION, FARTHEST, BEYOND, WAIT, HOPE2, WEIGHTS = range(11, 18)
SETTINGS = WEIGHTS + 6
# places in Call.switches: counts of joints, moving coordinates and coordinates; of starts, of solutions to choose from;
# whether there are first starts; starts taken from the table; number of the sequence's first point after them; whether
# some weight is not 1, whether the weights of rotation differ, whether answers are rounded to float32
JOINTS, MOVING, DOF, STARTS, WANTED, HAS_Q0, TABLE_STARTS, FIRST_POINT, WEIGHTED, PARTIAL, SINGLE = range(11)
SWITCHES = 11
# places in Call.span: a point of the base, one of the frame, the least and greatest distance that they can be apart
BASE_POINT, FRAME_POINT, LEAST, GREATEST, SPAN = 0, 3, 6, 7, 8


class Call(NamedTuple):
    """What does not change during a call, as views of two arrays; n joints, m of the dof coordinates move the frame."""

    settings: Any  # (SETTINGS,)
    start: Any  # (12,) the chain, see there
    joints: Any  # (n, COLUMNS)
    last: Any  # (2,)
    length: Any  # (1,)
    lower: Any  # (m,) limits of the moving coordinates
    upper: Any  # (m,)
    low: Any  # (m,) where they are sampled
    high: Any  # (m,)
    step: Any  # (m,) of the sequence
    nearness: Any  # (m,) weights of the squared differences in the distance to q0
    rest: Any  # (dof,) values of the coordinates that do not move the frame
    least: Any  # (dof,) limits of all coordinates
    greatest: Any  # (dof,)
    span: Any  # (SPAN,)
    switches: Any  # (SWITCHES,)
    cells: Any  # (4,) of the table of starts
    moving: Any  # (m,) indices of the moving coordinates
    wraps: Any  # (m,) 1 where a turn of 2 pi leads back and the limits leave room for one
    column: Any  # (n,) the moving coordinate of each joint
    first: Any  # (n,) 1 where a joint is the first that its coordinate moves


def _sizes(n: int, m: int, dof: int) -> tuple[int, int]:
    """Lengths of the two arrays of a ``Call``."""
    return SETTINGS + 12 + COLUMNS * n + 2 + 1 + 6 * m + 3 * dof + SPAN, SWITCHES + 4 + 2 * m + 2 * n


@_anywhere
def _cut(array, at, count):
    """The next ``count`` entries of an array or its rows, and where they end."""
    return array[at : at + count], at + count


@_anywhere
def open_call(reals, integers):
    """The parts of the two arrays of a ``Call``."""
    switches, at = _cut(integers, 0, SWITCHES)
    n, m, dof = switches[JOINTS], switches[MOVING], switches[DOF]
    cells, at = _cut(integers, at, 4)
    moving, at = _cut(integers, at, m)
    wraps, at = _cut(integers, at, m)
    column, at = _cut(integers, at, n)
    first, at = _cut(integers, at, n)
    settings, at = _cut(reals, 0, SETTINGS)
    start, at = _cut(reals, at, 12)
    joints, at = _cut(reals, at, COLUMNS * n)
    last, at = _cut(reals, at, 2)
    length, at = _cut(reals, at, 1)
    lower, at = _cut(reals, at, m)
    upper, at = _cut(reals, at, m)
    low, at = _cut(reals, at, m)
    high, at = _cut(reals, at, m)
    step, at = _cut(reals, at, m)
    nearness, at = _cut(reals, at, m)
    rest, at = _cut(reals, at, dof)
    least, at = _cut(reals, at, dof)
    greatest, at = _cut(reals, at, dof)
    span, at = _cut(reals, at, SPAN)
    return Call(
        settings, start, joints.reshape(n, COLUMNS), last, length, lower, upper, low, high, step, nearness, rest, least,
        greatest, span, switches, cells, moving, wraps, column, first,
    )  # fmt: skip


def _aim(tolerance: float, margin: float, doubt: float) -> float:
    """What the search aims at, so that the judge, who takes off a doubt, agrees."""
    return min(margin * tolerance, max(tolerance - doubt, 0.2 * tolerance))


def _extent(chain: Chain, ranges: Ranges) -> float:
    """How far the chain may extend, in its own lengths: beside that of its links, as far as it slides."""
    slides = np.flatnonzero(chain.joints[:, SLIDE])
    ways = (ranges.upper - ranges.lower)[chain.column[slides]] * np.abs(chain.joints[slides, SLIDE])
    return 1.0 + float(ways.sum())


class Ranges(NamedTuple):
    """Limits and ranges of the coordinates of a program.

    Attributes:
        lower: (m,) limits of the moving coordinates, -inf where there are none; upper likewise.
        upper: (m,)
        low: (m,) where they are sampled, finite; high likewise.
        high: (m,)
        wraps: (m,) whether a turn of 2 pi leads back and the limits leave room for one.
        slides: (m,) whether a coordinate moves along and not about an axis.
        step: (m,) of the sequence of samples.
        least: (dof,) limits of all coordinates; greatest likewise.
        greatest: (dof,)
    """

    lower: Floats
    upper: Floats
    low: Floats
    high: Floats
    wraps: NDArray[np.bool_]
    slides: NDArray[np.bool_]
    step: Floats
    least: Floats
    greatest: Floats


def pack_call(
    chain: Chain,
    ranges: Ranges,
    settings: Settings,
    cells: Integers,
    table_starts: int,
    first_point: int,
    span: Span | None,
) -> tuple[Floats, Integers]:
    """The two arrays of a ``Call``.

    Args:
        chain: The way to the frame.
        ranges: Of the coordinates.
        settings: How to solve, checked.
        cells: (4,) of the table of starts.
        table_starts: How many starts it gives.
        first_point: Number of the sequence's point that follows.
        span: How near and far the ends of the chain can be, as far as the targets that count say where both are.

    Returns:
        Their float64 and int64 arrays.
    """
    n, m, dof = len(chain.joints), len(chain.moving), len(ranges.least)
    sizes = _sizes(n, m, dof)
    reals, integers = np.zeros(sizes[0]), np.zeros(sizes[1], np.int64)
    integers[[JOINTS, MOVING, DOF]] = n, m, dof
    call = open_call(reals, integers)
    s, w = settings, np.array(settings.weights, dtype=np.float64)
    doubt = ROUNDING * 64.0 * (n + 1)  # what the judge takes off a tolerance, about
    call.settings[POSITION2] = (_aim(s.position_tolerance, s.margin, doubt * chain.length) / chain.length) ** 2
    call.settings[ROTATION2] = _aim(s.rotation_tolerance, s.margin, doubt) ** 2
    call.settings[[DAMPING, FLOOR, GROW, SHRINK]] = s.damping, s.floor, s.grow, s.shrink
    call.settings[[EARLY, GRACE]] = min(s.early_iterations, s.max_iterations), s.grace
    call.settings[[MOST_ITERATIONS, PATIENCE, FAR2]] = s.max_iterations, s.patience, s.far**2
    call.settings[[POSITION, ROTATION]] = s.position_tolerance, s.rotation_tolerance
    call.settings[FARTHEST] = farthest_turn(
        min(s.position_tolerance, s.rotation_tolerance), int(ranges.wraps.sum()), s.single
    )
    call.settings[BEYOND] = NEAR2 * max(1.0, float(w.max())) ** 2
    call.settings[HOPE2] = (HOPE * max(1.0, float(w.max())) * _extent(chain, ranges)) ** 2 if s.gives_up else np.inf
    call.settings[WAIT] = 1.0 if ranges.slides.any() else 0.0
    call.settings[WEIGHTS:] = w
    call.start[:], call.joints[:], call.last[:], call.length[:] = chain.start, chain.joints, chain.last, chain.length
    call.lower[:], call.upper[:], call.low[:], call.high[:] = ranges.lower, ranges.upper, ranges.low, ranges.high
    call.step[:], call.least[:], call.greatest[:] = ranges.step, ranges.least, ranges.greatest
    call.nearness[:] = np.array(s.joint_weights)[chain.moving] if s.joint_weights else 1.0
    call.rest[:] = np.clip(0.0, ranges.least, ranges.greatest)
    call.span[[LEAST, GREATEST]] = -np.inf, np.inf
    if span is not None:
        call.span[BASE_POINT:LEAST] = *span.base, *span.frame
        slack = s.position_tolerance / chain.length + s.rotation_tolerance * float(np.linalg.norm(span.frame))
        call.span[[LEAST, GREATEST]] = span.least - slack - _NO_PROOF, span.most + slack + _NO_PROOF
    call.switches[[STARTS, WANTED, HAS_Q0]] = s.starts, s.nearest, s.has_q0
    call.switches[[TABLE_STARTS, FIRST_POINT]] = table_starts, first_point
    call.switches[[WEIGHTED, PARTIAL, SINGLE]] = (w != 1).any(), len(set(w[3:])) > 1, s.single
    call.cells[:], call.moving[:], call.wraps[:] = cells, chain.moving, ranges.wraps
    call.column[:] = chain.column
    call.first[:] = [c not in chain.column[:j] for j, c in enumerate(chain.column)]
    return reals, integers


class Grid(NamedTuple):
    """Where a table of starts finds the cell of a target."""

    low: Any  # (3,) corner of the grid over positions
    inverse: Any  # (3,) cells per unit of length
    weights: Any  # (2,) of the squared distances in position and rotation


GRID = 3 + 3 + 2


@_anywhere
def open_grid(grid):
    """The parts of a grid's float32 array (GRID,)."""
    low, at = _cut(grid, 0, 3)
    inverse, at = _cut(grid, at, 3)
    weights, at = _cut(grid, at, 2)
    return Grid(low, inverse, weights)


# -- what the search works in -------------------------------------------------------------------------------------

# rows of Block.state, one number of a start each: its squared residual, factor on the damping, steps tried, the most
# steps, the steps after which it is given up if far; whether it runs, is new, took its last step, is done, converged
ERROR, GROWTH, SPENT, MOST, PATIENT, RUNS, FRESH, TAKEN, DONE, CONVERGED = range(10)
NUMBERS = 10


class Block(NamedTuple):
    """Rows of ``W`` lanes, a start each: vectors and matrices of one step."""

    target: Any  # (12,) pose to reach: columns x, y, z, origin
    frame: Any  # (12,) pose of the trial, likewise
    axes: Any  # (6 n,) z axis and origin of every joint
    new: Any  # (6,) residual of the trial
    q: Any  # (m,) moving coordinates
    state: Any  # (NUMBERS,)
    residual: Any  # (6,) at q
    trial: Any  # (m,) the step to be judged
    y: Any  # (6,) the step's multipliers
    jac: Any  # (6 m,) Jacobian by columns
    other: Any  # (6 m,) that of the step before


def _block_rows(n: int, m: int) -> int:
    return 12 + 12 + 6 * n + 6 + m + NUMBERS + 6 + m + 6 + 6 * m + 6 * m


@_anywhere
def open_block(rows, n, m):
    """The parts of a block of rows (rows, W)."""
    target, at = _cut(rows, 0, 12)
    frame, at = _cut(rows, at, 12)
    axes, at = _cut(rows, at, 6 * n)
    new, at = _cut(rows, at, 6)
    q, at = _cut(rows, at, m)
    state, at = _cut(rows, at, NUMBERS)
    residual, at = _cut(rows, at, 6)
    trial, at = _cut(rows, at, m)
    y, at = _cut(rows, at, 6)
    jac, at = _cut(rows, at, 6 * m)
    other, at = _cut(rows, at, 6 * m)
    return Block(target, frame, axes, new, q, state, residual, trial, y, jac, other)


# places in Desk.chunk: the first target of the chunk, its end, the next to take up, how many slots are busy
BEGIN, END, CURSOR, BUSY, CHUNK = range(5)
# columns of Desk.lanes: the slot of the lane's target (-1: none), the rank of its start
SLOT, RANK, LANE_COLUMNS = range(3)
# columns of Desk.slots: the slot's target (-1: none), rank of its next start, rank that no start need be beyond, starts
# converged, starts in the lanes, its cell of the table, rank of the best start that did not converge (-1: none), rank
# that starts end before until they are looked at, whether the target is proven to be out of reach
TARGET, NEXT, BOUND, FOUND, RUNNING, CELL, BEST, LIMIT, PROVEN, SLOT_COLUMNS = range(10)
# columns of Desk.answers: rank of a start that converged, or squared residual of the best other; then coordinates
VALUE, COORDINATES = range(2)


class Desk(NamedTuple):
    """The books of a search: ``W`` slots for targets in work, ``W`` lanes for their starts."""

    chunk: Any  # (CHUNK,)
    lanes: Any  # (W, LANE_COLUMNS)
    slots: Any  # (W, SLOT_COLUMNS)
    near: Any  # (W, keep) squared distances of the cell's samples not yet tried
    counts: Any  # (W, starts + 1) steps of every start
    answers: Any  # (W, wanted + 1, COORDINATES + m) starts that converged by rank; last the best other


@_anywhere
def open_desk(books, near, counts, answers):
    """The books: chunk, lanes and slots lie in one int64 array."""
    chunk, at = _cut(books, 0, CHUNK)
    lanes, at = _cut(books, at, W * LANE_COLUMNS)
    slots, at = _cut(books, at, W * SLOT_COLUMNS)
    return Desk(chunk, lanes.reshape(W, LANE_COLUMNS), slots.reshape(W, SLOT_COLUMNS), near, counts, answers)


# rows of the answers' arrays: (2, B) errors in m and rad, (2, B) rank of the start and steps over all starts
POSITION_ERROR, ROTATION_ERROR = range(2)
ANSWER_RANK, ANSWER_STEPS = range(2)


def new_rows(n: int, m: int) -> Floats:
    """Memory for a ``Block``, its rows aligned to their length."""
    rows = _block_rows(n, m)
    memory = np.zeros((rows + 1) * W)
    skip = -memory.ctypes.data % (8 * W) // 8
    return memory[skip : skip + rows * W].reshape(rows, W)


class Workspace:
    """Everything the search knows between two calls, as arrays; one for each thread at work."""

    def __init__(self, n: int, m: int, keep: int, starts: int, wanted: int) -> None:
        books = np.zeros(CHUNK + W * (LANE_COLUMNS + SLOT_COLUMNS), np.int64)
        near = np.zeros((W, keep), np.float32)
        counts = np.zeros((W, starts + 1), np.int32)
        answers = np.zeros((W, wanted + 1, COORDINATES + m))
        self.arrays = (new_rows(n, m), books, near, counts, answers)
        self._chunk = open_desk(*self.arrays[1:]).chunk

    def take(self, begin: int, end: int) -> None:
        """Set the targets that are to do, none of them taken up yet."""
        self._chunk[:] = begin, end, begin, 0
