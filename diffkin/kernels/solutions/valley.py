"""The curve along which all but one of six joints' errors vanish, and the solutions that lie on it.

Near a singularity solutions lie in a valley, along which the pose changes so little that descents creep. Let v be the
direction in which a solution's joints move the frame least, and u the direction in which they do so. The coordinates at
which the frame is where the target moved by a screw ``s u`` would be are a curve (q, s) that passes through v, and where
``s = 0`` it meets the target. It is followed by predictor and corrector with a bordered Jacobian, which is regular where the
Jacobian alone is not (Allgower & Georg, Numerical Continuation Methods, 1990, ch. 2 and 8); solutions are where s changes its
sign, and where it comes to a standstill at zero.

Lengths are in units of the chain's length.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.compiled import inline
from diffkin.kernels.ik.chain import ANGLE, COS, DISTANCE, SHIFT_X, SHIFT_Y, SIN, TURN

__all__ = ["MOST_ON_CURVE", "Valley", "new_valley", "softest_at", "solutions_along"]

MOST_ON_CURVE = 40
"""Solutions on one curve that are given, those that are met twice included."""

Floats = NDArray[np.float64]

_JOINTS = 6
_EXACT = 1e-13  # of a correction where the sign of s matters ...
_ROUGH = 1e-3  # ... or of s, where that is more
_WIDE = 0.02  # as far as s is followed
_FIRST, _LONGEST, _LEAST = 0.02, 0.15, 1e-6  # [rad] steps
_FARTHEST = 40.0  # [rad] length of a curve to either side
_STRAIGHT = 0.9  # cosine of the turn in a step
_TOUCH = 1e-11  # s so small at a standstill is a solution: two that have become one
_FLAT = 1e-11  # s so small at both ends of a step ...
_FLAT_STEP, _FLAT_LONGEST = 1e-3, 0.05  # [rad] ... of such a length: every place of the curve is a solution
_TURN = 2.0 * np.pi


class Valley(NamedTuple):
    """Memory of ``solutions_along``."""

    frame: Floats  # (12,) columns x, y, z, origin
    axes: Floats  # (6, 6) z axis and origin of each joint
    jacobian: Floats  # (6, 6)
    square: Floats  # (7, 7) the bordered Jacobian
    step: Floats  # (7,) and the solution of it
    residual: Floats  # (6,)
    left: Floats  # (6,) u
    right: Floats  # (6,) v
    at: Floats  # (6,) where the curve has been followed to
    ahead: Floats  # (6,) the unit tangent there
    next: Floats  # (6,) the next place
    beyond: Floats  # (6,) its tangent
    probe: Floats  # (6,) a place between
    home: Floats  # (2, 6) where the curve began, and its tangent
    found: Floats  # (MOST_ON_CURVE, 6) solutions


@inline
def new_valley():
    """Memory for it."""
    return Valley(
        np.empty(12), np.empty((6, 6)), np.empty((6, 6)), np.empty((7, 7)), np.empty(7), np.empty(6), np.empty(6),
        np.empty(6), np.empty(6), np.empty(6), np.empty(6), np.empty(6), np.empty(6), np.empty((2, 6)),
        np.empty((MOST_ON_CURVE, 6)),
    )  # fmt: skip


@inline
def _move(start, joints, q, valley):
    """Frame and Jacobian at coordinates."""
    frame, axes, jacobian = valley.frame, valley.axes, valley.jacobian
    for i in range(12):
        frame[i] = start[i]
    for j in range(_JOINTS):
        for i in range(6):
            axes[j, i] = frame[6 + i]
        angle = joints[j, TURN] * q[j] + joints[j, ANGLE]
        c, s, ca, sa = np.cos(angle), np.sin(angle), joints[j, COS], joints[j, SIN]
        a, b, d = joints[j, SHIFT_X], joints[j, SHIFT_Y], joints[j, DISTANCE]
        for i in range(3):
            x, y, z = frame[i], frame[3 + i], frame[6 + i]
            x, y = c * x + s * y, c * y - s * x
            frame[9 + i] += a * x + b * y + d * z
            frame[i], frame[3 + i], frame[6 + i] = x, ca * y + sa * z, ca * z - sa * y
    for j in range(_JOINTS):
        turn = joints[j, TURN]
        z0, z1, z2 = turn * axes[j, 0], turn * axes[j, 1], turn * axes[j, 2]
        d0, d1, d2 = frame[9] - axes[j, 3], frame[10] - axes[j, 4], frame[11] - axes[j, 5]
        jacobian[0, j], jacobian[1, j], jacobian[2, j] = z1 * d2 - z2 * d1, z2 * d0 - z0 * d2, z0 * d1 - z1 * d0
        jacobian[3, j], jacobian[4, j], jacobian[5, j] = z0, z1, z2


@inline
def _missing(goal, s, valley):
    """The error of the frame from the goal moved by ``s u``, and its length; the rotation as its axis times the sine.

    Past a right angle the length is infinite: there the sine falls again.
    """
    frame, left, out = valley.frame, valley.left, valley.residual
    w0, w1, w2 = left[3], left[4], left[5]
    angle2 = s * s * (w0 * w0 + w1 * w1 + w2 * w2)
    first, second = s, 0.5 * s * s
    if angle2 > 1e-16:
        angle = np.sqrt(angle2)
        first, second = s * np.sin(angle) / angle, s * s * (1.0 - np.cos(angle)) / angle2
    r0, r1, r2, trace = 0.0, 0.0, 0.0, 0.0
    for k in range(0, 9, 3):
        x, y, z = goal[k], goal[k + 1], goal[k + 2]
        a, b, c = w1 * z - w2 * y, w2 * x - w0 * z, w0 * y - w1 * x
        x += first * a + second * (w1 * c - w2 * b)
        y += first * b + second * (w2 * a - w0 * c)
        z += first * c + second * (w0 * b - w1 * a)
        r0 += frame[k + 1] * z - frame[k + 2] * y
        r1 += frame[k + 2] * x - frame[k] * z
        r2 += frame[k] * y - frame[k + 1] * x
        trace += frame[k] * x + frame[k + 1] * y + frame[k + 2] * z
    for i in range(3):
        out[i] = goal[9 + i] + s * left[i] - frame[9 + i]
    out[3], out[4], out[5] = 0.5 * r0, 0.5 * r1, 0.5 * r2
    square = 0.0
    for i in range(6):
        square += out[i] * out[i]
    return np.sqrt(square) if trace > 1.0 else np.inf


@inline
def _solve(row, transposed, valley):
    """Put the solution of ``[[J, -u], [row, 0]] x = step`` in the place of ``step``; of the transposed one likewise."""
    a, x, jacobian, left = valley.square, valley.step, valley.jacobian, valley.left
    n = 7
    for i in range(6):
        for j in range(6):
            a[i, j] = jacobian[j, i] if transposed else jacobian[i, j]
        a[i, 6], a[6, i] = (row[i], -left[i]) if transposed else (-left[i], row[i])
    a[6, 6] = 0.0
    for k in range(n):
        pivot = k
        for i in range(k + 1, n):
            if abs(a[i, k]) > abs(a[pivot, k]):
                pivot = i
        if pivot != k:
            for j in range(k, n):
                a[k, j], a[pivot, j] = a[pivot, j], a[k, j]
            x[k], x[pivot] = x[pivot], x[k]
        if a[k, k] == 0.0:
            a[k, k] = 1e-300
        inverse = 1.0 / a[k, k]
        for i in range(k + 1, n):
            m = a[i, k] * inverse
            for j in range(k + 1, n):
                a[i, j] -= m * a[k, j]
            x[i] -= m * x[k]
    for k in range(n - 1, -1, -1):
        for j in range(k + 1, n):
            x[k] -= a[k, j] * x[j]
        x[k] /= a[k, k]


@inline
def _unit(valley, out):
    """``step`` without its last, as a unit vector; and how long it was."""
    x, square = valley.step, 0.0
    for i in range(6):
        square += x[i] * x[i]
    length = np.sqrt(square)
    for i in range(6):
        out[i] = x[i] / length
    return length


@inline
def _directions(valley):
    """u and v from a first guess of v, by inverse iteration with a bordered Jacobian; the singular value they belong to."""
    x, jacobian, left, right = valley.step, valley.jacobian, valley.left, valley.right
    for i in range(6):
        x[i] = 1e-9
        for j in range(6):
            x[i] += jacobian[i, j] * right[j]
    _unit(valley, left)
    sigma = 0.0
    for _ in range(3):
        for i in range(7):
            x[i] = i // 6
        _solve(right, False, valley)
        sigma = abs(x[6]) / _unit(valley, right)
        for i in range(7):
            x[i] = i // 6
        _solve(right, True, valley)
        _unit(valley, left)
    return sigma


@inline
def _correct(start, joints, goal, q, s, row, valley):
    """Move coordinates across ``row`` onto the curve; whether that went well, and s there. The Jacobian is left there."""
    before, good = np.inf, False
    for k in range(5):
        _move(start, joints, q, valley)
        size = _missing(goal, s, valley)
        if size <= max(_EXACT, _ROUGH * min(abs(s), 1e-4)):
            good = True
            break
        if k == 4 or not size < 0.5 * before:
            break
        before = size
        for i in range(6):
            valley.step[i] = valley.residual[i]
        valley.step[6] = 0.0
        _solve(row, False, valley)
        for i in range(6):
            q[i] += valley.step[i]
        s += valley.step[6]
    return good, s


@inline
def _tangent(row, out, valley):
    """The unit tangent of the curve that goes along ``row``, and ds along it, where the Jacobian is of."""
    for i in range(7):
        valley.step[i] = i // 6
    _solve(row, False, valley)
    return valley.step[6] / _unit(valley, out)


@inline
def _probe(start, joints, goal, x, guess, valley):
    """The place of the curve that is ``x`` further along the tangent behind: whether it is one, s, and ds along that."""
    probe, ahead = valley.probe, valley.ahead
    for i in range(6):
        probe[i] = valley.at[i] + x * ahead[i]
    good, s = _correct(start, joints, goal, probe, guess, ahead, valley)
    for i in range(7):
        valley.step[i] = i // 6
    _solve(ahead, False, valley)
    return good, s, valley.step[6]


@inline
def _keep(q, found, valley):
    """Keep a solution if there is room."""
    if found == MOST_ON_CURVE:
        return found
    for i in range(6):
        valley.found[found, i] = q[i]
    return found + 1


@inline
def _between(start, joints, goal, h, s, slope, s_next, slope_next, found, valley):
    """Keep the solutions of a step of length ``h``: where s changes its sign, or turns back behind zero or at it.

    Args:
        h: Along the tangent behind.
        s, slope: s and ds along that tangent at the beginning.
        s_next, slope_next: The same at the end.
        found: How many solutions were kept before.

    Returns:
        How many are kept now.
    """
    parts, middle, least = 1, h, s_next
    if s * s_next > 0.0:
        low, high, a, b = 0.0, h, slope, slope_next
        least = s
        for _ in range(40):
            middle = low + (high - low) * min(max(a / (a - b), 0.1), 0.9)
            good, least, turn = _probe(start, joints, goal, middle, least, valley)
            if not good:
                return found
            if least * s <= 0.0 or abs(turn) < 1e-13 or high - low < 1e-9:
                break
            if turn * a > 0.0:
                low, a = middle, turn
            else:
                high, b = middle, turn
        if least * s > 0.0:
            return _keep(valley.probe, found, valley) if abs(least) < _TOUCH else found
        parts = 2
    for part in range(parts):
        good, here, near, far = False, s, 0.0 if part == 0 else middle, middle if part == 0 else h
        s_near, s_far = (s, least) if part == 0 else (least, s_next)
        for k in range(60):
            across = s_near / (s_near - s_far) if s_near != s_far else 0.5
            x = near + (far - near) * (0.5 if k % 3 == 2 else across)
            good, here, _ = _probe(start, joints, goal, x, 0.0, valley)
            if not good or abs(here) < 1e-15 or far - near < 1e-13:
                break
            if here * s_near > 0.0:
                near, s_near = x, here
            else:
                far, s_far = x, here
        if good and abs(here) < _TOUCH:
            found = _keep(valley.probe, found, valley)
    return found


@inline
def softest_at(start, joints, q, valley):
    """The smallest singular value at a solution of a curve just followed, and its direction in ``valley.right``."""
    _move(start, joints, q, valley)
    return _directions(valley)


@inline
def solutions_along(start, joints, goal, q, soft, nearest, valley):
    """Follow the curve through some coordinates and keep the solutions that lie on it in ``valley.found``.

    Args:
        start, joints: Of the chain, of six turning joints.
        goal: (12,) the target's columns x, y, z and origin, in the chain's terms.
        q: (6,) coordinates at or near a solution.
        soft: (6,) about the direction in which they move the frame least.
        nearest: Whether only the next one downhill is wanted; else all, to both sides, until s is out of reach or the
            curve is back where it began.
        valley: Memory.

    Returns:
        How many there are, some of them maybe met twice; where every place is one, one for each step.
    """
    at, ahead, following, beyond, home = valley.at, valley.ahead, valley.next, valley.beyond, valley.home
    for i in range(6):
        valley.right[i] = soft[i]
        at[i] = q[i]
    _move(start, joints, at, valley)
    _directions(valley)
    good, s_home = _correct(start, joints, goal, at, 0.0, valley.right, valley)
    if not good:
        return 0
    slope_home = _tangent(valley.right, ahead, valley)
    if nearest and abs(s_home) < _EXACT and abs(slope_home) < _TOUCH:
        return _keep(at, 0, valley)
    for i in range(6):
        home[0, i], home[1, i] = at[i], ahead[i]
    closed = False
    found = np.int64(0)  # a literal would have ``_between`` compiled for literals as well
    for side in range(2):
        sign = 1.0 if side == 0 else -1.0
        if nearest:
            sign = -1.0 if s_home * slope_home > 0.0 else 1.0
        for i in range(6):
            at[i], ahead[i] = home[0, i], sign * home[1, i]
        s, slope, length, h = s_home, sign * slope_home, 0.0, _FIRST
        if nearest:
            h = min(max(1.5 * abs(s / slope) if slope != 0.0 else _FIRST, 1e-5), _LONGEST)
        while length < _FARTHEST:
            for i in range(6):
                following[i] = at[i] + h * ahead[i]
            good, s_next = _correct(start, joints, goal, following, s + h * slope, ahead, valley)
            turn, way, slope_next = 0.0, 0.0, 0.0
            if good:
                slope_next = _tangent(ahead, beyond, valley)
                for i in range(6):
                    turn += ahead[i] * beyond[i]
                    way += (following[i] - at[i]) ** 2
                good = turn > _STRAIGHT and way < 1.5 * h * h
            if not good:
                h *= 0.5
                if h < _LEAST:
                    break
                continue
            flat = max(abs(s), abs(s_next)) < _FLAT and h > _FLAT_STEP
            if flat:
                found = _keep(following, found, valley)
            elif s * s_next <= 0.0 or (slope * slope_next < 0.0 and s * slope < 0.0):
                found = _between(start, joints, goal, h, s, slope, s_next, slope_next / turn, found, valley)
            if nearest and (found > 0 or s_next * slope_next > 0.0):
                break
            length += h
            s, slope = s_next, slope_next
            back, along, past = 0.0, 0.0, 0.0
            for i in range(6):
                at[i], ahead[i] = following[i], beyond[i]
                d = at[i] - home[0, i]
                d -= _TURN * np.round(d / _TURN)
                back += d * d
                along += sign * ahead[i] * home[1, i]
                past += sign * d * home[1, i]
            closed = length > 4.0 * h and back < 1.5 * h * h and along > _STRAIGHT and past >= 0.0
            if closed or abs(s) > _WIDE or (nearest and length > _TURN):
                break
            h = min(1.5 * h, _FLAT_LONGEST if flat else _LONGEST)
        if closed or nearest:
            break
    return found
