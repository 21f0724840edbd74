"""Attitude dynamics of many rigid bodies over many steps, several of them in SIMD lanes.

The integrators are those of the torch path: a step turns the body, ``R' = R P``, and changes its angular momentum p.
The turn since the start is kept as a quaternion, normalised at each step.

Arrays are C-contiguous. ``shared`` holds five integers: for inertia, its inverse, rotors and torque 0 where one row
serves all bodies and 1 where each has its own; then 1 if there is a torque for each step, else 0.
"""

from __future__ import annotations

import math

import numpy as np

from diffkin.kernels.attitude.constants import BULLET_MAX_RATE, BULLET_MAX_TURN, LIE_MIDPOINT, RK4
from diffkin.kernels.compiled import inline, kernel
from diffkin.kernels.vectors.wide import any_above, load, select_above, splat, sqrt, store, width

__all__ = ["simulate"]

# Powers of the squared angle t^2: sin(t/2)/t, cos(t/2), (1 - cos t)/t^2, (t - sin t)/t^3
_TERMS = range(8)
_S = tuple((-0.25) ** k / (2 * math.factorial(2 * k + 1)) for k in _TERMS)
_C = tuple((-0.25) ** k / math.factorial(2 * k) for k in _TERMS)
_A = tuple((-1.0) ** k / math.factorial(2 * k + 2) for k in _TERMS)
_B = tuple((-1.0) ** k / math.factorial(2 * k + 3) for k in _TERMS)
_SMALL = 0.25

# Rows of the block of constants of the bodies in the lanes
_J, _K, _H, _TAU = 0, 9, 18, 21
_ROWS = 24


@inline
def _dot(a0, a1, a2, b0, b1, b2):
    return a0 * b0 + a1 * b1 + a2 * b2


@inline
def _cross(a0, a1, a2, b0, b1, b2):
    return a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0


@inline
def _apply(m, row, v0, v1, v2):
    """Matrix (rows row ... row + 8 of ``m``) times vector."""
    x = load(m, row) * v0 + load(m, row + 1) * v1 + load(m, row + 2) * v2
    y = load(m, row + 3) * v0 + load(m, row + 4) * v1 + load(m, row + 5) * v2
    z = load(m, row + 6) * v0 + load(m, row + 7) * v1 + load(m, row + 8) * v2
    return x, y, z


@inline
def _apply_t(m, row, v0, v1, v2):
    """Transposed matrix times vector."""
    x = load(m, row) * v0 + load(m, row + 3) * v1 + load(m, row + 6) * v2
    y = load(m, row + 1) * v0 + load(m, row + 4) * v1 + load(m, row + 7) * v2
    z = load(m, row + 2) * v0 + load(m, row + 5) * v1 + load(m, row + 8) * v2
    return x, y, z


@inline
def _multiply(ax, ay, az, aw, bx, by, bz, bw):
    """Hamilton's product, scalar last."""
    x = aw * bx + bw * ax + ay * bz - az * by
    y = aw * by + bw * ay + az * bx - ax * bz
    z = aw * bz + bw * az + ax * by - ay * bx
    w = aw * bw - ax * bx - ay * by - az * bz
    return x, y, z, w


@inline
def _rotate(x, y, z, w, v0, v1, v2):
    """A vector turned by a unit quaternion."""
    t0, t1, t2 = _cross(x, y, z, v0, v1, v2)
    t0, t1, t2 = t0 + t0, t1 + t1, t2 + t2
    c0, c1, c2 = _cross(x, y, z, t0, t1, t2)
    return v0 + w * t0 + c0, v1 + w * t1 + c1, v2 + w * t2 + c2


@inline
def _rotate_t(x, y, z, w, v0, v1, v2):
    """A vector turned by the inverse of a unit quaternion."""
    t0, t1, t2 = _cross(x, y, z, v0, v1, v2)
    t0, t1, t2 = t0 + t0, t1 + t1, t2 + t2
    c0, c1, c2 = _cross(x, y, z, t0, t1, t2)
    return v0 - w * t0 + c0, v1 - w * t1 + c1, v2 - w * t2 + c2


@inline
def _series(c, t):
    value = c[7] * t + c[6]
    value = value * t + c[5]
    value = value * t + c[4]
    value = value * t + c[3]
    value = value * t + c[2]
    value = value * t + c[1]
    return value * t + c[0]


@inline
def _half_angle(square):
    """``sin(t/2) / t`` and ``cos(t/2)`` of the squared angle t^2, for any angle up to 4e5.

    Their power series; a large angle is halved until it is small and the result doubled back.
    """
    halvings, bound = 0, _SMALL
    small = square
    while any_above(square, bound) and halvings < 20:
        small = select_above(square, bound, 0.25 * small, small)
        bound *= 4.0
        halvings += 1
    s, c = _series(_S, small), _series(_C, small)
    for _ in range(halvings):
        bound *= 0.25
        twice = 1.0 - (0.5 * _SMALL / bound) * s * s * square  # cos t = 1 - 2 sin^2(t/2), precise for small t
        s = select_above(square, bound, s * c, s)
        c = select_above(square, bound, twice, c)
    return s, c


@inline
def _exp(v0, v1, v2):
    """Unit quaternion of a rotation vector."""
    s, c = _half_angle(_dot(v0, v1, v2, v0, v1, v2))
    return s * v0, s * v1, s * v2, c


@inline
def _jacobian_t(v0, v1, v2, g0, g1, g2):
    """``J_right(v)^T g = g + a v x g + b v x (v x g)``, ``a = (1 - cos t)/t^2``, ``b = (t - sin t)/t^3``."""
    square = _dot(v0, v1, v2, v0, v1, v2)
    a, b = _series(_A, square), _series(_B, square)
    if any_above(square, _SMALL):
        s, c = _half_angle(square)
        a = select_above(square, _SMALL, 2.0 * s * s, a)
        b = select_above(square, _SMALL, (1.0 - 2.0 * s * c) / square, b)
    c0, c1, c2 = _cross(v0, v1, v2, g0, g1, g2)
    d0, d1, d2 = _cross(v0, v1, v2, c0, c1, c2)
    return g0 + a * c0 + b * d0, g1 + a * c1 + b * d1, g2 + a * c2 + b * d2


@inline
def _drag(w0, w1, w2, damping):
    """``d (1 + |w|)``."""
    return damping * (1.0 + sqrt(_dot(w0, w1, w2, w0, w1, w2)))


@inline
def _held(body, p0, p1, p2, w0, w1, w2, damping):
    """Torque held over the step less damping."""
    t0, t1, t2 = load(body, _TAU), load(body, _TAU + 1), load(body, _TAU + 2)
    if damping != 0.0:
        s = _drag(w0, w1, w2, damping)
        t0 = t0 - s * (p0 - load(body, _H))
        t1 = t1 - s * (p1 - load(body, _H + 1))
        t2 = t2 - s * (p2 - load(body, _H + 2))
    return t0, t1, t2


@inline
def _rate(body, p0, p1, p2, w0, w1, w2, damping):
    """dp/dt."""
    c0, c1, c2 = _cross(p0, p1, p2, w0, w1, w2)
    t0, t1, t2 = _held(body, p0, p1, p2, w0, w1, w2, damping)
    return c0 + t0, c1 + t1, c2 + t2


@inline
def _omega(body, p0, p1, p2):
    return _apply(body, _K, p0 - load(body, _H), p1 - load(body, _H + 1), p2 - load(body, _H + 2))


@inline
def _spin(x, y, z, w, w0, w1, w2):
    """Twice dq/dt: q (w, 0)."""
    c0, c1, c2 = _cross(x, y, z, w0, w1, w2)
    return w * w0 + c0, w * w1 + c1, w * w2 + c2, -_dot(x, y, z, w0, w1, w2)


@inline
def _stage(f0, f1, f2, p0, p1, p2, h):
    return p0 + h * f0, p1 + h * f1, p2 + h * f2


@inline
def _turn_stages(w, dt):
    """Runge-Kutta stages of the quaternion from the identity, from the four rates in ``w`` (12 rows)."""
    half = 0.25 * dt  # half a step of half the product
    a0, a1, a2 = load(w, 0), load(w, 1), load(w, 2)
    y2 = (half * a0, half * a1, half * a2, splat(w, 1.0))
    b0, b1, b2, b3 = _spin(y2[0], y2[1], y2[2], y2[3], load(w, 3), load(w, 4), load(w, 5))
    y3 = (half * b0, half * b1, half * b2, 1.0 + half * b3)
    c0, c1, c2, c3 = _spin(y3[0], y3[1], y3[2], y3[3], load(w, 6), load(w, 7), load(w, 8))
    whole = 0.5 * dt
    y4 = (whole * c0, whole * c1, whole * c2, 1.0 + whole * c3)
    d0, d1, d2, d3 = _spin(y4[0], y4[1], y4[2], y4[3], load(w, 9), load(w, 10), load(w, 11))
    sixth = dt / 12.0
    q = (
        sixth * (a0 + 2.0 * (b0 + c0) + d0),
        sixth * (a1 + 2.0 * (b1 + c1) + d1),
        sixth * (a2 + 2.0 * (b2 + c2) + d2),
        1.0 + sixth * (2.0 * (b3 + c3) + d3),
    )
    return y2, y3, y4, q


@inline
def _rk4_rates(body, p0, p1, p2, w0, w1, w2, dt, damping, p, w):
    """Momenta (``p``, 12 rows) and rates (``w``, 12 rows) of the four stages; the momentum after the step."""
    store(p, 0, p0), store(p, 1, p1), store(p, 2, p2)
    store(w, 0, w0), store(w, 1, w1), store(w, 2, w2)
    f0, f1, f2 = _rate(body, p0, p1, p2, w0, w1, w2, damping)
    s0, s1, s2 = f0, f1, f2
    for i in range(1, 4):
        h = dt if i == 3 else 0.5 * dt
        x0, x1, x2 = _stage(f0, f1, f2, p0, p1, p2, h)
        v0, v1, v2 = _omega(body, x0, x1, x2)
        store(p, 3 * i, x0), store(p, 3 * i + 1, x1), store(p, 3 * i + 2, x2)
        store(w, 3 * i, v0), store(w, 3 * i + 1, v1), store(w, 3 * i + 2, v2)
        f0, f1, f2 = _rate(body, x0, x1, x2, v0, v1, v2, damping)
        share = 1.0 if i == 3 else 2.0
        s0, s1, s2 = s0 + share * f0, s1 + share * f1, s2 + share * f2
    return _stage(s0, s1, s2, p0, p1, p2, dt / 6.0)


@inline
def _rk4(body, p0, p1, p2, w0, w1, w2, dt, damping, p, w):
    p0, p1, p2 = _rk4_rates(body, p0, p1, p2, w0, w1, w2, dt, damping, p, w)
    _, _, _, q = _turn_stages(w, dt)
    return q, p0, p1, p2


@inline
def _lie_midpoint(body, p0, p1, p2, w0, w1, w2, dt, damping):
    half = 0.5 * dt
    e = _exp(half * w0, half * w1, half * w2)
    c0, c1, c2 = _rotate_t(e[0], e[1], e[2], e[3], p0, p1, p2)
    t0, t1, t2 = _held(body, p0, p1, p2, w0, w1, w2, damping)
    m0, m1, m2 = c0 + half * t0, c1 + half * t1, c2 + half * t2
    v0, v1, v2 = _omega(body, m0, m1, m2)
    x, y, z, w = _exp(half * v0, half * v1, half * v2)
    t0, t1, t2 = _held(body, m0, m1, m2, v0, v1, v2, damping)
    u0, u1, u2 = _rotate_t(x, y, z, w, p0, p1, p2)
    u0, u1, u2 = _rotate_t(x, y, z, w, u0 + dt * t0, u1 + dt * t1, u2 + dt * t2)
    return _multiply(x, y, z, w, x, y, z, w), u0, u1, u2


@inline
def _clamp(v):
    return select_above(v, BULLET_MAX_RATE, BULLET_MAX_RATE, -select_above(-v, BULLET_MAX_RATE, BULLET_MAX_RATE, -v))


@inline
def _note(value, bound, events, first, note):
    """Mark the bodies whose ``value`` exceeds the bound; ``note`` is a row to work in."""
    store(note, 0, value)
    for l in range(min(note.shape[1], events.shape[0] - first)):
        if note[0, l] > bound:
            events[first + l] = 1


@inline
def _bullet(body, p0, p1, p2, w0, w1, w2, dt, damping, frame, events, first, note):
    """Bullet's step; ``frame`` holds R. Bodies of which a clamp acts are noted in ``events``."""
    f0, f1, f2 = _rate(body, p0, p1, p2, w0, w1, w2, damping)
    p0, p1, p2 = p0 + dt * f0, p1 + dt * f1, p2 + dt * f2
    w0, w1, w2 = _omega(body, p0, p1, p2)
    square = _dot(w0, w1, w2, w0, w1, w2)
    if any_above(square, BULLET_MAX_RATE * BULLET_MAX_RATE):  # otherwise no component can exceed it
        x0, x1, x2 = _apply(frame, 0, w0, w1, w2)
        x0, x1, x2 = x0 - _clamp(x0), x1 - _clamp(x1), x2 - _clamp(x2)
        excess = _dot(x0, x1, x2, x0, x1, x2)
        if any_above(excess, 0.0):
            _note(excess, 0.0, events, first, note)
            x0, x1, x2 = _apply_t(frame, 0, x0, x1, x2)
            w0, w1, w2 = w0 - x0, w1 - x1, w2 - x2
            square = _dot(w0, w1, w2, w0, w1, w2)
            y0, y1, y2 = _apply(body, _J, x0, x1, x2)
            p0, p1, p2 = p0 - y0, p1 - y1, p2 - y2
    x, y, z, w = _exp(dt * w0, dt * w1, dt * w2)
    limit = BULLET_MAX_TURN * BULLET_MAX_TURN / (dt * dt)
    if any_above(square, limit):
        _note(square, limit, events, first, note)
        s = dt * (math.sin(0.5 * BULLET_MAX_TURN) / BULLET_MAX_TURN)
        x, y, z = (
            select_above(square, limit, s * w0, x),
            select_above(square, limit, s * w1, y),
            select_above(square, limit, s * w2, z),
        )
        w = select_above(square, limit, math.cos(0.5 * BULLET_MAX_TURN), w)
    return (x, y, z, w), p0, p1, p2


@inline
def _gather(array, rows, first, count, scale, target, row):
    """Put ``rows`` numbers of each body into lanes; bodies past the last are copies of it."""
    for l in range(target.shape[1]):
        b = min(first + l, count - 1) * scale
        for i in range(rows):
            target[row + i, l] = array[b, i]


@inline
def _gather_step(array, rows, first, count, scale, k, target, row):
    for l in range(target.shape[1]):
        b = min(first + l, count - 1) * scale
        for i in range(rows):
            target[row + i, l] = array[b, k, i]


@inline
def _load_body(inertia, inverse, rotor, torque, shared, first, count, body):
    _gather(inertia, 9, first, count, shared[0], body, _J)
    _gather(inverse, 9, first, count, shared[1], body, _K)
    _gather(rotor, 3, first, count, shared[2], body, _H)
    _gather_step(torque, 3, first, count, shared[3], 0, body, _TAU)


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
def simulate(R0, omega0, inertia, inverse, rotor, torque, shared, options, kind, R, omega, events, start, stop):
    """Simulate bodies ``start`` to ``stop`` (``start`` a multiple of the lanes).

    Args:
        R0: (count, 9) rotations.
        omega0: (count, 3).
        inertia: (count or 1, 9).
        inverse: (count or 1, 9).
        rotor: (count or 1, 3).
        torque: (count or 1, steps or 1, 3).
        shared: (5,) integers, see above.
        options: (2,) float64, the step and Bullet's damping.
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
    dt, damping = options[0], options[1]
    body = np.empty((_ROWS, W), R0.dtype)
    first_frame = np.empty((9, W), R0.dtype)
    frame = np.empty((9, W), R0.dtype)
    rate, note = np.empty((3, W), R0.dtype), np.empty((1, W), R0.dtype)
    stage_p = np.empty((12, W), R0.dtype)
    stage_w = np.empty((12, W), R0.dtype)
    for first in range(start, stop, W):
        lanes = min(W, count - first)
        _load_body(inertia, inverse, rotor, torque, shared, first, count, body)
        _gather(R0, 9, first, count, 1, first_frame, 0)
        _gather(R0, 9, first, count, 1, frame, 0)
        _gather(omega0, 3, first, count, 1, rate, 0)
        w0, w1, w2 = load(rate, 0), load(rate, 1), load(rate, 2)
        p0, p1, p2 = _apply(body, _J, w0, w1, w2)
        p0, p1, p2 = p0 + load(body, _H), p1 + load(body, _H + 1), p2 + load(body, _H + 2)
        x, y, z, w = splat(R0, 0.0), splat(R0, 0.0), splat(R0, 0.0), splat(R0, 1.0)
        for k in range(steps + 1):
            for l in range(lanes):
                for i in range(9):
                    R[first + l, k, i] = frame[i, l]
                for i in range(3):
                    omega[first + l, k, i] = rate[i, l]
            if k == steps:
                break
            if shared[4]:
                _gather_step(torque, 3, first, count, shared[3], k, body, _TAU)
            if kind == RK4:
                q, p0, p1, p2 = _rk4(body, p0, p1, p2, w0, w1, w2, dt, damping, stage_p, stage_w)
            elif kind == LIE_MIDPOINT:
                q, p0, p1, p2 = _lie_midpoint(body, p0, p1, p2, w0, w1, w2, dt, damping)
            else:
                q, p0, p1, p2 = _bullet(body, p0, p1, p2, w0, w1, w2, dt, damping, frame, events, first, note)
            x, y, z, w = _multiply(x, y, z, w, q[0], q[1], q[2], q[3])
            scale = 1.0 / sqrt(x * x + y * y + z * z + w * w)
            x, y, z, w = scale * x, scale * y, scale * z, scale * w
            w0, w1, w2 = _omega(body, p0, p1, p2)
            store(rate, 0, w0), store(rate, 1, w1), store(rate, 2, w2)
            _frame(x, y, z, w, first_frame, frame)
