"""Every array of the kernel for lists of tasks: its size, what lies where in it, and its named parts.

As in ``diffkin.kernels.ik.layout``: an ``open_...`` function gives the parts of packed arrays as named views, in Python to
fill them and at the entry of kernels to read them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

from diffkin.kernels.ik.layout import CHUNK, CONVERGED, HOPE2, LANE_COLUMNS, SLOT_COLUMNS
from diffkin.kernels.ik.layout import TARGET as PROBLEM
from diffkin.kernels.vectors.strict import W

__all__ = [
    "PROBLEM",
    "Block",
    "Call",
    "Desk",
    "aligned_rows",
    "cut",
    "new_books",
    "new_integers",
    "new_reals",
    "new_rows",
    "open_block",
    "open_call",
    "open_desk",
]

_anywhere = register_jitable(forceinline=True)

# -- what does not change during a call ---------------------------------------------------------------------------

# places in Call.sizes: nodes, entries of all ways, pieces, rows (a multiple of three), free coordinates, held ones,
# coordinates of the base, numbers of all targets, all coordinates, linear pieces
NODES, ENTRIES, PIECES, ROWS, FREE, HELD, BASE, NUMBERS, DOF, LINEARS = range(10)
SIZES = 10
# places in Call.switches: starts, solutions to choose from, whether there are first starts, starts that are ranked for
# each problem, number of the sequence's first point after them, whether answers are rounded to float32, whether centres
# of mass are needed
STARTS, WANTED, HAS_Q0, RANKED, FIRST_POINT, SINGLE, MASSES = range(7)
SWITCHES = 7
# places in Call.settings, as in diffkin.kernels.ik.layout; CONSTANT and LENGTH tell the rounding of forward kinematics
CONSTANT, LENGTH, SETTINGS = HOPE2 + 1, HOPE2 + 2, HOPE2 + 3
# columns of Call.nodes: the node that carries it, its coordinate among those in Block.trial (-1: none), how it moves
PARENT, COORDINATE, MOTION, NODE_COLUMNS = range(4)
STILL, TURNS, SLIDES = range(3)
# columns of Call.places: the pose in the carrying node as columns x, y, z and origin; the joint's value is
# FACTOR q + CONSTANT_VALUE; its part of all mass, times its centre; its part; that of all it carries
FACTOR, VALUE0, MOMENT, SHARE, CARRIED, PLACE_COLUMNS = 12, 13, 14, 17, 18, 19
# columns of Call.ways: the node about or along one of whose axes a coordinate moves a link, that axis, the coordinate's
# column, whether it turns, whether it is the first of its piece in that column
WAY_NODE, WAY_AXIS, WAY_COLUMN, WAY_TURNS, WAY_FIRST, WAY_COLUMNS = range(6)
# columns of Call.pieces; of NEAR and MARGIN the place of their coordinate in Block.trial is in that of the link, and
# whether it turns in that of the reference
(
    KIND,
    LINK,
    REFERENCE,
    TARGET,
    ROW0,
    ROW1,
    ROW2,
    METRE,
    CLOSES,
    WAY_BEGIN,
    WAY_END,
    LINEAR_ROW,
    LEVEL,
    PIECE_COLUMNS,
) = range(14)
# columns of Call.shapes: three weights, axis, offset, angle
WEIGHT, AXIS, OFFSET, ANGLE, SHAPE_COLUMNS = 0, 3, 6, 9, 10


class Call(NamedTuple):
    """What does not change during a call, as views of two arrays; m free coordinates, h held, dof in all."""

    settings: Any  # (SETTINGS,)
    places: Any  # (n, PLACE_COLUMNS)
    shapes: Any  # (p, SHAPE_COLUMNS)
    factors: Any  # (e,) of the ways: multiplier and side
    linear: Any  # (linears, m + h)
    nearness: Any  # (m,) weights of the squared differences in the distance to q0
    lower: Any  # (m,) limits of the free coordinates
    upper: Any  # (m,)
    low: Any  # (m,) where they are sampled
    high: Any  # (m,)
    step: Any  # (m + 3,) of the sequence; the last three turn a base
    ranked_step: Any  # (m,) of the sequence that ranked starts are points of
    least: Any  # (dof,) limits of all
    greatest: Any  # (dof,)
    turning: Any  # (dof,) what rounding is told by
    sliding: Any  # (dof,)
    sizes: Any  # (SIZES,)
    switches: Any  # (SWITCHES,)
    nodes: Any  # (n, NODE_COLUMNS)
    pieces: Any  # (p, PIECE_COLUMNS)
    ways: Any  # (e, WAY_COLUMNS)
    moving: Any  # (m,) indices of the free coordinates
    held: Any  # (h,) of those that stay where they are and yet move links
    wraps: Any  # (m,) 1 where a turn of 2 pi leads back and the limits leave room for one
    ranked: Any  # (m,) which ranked starts a coordinate takes, -1: none
    base: Any  # (6,) axes of shifts then turns of the base, -1: none; first of them whether they are the world's
    exact: Any  # (p,) whether a piece's target is to be made exact


def new_reals(sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Memory for the real parts of a ``Call``."""
    n, e, p, m, h, dof, linears = (int(sizes[k]) for k in (NODES, ENTRIES, PIECES, FREE, HELD, DOF, LINEARS))
    count = SETTINGS + n * PLACE_COLUMNS + p * SHAPE_COLUMNS + e + linears * (m + h) + 7 * m + 3 + 4 * dof
    return np.zeros(count)


def new_integers(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Memory for the integer parts of a ``Call``, its sizes set."""
    n, e, p, m, h = (int(sizes[k]) for k in (NODES, ENTRIES, PIECES, FREE, HELD))
    count = SIZES + SWITCHES + n * NODE_COLUMNS + p * (PIECE_COLUMNS + 1) + e * WAY_COLUMNS + 3 * m + h + 7
    integers = np.zeros(count, np.int64)
    integers[:SIZES] = sizes
    return integers


@_anywhere
def cut(array, at, count):
    """The next ``count`` entries of an array or its rows, and where they end."""
    return array[at : at + count], at + count


@_anywhere
def open_call(reals, integers):
    """The parts of the two arrays of a ``Call``."""
    sizes, at = cut(integers, 0, SIZES)
    n, e, p, m, h, dof, linears = (
        sizes[NODES], sizes[ENTRIES], sizes[PIECES], sizes[FREE], sizes[HELD], sizes[DOF], sizes[LINEARS],
    )  # fmt: skip
    switches, at = cut(integers, at, SWITCHES)
    nodes, at = cut(integers, at, n * NODE_COLUMNS)
    pieces, at = cut(integers, at, p * PIECE_COLUMNS)
    ways, at = cut(integers, at, e * WAY_COLUMNS)
    moving, at = cut(integers, at, m)
    held, at = cut(integers, at, h)
    wraps, at = cut(integers, at, m)
    ranked, at = cut(integers, at, m)
    base, at = cut(integers, at, 7)
    exact, at = cut(integers, at, p)
    settings, at = cut(reals, 0, SETTINGS)
    places, at = cut(reals, at, n * PLACE_COLUMNS)
    shapes, at = cut(reals, at, p * SHAPE_COLUMNS)
    factors, at = cut(reals, at, e)
    linear, at = cut(reals, at, linears * (m + h))
    nearness, at = cut(reals, at, m)
    lower, at = cut(reals, at, m)
    upper, at = cut(reals, at, m)
    low, at = cut(reals, at, m)
    high, at = cut(reals, at, m)
    step, at = cut(reals, at, m + 3)
    ranked_step, at = cut(reals, at, m)
    least, at = cut(reals, at, dof)
    greatest, at = cut(reals, at, dof)
    turning, at = cut(reals, at, dof)
    sliding, at = cut(reals, at, dof)
    return Call(
        settings, places.reshape(n, PLACE_COLUMNS), shapes.reshape(p, SHAPE_COLUMNS), factors,
        linear.reshape(linears, m + h), nearness, lower, upper, low, high, step, ranked_step, least, greatest, turning, sliding,
        sizes, switches, nodes.reshape(n, NODE_COLUMNS), pieces.reshape(p, PIECE_COLUMNS), ways.reshape(e, WAY_COLUMNS),
        moving, held, wraps, ranked, base, exact,
    )  # fmt: skip


# -- what the search works in -------------------------------------------------------------------------------------

# rows of Block.state, one number of a start each: its squared residual, factor on the damping, steps tried, the most
# steps, the steps after which it is given up if far; whether it runs, is new, took its last step, is done, converged;
# of the trial the squared residual and the largest squared errors [m, rad] of a task
TRIED, TRIED_P, TRIED_R, NUMBERS_OF_STATE = range(CONVERGED + 1, CONVERGED + 5)


class Block(NamedTuple):
    """Rows of ``W`` lanes, a start each; r rows of residual, c columns (m free coordinates, then those of the base)."""

    state: Any  # (NUMBERS_OF_STATE,)
    target: Any  # (numbers,) of the targets
    base: Any  # (12,) pose of the base
    placed: Any  # (12,) that of the trial
    q: Any  # (m,) free coordinates
    trial: Any  # (m + h,) the step to be judged, then the coordinates that are held
    frames: Any  # (12 n,) poses of the nodes at the trial
    moments: Any  # (3 n,) of the mass that a node carries
    slopes: Any  # (18 p,) for each piece: three rows by the velocity of the link, three by its angular velocity
    residual: Any  # (r,) what is left to do at q: minus the weighted residual
    new: Any  # (r,) that of the trial
    y: Any  # (r,) the step's multipliers
    move: Any  # (6,) the step of the base
    normal: Any  # (9 b (b + 1) / 2,) lower 3x3 blocks, b = r / 3
    column: Any  # (9 b,) blocks of one column
    jac: Any  # (r c,) Jacobian by columns
    other: Any  # (r c,) that of the step before


def _block_rows(sizes):
    n, p, r, m, h, base, t = (
        sizes[NODES], sizes[PIECES], sizes[ROWS], sizes[FREE], sizes[HELD], sizes[BASE], sizes[NUMBERS],
    )  # fmt: skip
    b = r // 3
    small = NUMBERS_OF_STATE + t + 24 + 2 * m + h + 15 * n + 18 * p + 3 * r + 6
    return int(small + 9 * b * (b + 1) // 2 + 9 * b + 2 * r * (m + base))


@_anywhere
def open_block(rows, sizes):
    """The parts of a block of rows (rows, W)."""
    n, p, r, m, h, base, t = (
        sizes[NODES], sizes[PIECES], sizes[ROWS], sizes[FREE], sizes[HELD], sizes[BASE], sizes[NUMBERS],
    )  # fmt: skip
    b = r // 3
    state, at = cut(rows, 0, NUMBERS_OF_STATE)
    target, at = cut(rows, at, t)
    base_pose, at = cut(rows, at, 12)
    placed, at = cut(rows, at, 12)
    q, at = cut(rows, at, m)
    trial, at = cut(rows, at, m + h)
    frames, at = cut(rows, at, 12 * n)
    moments, at = cut(rows, at, 3 * n)
    slopes, at = cut(rows, at, 18 * p)
    residual, at = cut(rows, at, r)
    new, at = cut(rows, at, r)
    y, at = cut(rows, at, r)
    move, at = cut(rows, at, 6)
    normal, at = cut(rows, at, 9 * b * (b + 1) // 2)
    column, at = cut(rows, at, 9 * b)
    jac, at = cut(rows, at, r * (m + base))
    other, at = cut(rows, at, r * (m + base))
    return Block(
        state, target, base_pose, placed, q, trial, frames, moments, slopes, residual, new, y, move, normal, column, jac,
        other,
    )  # fmt: skip


def new_rows(sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Memory for a ``Block``, zero, its rows aligned to their length."""
    return aligned_rows(_block_rows(sizes))


def aligned_rows(rows: int) -> NDArray[np.float64]:
    """So many rows of ``W`` lanes, zero, aligned to their length."""
    memory = np.zeros((rows + 1) * W)
    skip = -memory.ctypes.data % (8 * W) // 8
    return memory[skip : skip + rows * W].reshape(rows, W)


# columns of Desk.lanes, slots and answers are those of diffkin.kernels.ik.layout: a slot's target is the number of a PROBLEM,
# and where the base is free an answer ends with its pose


class Desk(NamedTuple):
    """The books of a search: ``W`` slots for problems in work, ``W`` lanes for their starts."""

    chunk: Any  # (CHUNK,)
    lanes: Any  # (W, LANE_COLUMNS)
    slots: Any  # (W, SLOT_COLUMNS)
    counts: Any  # (W, starts + 1) steps of every start
    answers: (
        Any  # (W, wanted + 1, COORDINATES + m, + 12 for a free base) starts that converged by rank; last the best other
    )


def new_books() -> NDArray[np.int64]:
    """Memory for chunk, lanes and slots."""
    return np.zeros(CHUNK + W * (LANE_COLUMNS + SLOT_COLUMNS), np.int64)


@_anywhere
def open_desk(books, counts, answers):
    """The books: chunk, lanes and slots lie in one array."""
    chunk, at = cut(books, 0, CHUNK)
    lanes, at = cut(books, at, W * LANE_COLUMNS)
    slots, at = cut(books, at, W * SLOT_COLUMNS)
    return Desk(chunk, lanes.reshape(W, LANE_COLUMNS), slots.reshape(W, SLOT_COLUMNS), counts, answers)
