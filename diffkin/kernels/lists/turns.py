"""Turns between rotations, between directions and from level flight, as vectors of lanes: their size and derivatives.

A set of three 3-vectors is nine rows of lanes, one vector after another.
"""

from __future__ import annotations

import math

import numpy as np

from diffkin.kernels.compiled import exact
from diffkin.kernels.vectors.strict import any_, fma, load, maximum, select, splat, sqrt, store

__all__ = ["banked", "cross3", "dot3", "logarithm", "risen", "slope_of_logarithm", "slope_of_turn", "turn_between"]


def _angle_over_sine() -> tuple[float, ...]:
    """Coefficients in ``2 w - 1`` of ``2 arccos(w) / sqrt(1 - w^2)`` on [0, 1], to 1e-15 relative."""
    nodes = np.cos(np.pi * (np.arange(64) + 0.5) / 64)
    half = np.arccos(0.5 * (nodes + 1))
    fit = np.polynomial.chebyshev.chebfit(nodes, 2 * half / np.sin(half), 20)
    return tuple(float(c) for c in np.polynomial.chebyshev.cheb2poly(fit))


def _log_curvature() -> tuple[float, ...]:
    """Coefficients in ``2 t^2 / pi^2 - 1`` of ``1/t^2 - cot(t/2) / (2 t)`` on [0, pi], to 1e-15.

    From its power series ``sum_k 2 zeta(2 k + 2) t^(2 k) / (2 pi)^(2 k + 2)``, which does not cancel.
    """
    count = np.arange(1.0, 20001.0)
    zeta = [math.pi**2 / 6, math.pi**4 / 90, *(float(np.sum(count[::-1] ** (-2 * k))) for k in range(3, 40))]
    nodes = np.cos(np.pi * (np.arange(32) + 0.5) / 32)
    share = (nodes + 1) / 8  # t^2 / (2 pi)^2
    values = sum(2 * z * share**k for k, z in enumerate(zeta)) / (4 * math.pi**2)
    fit = np.polynomial.chebyshev.chebfit(nodes, values, 14)
    return tuple(float(c) for c in np.polynomial.chebyshev.cheb2poly(fit))


_FACTOR = _angle_over_sine()
_CURVATURE = _log_curvature()
_VERTICAL = 1e-20  # square of the wings' and the back's heights below which bank says nothing, as in WingsLevelTask


@exact
def dot3(a0, a1, a2, b0, b1, b2):
    return fma(a2, b2, fma(a1, b1, a0 * b0))


@exact
def cross3(a0, a1, a2, b0, b1, b2):
    return fma(a1, b2, -1.0 * (a2 * b1)), fma(a2, b0, -1.0 * (a0 * b2)), fma(a0, b1, -1.0 * (a1 * b0))


@exact
def _factor(w):
    """Angle over the sine of its half, from the cosine of its half in [0, 1]."""
    t = fma(w, 2.0, -1.0)
    p = fma(t, _FACTOR[20], _FACTOR[19])
    p = fma(t, p, _FACTOR[18])
    p = fma(t, p, _FACTOR[17])
    p = fma(t, p, _FACTOR[16])
    p = fma(t, p, _FACTOR[15])
    p = fma(t, p, _FACTOR[14])
    p = fma(t, p, _FACTOR[13])
    p = fma(t, p, _FACTOR[12])
    p = fma(t, p, _FACTOR[11])
    p = fma(t, p, _FACTOR[10])
    p = fma(t, p, _FACTOR[9])
    p = fma(t, p, _FACTOR[8])
    p = fma(t, p, _FACTOR[7])
    p = fma(t, p, _FACTOR[6])
    p = fma(t, p, _FACTOR[5])
    p = fma(t, p, _FACTOR[4])
    p = fma(t, p, _FACTOR[3])
    p = fma(t, p, _FACTOR[2])
    p = fma(t, p, _FACTOR[1])
    return fma(t, p, _FACTOR[0])


@exact
def _curvature(square):
    """1/t^2 - cot(t/2) / (2 t) from t^2 in [0, pi^2]."""
    t = fma(square, 2.0 / math.pi**2, -1.0)
    p = fma(t, _CURVATURE[14], _CURVATURE[13])
    p = fma(t, p, _CURVATURE[12])
    p = fma(t, p, _CURVATURE[11])
    p = fma(t, p, _CURVATURE[10])
    p = fma(t, p, _CURVATURE[9])
    p = fma(t, p, _CURVATURE[8])
    p = fma(t, p, _CURVATURE[7])
    p = fma(t, p, _CURVATURE[6])
    p = fma(t, p, _CURVATURE[5])
    p = fma(t, p, _CURVATURE[4])
    p = fma(t, p, _CURVATURE[3])
    p = fma(t, p, _CURVATURE[2])
    p = fma(t, p, _CURVATURE[1])
    return fma(t, p, _CURVATURE[0])


@exact
def logarithm(m00, m01, m02, m10, m11, m12, m20, m21, m22):
    """Rotation vector of a rotation matrix, its angle up to half a turn, there of either sign."""
    v0, v1, v2 = m21 - m12, m02 - m20, m10 - m01  # twice the sine of the angle times the axis
    trace = m00 + m11 + m22
    w = 0.5 * sqrt(maximum(1.0 + trace, 0.01))  # cosine of half the angle, if that is below 169 degrees
    scale = 0.25 * _factor(w) / w
    r0, r1, r2 = scale * v0, scale * v1, scale * v2
    far = trace < -0.96
    if any_(far):
        # near half a turn the axis comes from the symmetric part: the column of M + M^T - (tr M - 1) I with the largest
        # diagonal is four times the vector part of the unit quaternion times one of its components
        s01, s02, s12 = m01 + m10, m02 + m20, m12 + m21
        d0, d1, d2 = 1.0 + m00 - m11 - m22, 1.0 - m00 + m11 - m22, 1.0 - m00 - m11 + m22
        first, second = (d0 >= d1) & (d0 >= d2), d1 >= d2
        u0 = select(first, d0, select(second, s01, s02))
        u1 = select(first, s01, select(second, d1, s12))
        u2 = select(first, s02, select(second, s12, d2))
        shrink = 1.0 / sqrt(dot3(u0, u1, u2, u0, u1, u2))
        sine = 0.5 * (dot3(u0, u1, u2, v0, v1, v2) * shrink)  # of the angle about u
        sign = select(sine < 0.0, -1.0 * shrink, shrink)
        w = maximum(sine, -1.0 * sine) / sqrt(3.0 - trace)  # sine of the angle over twice that of its half
        scale = sign * (_factor(w) * sqrt(fma(-1.0 * w, w, 1.0)))
        r0, r1, r2 = select(far, scale * u0, r0), select(far, scale * u1, r1), select(far, scale * u2, r2)
    return r0, r1, r2


@exact
def slope_of_logarithm(t0, t1, t2, rows, at, out, to):
    """Nine rows of ``out`` from ``to`` on: ``(I - [t]/2 + k [t]^2) B`` with the three vectors B in ``rows`` from ``at`` on.

    That is the inverse of the left Jacobian of the rotation vector t (Barfoot, State Estimation for Robotics, 7.1.5).
    """
    k = _curvature(dot3(t0, t1, t2, t0, t1, t2))
    for i in range(3):
        b0, b1, b2 = load(rows, at + i), load(rows, at + 3 + i), load(rows, at + 6 + i)
        c0, c1, c2 = cross3(t0, t1, t2, b0, b1, b2)
        d0, d1, d2 = cross3(t0, t1, t2, c0, c1, c2)
        store(out, to + i, fma(k, d0, fma(c0, -0.5, b0)))
        store(out, to + 3 + i, fma(k, d1, fma(c1, -0.5, b1)))
        store(out, to + 6 + i, fma(k, d2, fma(c2, -0.5, b2)))


@exact
def _size(x):
    return maximum(x, -1.0 * x)


@exact
def _across(d0, d1, d2):
    """Some unit vector across a vector: its product with the axis along which it is smallest."""
    a0, a1, a2 = _size(d0), _size(d1), _size(d2)
    first, second = (a0 <= a1) & (a0 <= a2), a1 <= a2
    c0 = select(first, 0.0, select(second, -1.0 * d2, d1))
    c1 = select(first, d2, select(second, 0.0, -1.0 * d0))
    c2 = select(first, -1.0 * d1, select(second, d0, 0.0))
    size = 1.0 / sqrt(dot3(c0, c1, c2, c0, c1, c2))
    return size * c0, size * c1, size * c2


@exact
def turn_between(g0, g1, g2, d0, d1, d2):
    """Rotation vector of the least turn from one unit vector to another, and its angle; of opposite ones some."""
    c0, c1, c2 = cross3(g0, g1, g2, d0, d1, d2)
    s0, s1, s2 = g0 + d0, g1 + d1, g2 + d2
    square = dot3(c0, c1, c2, c0, c1, c2)
    w = maximum(0.5 * sqrt(dot3(s0, s1, s2, s0, s1, s2)), 1e-15)  # cosine of half the angle
    ratio = 0.5 * _factor(w) / w
    t0, t1, t2 = ratio * c0, ratio * c1, ratio * c2
    opposite = (square < 1e-28) & (w < 0.5)
    if any_(opposite):
        a0, a1, a2 = _across(d0, d1, d2)
        t0 = select(opposite, math.pi * a0, t0)
        t1 = select(opposite, math.pi * a1, t1)
        t2 = select(opposite, math.pi * a2, t2)
    return t0, t1, t2, select(opposite, math.pi, ratio * sqrt(square))


@exact
def normal_between(g0, g1, g2, d0, d1, d2):
    """Unit axis of the least turn between two unit vectors; some axis across the second where they are parallel."""
    c0, c1, c2 = cross3(g0, g1, g2, d0, d1, d2)
    square = dot3(c0, c1, c2, c0, c1, c2)
    parallel = square < 1e-28
    inverse = 1.0 / sqrt(select(parallel, 1.0, square))
    n0, n1, n2 = inverse * c0, inverse * c1, inverse * c2
    if any_(parallel):
        a0, a1, a2 = _across(d0, d1, d2)
        n0, n1, n2 = select(parallel, a0, n0), select(parallel, a1, n1), select(parallel, a2, n2)
    return n0, n1, n2, square


@exact
def slope_of_turn(g0, g1, g2, d0, d1, d2, angle, out, to):
    """Nine rows of ``out`` from ``to`` on: the derivative of ``turn_between`` as the second vector turns.

    With the axis n and ``m = d x n``: ``n n^T + angle (cot(angle) m - d) m^T``. Opposite, the true factor is minus
    infinity; a large one keeps the step across the axis of turn at zero as well.
    """
    n0, n1, n2, square = normal_between(g0, g1, g2, d0, d1, d2)
    m0, m1, m2 = cross3(d0, d1, d2, n0, n1, n2)
    cosine, sine = dot3(g0, g1, g2, d0, d1, d2), sqrt(square)
    straight = select(sine < 1e-6, select(cosine > 0.0, splat(1.0), splat(-3e6)), angle * cosine / maximum(sine, 1e-6))
    r0, r1, r2 = (
        fma(straight, m0, -1.0 * (angle * d0)),
        fma(straight, m1, -1.0 * (angle * d1)),
        fma(straight, m2, -1.0 * (angle * d2)),
    )
    store(out, to, fma(n0, n0, r0 * m0))
    store(out, to + 1, fma(n0, n1, r0 * m1))
    store(out, to + 2, fma(n0, n2, r0 * m2))
    store(out, to + 3, fma(n1, n0, r1 * m0))
    store(out, to + 4, fma(n1, n1, r1 * m1))
    store(out, to + 5, fma(n1, n2, r1 * m2))
    store(out, to + 6, fma(n2, n0, r2 * m0))
    store(out, to + 7, fma(n2, n1, r2 * m1))
    store(out, to + 8, fma(n2, n2, r2 * m2))


# -- how high the axes of a link point: their parts along z, which change with the angular velocity w by w . (d x z) --------


@exact
def risen(d0, d1, d2, room, slopes, at):
    """How much higher a direction d points than it may: ``max(0, d2 + room)``, and three rows of its slope."""
    row = maximum(d2 + room, splat(0.0))
    over = row > 0.0
    store(slopes, at, select(over, d1, 0.0))
    store(slopes, at + 1, select(over, -1.0 * d0, 0.0))
    store(slopes, at + 2, splat(0.0))
    return row


@exact
def banked(frames, link, slopes, at):
    """The row ``bank cos(pitch)`` of a link with axes forward, left, up, and three rows of its slope."""
    a = 12 * link
    l0, l1, y = load(frames, a + 3), load(frames, a + 4), load(frames, a + 5)
    u0, u1, z = load(frames, a + 6), load(frames, a + 7), load(frames, a + 8)
    square = fma(y, y, z * z)
    vertical = square < _VERTICAL
    flat = sqrt(select(vertical, 1.0, square))
    inverse = 1.0 / flat
    sine, cosine = inverse * y, inverse * z
    half = 0.5 * sqrt(fma(sine, sine, (1.0 + cosine) * (1.0 + cosine)))  # the cosine of half the bank angle
    ratio = _factor(half)
    # from the sine while the angle is small, else from that of the half, which is small near inverted flight
    wide = ratio * sqrt(maximum(fma(-1.0 * half, half, 1.0), 0.0))
    bank = select(half > 0.5, 0.5 * ratio * sine / maximum(half, 0.5), select(sine < 0.0, -1.0 * wide, wide))
    by_left = select(vertical, 1.0, inverse * fma(bank, y, z))
    by_up = select(vertical, 0.0, inverse * fma(bank, z, -1.0 * y))
    store(slopes, at, fma(by_up, u1, by_left * l1))
    store(slopes, at + 1, -1.0 * fma(by_up, u0, by_left * l0))
    store(slopes, at + 2, splat(0.0))
    return select(vertical, y, bank * flat)
