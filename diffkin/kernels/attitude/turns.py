"""Vectors, rotations and their exponential in wide vectors: three or four of these for a vector or a quaternion.

Quaternions are xyzw. A matrix is nine rows of lanes.
"""

from __future__ import annotations

import math

from diffkin.kernels.compiled import inline
from diffkin.kernels.vectors.wide import any_, load, select

__all__ = [
    "apply",
    "apply_transposed",
    "cross",
    "dot",
    "exponential",
    "multiply",
    "right_jacobian_transposed",
    "rotate",
    "rotate_back",
]

# Coefficients, by power of t^2, of sin(t/2)/t, cos(t/2), (1 - cos t)/t^2 and (t - sin t)/t^3
_TERMS = range(8)
_S = tuple((-0.25) ** k / (2 * math.factorial(2 * k + 1)) for k in _TERMS)
_C = tuple((-0.25) ** k / math.factorial(2 * k) for k in _TERMS)
_A = tuple((-1.0) ** k / math.factorial(2 * k + 2) for k in _TERMS)
_B = tuple((-1.0) ** k / math.factorial(2 * k + 3) for k in _TERMS)
_SMALL = 0.25  # up to this t^2 the eight terms are exact to rounding


@inline
def dot(a0, a1, a2, b0, b1, b2):
    """``a . b``."""
    return a0 * b0 + a1 * b1 + a2 * b2


@inline
def cross(a0, a1, a2, b0, b1, b2):
    """``a x b``."""
    return a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0


@inline
def apply(m, row, v0, v1, v2):
    """Matrix (rows row ... row + 8 of ``m``) times vector."""
    x = load(m, row) * v0 + load(m, row + 1) * v1 + load(m, row + 2) * v2
    y = load(m, row + 3) * v0 + load(m, row + 4) * v1 + load(m, row + 5) * v2
    z = load(m, row + 6) * v0 + load(m, row + 7) * v1 + load(m, row + 8) * v2
    return x, y, z


@inline
def apply_transposed(m, row, v0, v1, v2):
    """The transposed matrix times vector."""
    x = load(m, row) * v0 + load(m, row + 3) * v1 + load(m, row + 6) * v2
    y = load(m, row + 1) * v0 + load(m, row + 4) * v1 + load(m, row + 7) * v2
    z = load(m, row + 2) * v0 + load(m, row + 5) * v1 + load(m, row + 8) * v2
    return x, y, z


@inline
def multiply(ax, ay, az, aw, bx, by, bz, bw):
    """Hamilton's product, scalar last."""
    x = aw * bx + bw * ax + ay * bz - az * by
    y = aw * by + bw * ay + az * bx - ax * bz
    z = aw * bz + bw * az + ax * by - ay * bx
    w = aw * bw - ax * bx - ay * by - az * bz
    return x, y, z, w


@inline
def rotate(x, y, z, w, v0, v1, v2):
    """A vector turned by a unit quaternion."""
    t0, t1, t2 = cross(x, y, z, v0, v1, v2)
    t0, t1, t2 = t0 + t0, t1 + t1, t2 + t2
    c0, c1, c2 = cross(x, y, z, t0, t1, t2)
    return v0 + w * t0 + c0, v1 + w * t1 + c1, v2 + w * t2 + c2


@inline
def rotate_back(x, y, z, w, v0, v1, v2):
    """A vector turned by the inverse of a unit quaternion."""
    t0, t1, t2 = cross(x, y, z, v0, v1, v2)
    t0, t1, t2 = t0 + t0, t1 + t1, t2 + t2
    c0, c1, c2 = cross(x, y, z, t0, t1, t2)
    return v0 - w * t0 + c0, v1 - w * t1 + c1, v2 - w * t2 + c2


@inline
def _series(c, t):
    """A polynomial of degree 7 in ``t`` with the coefficients ``c``."""
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
    while any_(square > bound) and halvings < 20:
        small = select(square > bound, 0.25 * small, small)
        bound *= 4.0
        halvings += 1
    s, c = _series(_S, small), _series(_C, small)
    for _ in range(halvings):
        bound *= 0.25
        twice = 1.0 - (0.5 * _SMALL / bound) * s * s * square  # cos t = 1 - 2 sin^2(t/2), precise for small t
        s = select(square > bound, s * c, s)
        c = select(square > bound, twice, c)
    return s, c


@inline
def exponential(v0, v1, v2):
    """Unit quaternion of a rotation vector."""
    s, c = _half_angle(dot(v0, v1, v2, v0, v1, v2))
    return s * v0, s * v1, s * v2, c


@inline
def right_jacobian_transposed(v0, v1, v2, g0, g1, g2):
    """``J_right(v)^T g = g + a v x g + b v x (v x g)``, ``a = (1 - cos t)/t^2``, ``b = (t - sin t)/t^3``."""
    square = dot(v0, v1, v2, v0, v1, v2)
    a, b = _series(_A, square), _series(_B, square)
    if any_(square > _SMALL):
        s, c = _half_angle(square)
        a = select(square > _SMALL, 2.0 * s * s, a)
        b = select(square > _SMALL, (1.0 - 2.0 * s * c) / square, b)
    c0, c1, c2 = cross(v0, v1, v2, g0, g1, g2)
    d0, d1, d2 = cross(v0, v1, v2, c0, c1, c2)
    return g0 + a * c0 + b * d0, g1 + a * c1 + b * d1, g2 + a * c2 + b * d2
