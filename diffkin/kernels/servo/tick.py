"""The servo step of a pose: bounds of the speed, damped least squares within them, and the errors after the tick.

What it computes is written down in ``diffkin.motion.servo_move``, which answers for all that is no pose of one link.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.compiled import inline, kernel
from diffkin.kernels.servo.arm import Arm, jacobian, residual, walk
from diffkin.kernels.servo.box import ROWS, box_least_squares, shortest
from diffkin.kernels.threads import run_batch

__all__ = ["Constants", "Ticks", "brakable", "tick"]

Floats = NDArray[np.float64]

GRAIN = 32
POSITION, ROTATION, SCALE = range(3)  # rows of what is found beside the motion


class Constants(NamedTuple):
    """Numbers of the formula, which has them in one place, see ``diffkin.motion.servo_move``."""

    floor: float
    floor_beside: float
    soft: float
    on_line: float
    met: float
    curved: float
    idle: float


class Ticks(NamedTuple):
    """What ``tick`` found for B states."""

    q: Floats  # (B, dof)
    dq: Floats  # (B, dof)
    found: Floats  # (3, B) errors of position [m] and rotation [rad], scale


@inline
def brakable(way, loss):
    """The highest speed a tick from which a joint stops within a way, losing ``loss`` a tick."""
    if not (loss < np.inf) or not (way < np.inf):
        return max(way, 0.0)
    ticks = math.floor(0.5 * (math.sqrt(1.0 + 8.0 * max(way, 0.0) / loss) - 1.0))
    return max((way + loss * ticks * (ticks + 1.0) / 2.0) / (ticks + 1.0), 0.0)


@inline
def _speeds(now, speed, limits, rates, dt, low, high):
    """The lowest and highest speeds of this tick; False where a coordinate or a speed is not finite."""
    finite = True
    for i in range(now.shape[0]):
        finite &= abs(now[i]) < np.inf and abs(speed[i]) < np.inf
        now[i] = min(max(now[i], limits[0, i]), limits[1, i])
        fastest, change = rates[0, i], rates[1, i] * dt
        most = min(brakable(limits[1, i] - now[i], change * dt) / dt, fastest)
        least = -min(brakable(now[i] - limits[0, i], change * dt) / dt, fastest)
        low[i] = min(max(speed[i] - change, least), most)
        high[i] = max(min(speed[i] + change, most), least)
    return finite


@inline
def _aside(
    columns, error, now, limits, low, high, gain, idle, size, floor, share, wish, x, weight, given, free, matrix, part
):
    """``wish`` gets the motion towards the middle of the ranges, see ``_aside`` of ``diffkin.motion.servo_move``."""
    for i in range(x.shape[0]):
        weight[i] = floor + share
    shortest(columns, error, weight, x, free, matrix, part)
    length = 0.0
    for i in range(x.shape[0]):
        length += min(max(x[i], low[i]), high[i]) ** 2
    length = gain * math.sqrt(length)
    for r in range(ROWS):
        given[r] = 0.0
    for i in range(x.shape[0]):
        width, own = limits[1, i] - limits[0, i], 0.0
        for r in range(ROWS):
            own += columns[i, r] ** 2
        wish[i] = 0.0
        if 0.0 < width < np.inf and own > idle * size:
            wish[i] = length * (limits[0, i] + limits[1, i] - 2.0 * now[i]) / width
        weight[i] = floor
        for r in range(ROWS):
            given[r] += columns[i, r] * wish[i]
    shortest(columns, given, weight, x, free, matrix, part)
    for i in range(x.shape[0]):
        wish[i] += x[i]


@kernel
def ticks(
    reals, index, limits, rates, constants, q, dq, targets, dt, damping, centring, slow, single, out, found, start, stop
):
    """Ticks of the states ``start`` to ``stop``; a state that is not finite gets NaN for a scale."""
    dof, joints = q.shape[1], index.shape[0]
    floor, floor_beside, soft, on_line, met, curved, idle = constants
    count = dof + 1 if slow else dof
    frame, axes = np.empty(12), np.empty((joints, 6))
    vectors = np.empty((10, dof + 1))
    now, low, high, there = vectors[0, :dof], vectors[1, :dof], vectors[2, :dof], vectors[3, :dof]
    most, least, weight = vectors[4, :count], vectors[5, :count], vectors[6, :count]
    wish, x, step = vectors[7, :count], vectors[8, :count], vectors[9, :dof]
    columns = np.empty((dof + 1, ROWS))
    own = columns[:dof]
    whole = np.empty((3, dof + 1), np.int64)
    matrix, part = np.empty((ROWS, ROWS)), np.empty((2, ROWS))
    error, asked, after, left = np.empty(ROWS), np.empty(ROWS), np.empty(ROWS), np.empty(ROWS)
    for b in range(start, stop):
        target = targets[b]
        for i in range(dof):
            now[i] = q[b, i]
        if not _speeds(now, dq[b], limits, rates, dt, low, high):
            found[SCALE, b] = np.nan
            continue
        walk(reals, index, now, frame, axes)
        residual(frame, target, error)
        jacobian(reals, index, frame, axes, target, error, own)
        size, wanted, hard = 0.0, 0.0, False
        for i in range(dof):
            hard |= rates[1, i] < np.inf
            for r in range(ROWS):
                size += own[i, r] ** 2
        size = max(size, 1e-30)
        for r in range(ROWS):
            wanted += error[r] ** 2
        for i in range(dof):
            most[i], least[i], wish[i] = high[i] * dt, low[i] * dt, 0.0
        if centring > 0.0:
            _aside(
                *(own, error, now, limits, least, most, centring, idle, size, floor_beside * size, damping * wanted),
                *(wish[:dof], x[:dof], weight[:dof], asked, whole[0, :dof], matrix, part),
            )
        share = 1.0
        if hard:
            for i in range(dof):
                weight[i] = soft * size
            shortest(own, error, weight[:dof], x[:dof], whole[0, :dof], matrix, part)
            for i in range(dof):
                way = max(abs(x[i]) + abs(wish[i]), 1e-12)
                share = min(share, brakable(way, rates[1, i] * dt * dt) / way)
        asking = 0.0
        for r in range(ROWS):
            asked[r] = share * error[r]
            asking += asked[r] ** 2
        for i in range(dof):
            weight[i] = (floor_beside * size + damping * wanted) / on_line if slow else floor * size + damping * wanted
            wish[i] *= share
        if slow:  # how much of the way is one more variable, which should be 1
            for r in range(ROWS):
                columns[dof, r] = asked[r]
                asked[r] = 0.0
            weight[dof], wish[dof] = (asking + 1e-30) / on_line, asking / (asking + 1e-30)
            most[dof], least[dof] = 1.0, 0.0
        box_least_squares(
            columns[:count], asked, weight, wish, least, most, x, whole[0], whole[1], whole[2], matrix, part
        )
        kept = share * x[dof] if slow else share
        _move(now, x, limits, there)
        walk(reals, index, there, frame, axes)
        residual(frame, target, after)
        made, bend = 0.0, 0.0
        for r in range(ROWS):
            moved = 0.0
            for i in range(dof):
                moved += own[i, r] * x[i]
            made -= moved * error[r]
            bend += (after[r] - error[r] - moved) ** 2
            left[r] = (1.0 - kept) * error[r]
        scale = 1.0
        if wanted > met * met:
            scale = min(max(made / wanted, 0.0), 1.0)
        found[SCALE, b] = 1.0 if scale > 1.0 - 1e-6 else scale
        if bend > curved * curved:  # one more step of Gauss and Newton from there
            jacobian(reals, index, frame, axes, target, after, own)
            size, before, behind = 0.0, 0.0, 0.0
            for r in range(ROWS):
                asked[r] = after[r] - left[r]
                before += asked[r] ** 2
                for i in range(dof):
                    size += own[i, r] ** 2
            for i in range(dof):
                most[i], least[i] = high[i] * dt - x[i], low[i] * dt - x[i]
                weight[i] = (floor_beside if slow else floor) * max(size, 1e-30) + damping * before
                wish[i] = 0.0
            box_least_squares(
                *(own, asked, weight[:dof], wish[:dof], least[:dof], most[:dof], step),
                *(whole[0], whole[1], whole[2], matrix, part),
            )
            for i in range(dof):
                step[i] = min(max(x[i] + step[i], low[i] * dt), high[i] * dt)
            _move(now, step, limits, there)
            walk(reals, index, there, frame, axes)
            residual(frame, target, after)
            for r in range(ROWS):
                behind += (after[r] - left[r]) ** 2
            if behind < before:
                for i in range(dof):
                    x[i] = step[i]
        _move(now, x[:dof], limits, there)
        for i in range(dof):
            if single:
                there[i] = min(max(np.float64(np.float32(there[i])), limits[0, i]), limits[1, i])
            out[0, b, i] = there[i]
            out[1, b, i] = min(max(x[i] / dt, low[i]), high[i])
        walk(reals, index, there, frame, axes)
        residual(frame, target, error)
        found[POSITION, b] = math.sqrt(error[0] ** 2 + error[1] ** 2 + error[2] ** 2)
        found[ROTATION, b] = math.sqrt(error[3] ** 2 + error[4] ** 2 + error[5] ** 2)


@inline
def _move(now, change, limits, there):
    """``there`` gets the coordinates after a change, within limits."""
    for i in range(now.shape[0]):
        there[i] = min(max(now[i] + change[i], limits[0, i]), limits[1, i])


def tick(
    arm: Arm,
    rates: Floats,
    constants: Constants,
    q: Floats,
    dq: Floats,
    targets: Floats,
    dt: float,
    damping: float,
    centring: float,
    slow: bool,
    single: bool,
) -> Ticks:
    """One tick of B states; arrays are C-contiguous, targets exact poses.

    Args:
        arm: From ``pack_arm``.
        rates: (2, dof) limits of speed and acceleration, above 0, inf where there are none.
        constants: Of the formula.
        q: (B, dof) coordinates.
        dq: (B, dof) speeds.
        targets: (B, 4, 4).
        dt: [s].
        damping: At least 0.
        centring: At least 0.
        slow: Whether to keep to the straight way.
        single: Whether coordinates are rounded to float32.

    Returns:
        The next states; of a state that is not finite, a scale of NaN.
    """
    out, found = np.empty((2, *q.shape)), np.empty((3, len(q)))
    arguments = (*arm, rates, constants, q, dq, targets, dt, damping, centring, slow, single, out, found)
    run_batch(ticks, arguments, len(q), GRAIN)
    return Ticks(out[0], out[1], found)
