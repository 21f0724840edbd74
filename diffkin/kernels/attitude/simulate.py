"""Attitude dynamics of many rigid bodies over many steps, several of them in SIMD lanes.

The integrators are those of the torch path: a step turns the body, ``R' = R P``, and changes its angular momentum p.
The turn since the start is kept as a quaternion, normalised at each step. Arrays are C-contiguous.
"""

from __future__ import annotations

import math

import numpy as np

from diffkin.kernels.attitude.body import (
    INERTIA,
    ROWS,
    TORQUE,
    held,
    momentum,
    momentum_rate,
    rate_of,
    read_body,
    read_lanes,
    read_step,
)
from diffkin.kernels.attitude.constants import (
    BULLET_MAX_RATE,
    BULLET_MAX_TURN,
    DAMPING,
    LIE_MIDPOINT,
    OWN_TORQUE,
    RK4,
    STEP,
    TORQUE_EACH_STEP,
)
from diffkin.kernels.attitude.runge_kutta import stage_rates, turn_stages
from diffkin.kernels.attitude.turns import (
    apply,
    apply_transposed,
    dot,
    exponential,
    multiply,
    rotate_back,
)
from diffkin.kernels.compiled import inline, kernel
from diffkin.kernels.vectors.wide import any_, load, select, splat, sqrt, store, width

__all__ = ["simulate"]


@inline
def _rk4(body, p0, p1, p2, w0, w1, w2, dt, damping, p, w):
    """The turn of the step and the momentum after it, as of the other steps; ``p`` and ``w`` are 12 rows to work in."""
    p0, p1, p2 = stage_rates(body, p0, p1, p2, w0, w1, w2, dt, damping, p, w)
    _, _, _, q = turn_stages(w, dt)
    return q, p0, p1, p2


@inline
def _lie_midpoint(body, p0, p1, p2, w0, w1, w2, dt, damping):
    """Explicit midpoint step on the group."""
    half = 0.5 * dt
    e = exponential(half * w0, half * w1, half * w2)
    c0, c1, c2 = rotate_back(e[0], e[1], e[2], e[3], p0, p1, p2)
    t0, t1, t2 = held(body, p0, p1, p2, w0, w1, w2, damping)
    m0, m1, m2 = c0 + half * t0, c1 + half * t1, c2 + half * t2
    v0, v1, v2 = rate_of(body, m0, m1, m2)
    x, y, z, w = exponential(half * v0, half * v1, half * v2)
    t0, t1, t2 = held(body, m0, m1, m2, v0, v1, v2, damping)
    u0, u1, u2 = rotate_back(x, y, z, w, p0, p1, p2)
    u0, u1, u2 = rotate_back(x, y, z, w, u0 + dt * t0, u1 + dt * t1, u2 + dt * t2)
    return multiply(x, y, z, w, x, y, z, w), u0, u1, u2


@inline
def _clamp(v):
    """``v``, or the greatest rate if it is beyond that."""
    return select(v > BULLET_MAX_RATE, BULLET_MAX_RATE, -select(-v > BULLET_MAX_RATE, BULLET_MAX_RATE, -v))


@inline
def _note(clamped, events, first, note):
    """Mark the bodies of the lanes where ``clamped`` holds; ``note`` is a row to work in."""
    store(note, 0, select(clamped, 1.0, 0.0))
    for l in range(min(note.shape[1], events.shape[0] - first)):
        if note[0, l] > 0.0:
            events[first + l] = 1


@inline
def _bullet(body, p0, p1, p2, w0, w1, w2, dt, damping, frame, events, first, note):
    """Bullet's step; ``frame`` holds R. Bodies of which a clamp acts are noted in ``events``."""
    f0, f1, f2 = momentum_rate(body, p0, p1, p2, w0, w1, w2, damping)
    p0, p1, p2 = p0 + dt * f0, p1 + dt * f1, p2 + dt * f2
    w0, w1, w2 = rate_of(body, p0, p1, p2)
    square = dot(w0, w1, w2, w0, w1, w2)
    if any_(square > BULLET_MAX_RATE * BULLET_MAX_RATE):  # otherwise no component can exceed it
        x0, x1, x2 = apply(frame, 0, w0, w1, w2)
        x0, x1, x2 = x0 - _clamp(x0), x1 - _clamp(x1), x2 - _clamp(x2)
        excess = dot(x0, x1, x2, x0, x1, x2)
        if any_(excess > 0.0):
            _note(excess > 0.0, events, first, note)
            x0, x1, x2 = apply_transposed(frame, 0, x0, x1, x2)
            w0, w1, w2 = w0 - x0, w1 - x1, w2 - x2
            square = dot(w0, w1, w2, w0, w1, w2)
            y0, y1, y2 = apply(body, INERTIA, x0, x1, x2)
            p0, p1, p2 = p0 - y0, p1 - y1, p2 - y2
    x, y, z, w = exponential(dt * w0, dt * w1, dt * w2)
    far = square > BULLET_MAX_TURN * BULLET_MAX_TURN / (dt * dt)
    if any_(far):
        _note(far, events, first, note)
        s = dt * (math.sin(0.5 * BULLET_MAX_TURN) / BULLET_MAX_TURN)
        x, y, z = select(far, s * w0, x), select(far, s * w1, y), select(far, s * w2, z)
        w = select(far, math.cos(0.5 * BULLET_MAX_TURN), w)
    return (x, y, z, w), p0, p1, p2


@inline
def _frame(x, y, z, w, start, frame):
    """``frame`` = ``start`` times the matrix of a unit quaternion."""
    x2, y2, z2 = x + x, y + y, z + z
    xx, yy, zz = x * x2, y * y2, z * z2
    xy, xz, yz = x * y2, x * z2, y * z2
    wx, wy, wz = w * x2, w * y2, w * z2
    m00, m11, m22 = 1.0 - yy - zz, 1.0 - xx - zz, 1.0 - xx - yy
    m01, m02, m12 = xy - wz, xz + wy, yz - wx
    m10, m20, m21 = xy + wz, xz - wy, yz + wx
    for i in range(3):
        a, b, c = load(start, 3 * i), load(start, 3 * i + 1), load(start, 3 * i + 2)
        store(frame, 3 * i, a * m00 + b * m10 + c * m20)
        store(frame, 3 * i + 1, a * m01 + b * m11 + c * m21)
        store(frame, 3 * i + 2, a * m02 + b * m12 + c * m22)


@kernel
def simulate(R0, omega0, inertia, inverse, rotor, torque, flags, options, kind, R, omega, events, start, stop):
    """Simulate bodies ``start`` to ``stop`` (``start`` a multiple of the lanes).

    Args:
        R0: (count, 9) rotations.
        omega0: (count, 3).
        inertia: (count or 1, 9).
        inverse: (count or 1, 9).
        rotor: (count or 1, 3).
        torque: (count or 1, steps or 1, 3).
        flags: (5,) integers, places as in ``constants``.
        options: (2,) float64, places as in ``constants``.
        kind: RK4, LIE_MIDPOINT or BULLET.
        R: (count, steps + 1, 9), written.
        omega: (count, steps + 1, 3), written.
        events: (count,) bytes, set for bodies of which one of Bullet's clamps acted.
        start: First body.
        stop: End of the bodies.
    """
    count = R0.shape[0]
    steps = R.shape[1] - 1
    W = width(R0)
    dt, damping = options[STEP], options[DAMPING]
    body = np.empty((ROWS, W), R0.dtype)
    first_frame = np.empty((9, W), R0.dtype)
    frame = np.empty((9, W), R0.dtype)
    rate, note = np.empty((3, W), R0.dtype), np.empty((1, W), R0.dtype)
    stage_p = np.empty((12, W), R0.dtype)
    stage_w = np.empty((12, W), R0.dtype)
    for first in range(start, stop, W):
        lanes = min(W, count - first)
        read_body(inertia, inverse, rotor, torque, flags, first, count, body)
        read_lanes(R0, 9, first, count, 1, first_frame, 0)
        read_lanes(R0, 9, first, count, 1, frame, 0)
        read_lanes(omega0, 3, first, count, 1, rate, 0)
        w0, w1, w2 = load(rate, 0), load(rate, 1), load(rate, 2)
        p0, p1, p2 = momentum(body, w0, w1, w2)
        x, y, z, w = splat(R0, 0.0), splat(R0, 0.0), splat(R0, 0.0), splat(R0, 1.0)
        for k in range(steps + 1):
            for l in range(lanes):
                for i in range(9):
                    R[first + l, k, i] = frame[i, l]
                for i in range(3):
                    omega[first + l, k, i] = rate[i, l]
            if k == steps:
                break
            if flags[TORQUE_EACH_STEP]:
                read_step(torque, 3, first, count, flags[OWN_TORQUE], k, body, TORQUE)
            if kind == RK4:
                q, p0, p1, p2 = _rk4(body, p0, p1, p2, w0, w1, w2, dt, damping, stage_p, stage_w)
            elif kind == LIE_MIDPOINT:
                q, p0, p1, p2 = _lie_midpoint(body, p0, p1, p2, w0, w1, w2, dt, damping)
            else:
                q, p0, p1, p2 = _bullet(body, p0, p1, p2, w0, w1, w2, dt, damping, frame, events, first, note)
            x, y, z, w = multiply(x, y, z, w, q[0], q[1], q[2], q[3])
            scale = 1.0 / sqrt(x * x + y * y + z * z + w * w)
            x, y, z, w = scale * x, scale * y, scale * z, scale * w
            w0, w1, w2 = rate_of(body, p0, p1, p2)
            store(rate, 0, w0), store(rate, 1, w1), store(rate, 2, w2)
            _frame(x, y, z, w, first_frame, frame)
