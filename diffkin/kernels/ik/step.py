"""One step of damped least squares for the inverse kinematics of one chain, in ``W`` lanes at once.

``evaluate`` gives the frame, the error and the Jacobian at q; ``propose`` the Levenberg-Marquardt step. Matrices lie as
rows of ``W`` lanes in float64 arrays (rows, W). Errors are target minus current, in base axes: position in units of the
chain's length, rotation as the rotation vector of ``R_target R^T``.
"""

from __future__ import annotations

import math

import numpy as np

from diffkin.kernels.compiled import exact
from diffkin.kernels.ik.chain import ANGLE, COS, DISTANCE, SHIFT_X, SHIFT_Y, SIN, SLIDE, TURN
from diffkin.kernels.vectors.strict import any_, fma, load, maximum, select, sincos, splat, sqrt, store

__all__ = ["along", "damped_solve", "error", "frames", "freeze", "jacobian", "weigh"]


def _angle_over_sine() -> tuple[float, ...]:
    """Coefficients in ``2 w - 1`` of ``2 arccos(w) / sqrt(1 - w^2)`` on [0, 1], to 1e-11 relative."""
    nodes = np.cos(np.pi * (np.arange(64) + 0.5) / 64)
    half = np.arccos(0.5 * (nodes + 1))
    fit = np.polynomial.chebyshev.chebfit(nodes, 2 * half / np.sin(half), 14)
    return tuple(float(c) for c in np.polynomial.chebyshev.cheb2poly(fit))


def _log_curvature() -> tuple[float, ...]:
    """Coefficients in ``2 t^2 / pi^2 - 1`` of ``1/t^2 - cot(t/2) / (2 t)`` on [0, pi], to 1e-11."""
    nodes = np.cos(np.pi * (np.arange(32) + 0.5) / 32)
    angle = np.pi * np.sqrt(0.5 * (nodes + 1))
    fit = np.polynomial.chebyshev.chebfit(nodes, 1 / angle**2 - 0.5 / (angle * np.tan(0.5 * angle)), 9)
    return tuple(float(c) for c in np.polynomial.chebyshev.cheb2poly(fit))


_FACTOR = _angle_over_sine()
_CURVATURE = _log_curvature()


@exact
def frames(start, joints, column, q, frame, axes):
    """Forward kinematics: ``frame`` gets the columns x, y, z and the origin of the chain's end, ``axes`` every joint's
    z axis and origin.
    """
    x0, x1, x2 = splat(start[0]), splat(start[1]), splat(start[2])
    y0, y1, y2 = splat(start[3]), splat(start[4]), splat(start[5])
    z0, z1, z2 = splat(start[6]), splat(start[7]), splat(start[8])
    p0, p1, p2 = splat(start[9]), splat(start[10]), splat(start[11])
    for j in range(joints.shape[0]):
        store(axes, 6 * j, z0)
        store(axes, 6 * j + 1, z1)
        store(axes, 6 * j + 2, z2)
        store(axes, 6 * j + 3, p0)
        store(axes, 6 * j + 4, p1)
        store(axes, 6 * j + 5, p2)
        value = load(q, column[j])
        s, c = sincos(fma(value, joints[j, TURN], joints[j, ANGLE]))
        d = fma(value, joints[j, SLIDE], joints[j, DISTANCE])
        a, b = splat(joints[j, SHIFT_X]), splat(joints[j, SHIFT_Y])
        ca, sa = splat(joints[j, COS]), splat(joints[j, SIN])
        x0, y0, z0, p0 = _advance(x0, y0, z0, p0, s, c, a, b, d, ca, sa)
        x1, y1, z1, p1 = _advance(x1, y1, z1, p1, s, c, a, b, d, ca, sa)
        x2, y2, z2, p2 = _advance(x2, y2, z2, p2, s, c, a, b, d, ca, sa)
    store(frame, 0, x0)
    store(frame, 1, x1)
    store(frame, 2, x2)
    store(frame, 3, y0)
    store(frame, 4, y1)
    store(frame, 5, y2)
    store(frame, 6, z0)
    store(frame, 7, z1)
    store(frame, 8, z2)
    store(frame, 9, p0)
    store(frame, 10, p1)
    store(frame, 11, p2)


@exact
def _advance(x, y, z, p, s, c, a, b, d, ca, sa):
    """One row of a frame, turned about z, shifted, tilted about x."""
    u = fma(s, y, c * x)
    v = fma(c, y, -1.0 * (s * x))
    return u, fma(sa, z, ca * v), fma(ca, z, -1.0 * (sa * v)), fma(d, z, fma(b, v, fma(a, u, p)))


@exact
def dot(a0, a1, a2, b0, b1, b2):
    return fma(a2, b2, fma(a1, b1, a0 * b0))


@exact
def cross(a, b, c, d):
    """a d - b c."""
    return fma(a, d, -1.0 * (b * c))


@exact
def error(frame, target, out):
    """``out`` gets the position error and the rotation vector from ``frame`` to ``target``, exact up to half a turn."""
    store(out, 0, load(target, 9) - load(frame, 9))
    store(out, 1, load(target, 10) - load(frame, 10))
    store(out, 2, load(target, 11) - load(frame, 11))
    x0, x1, x2 = load(frame, 0), load(frame, 1), load(frame, 2)
    y0, y1, y2 = load(frame, 3), load(frame, 4), load(frame, 5)
    z0, z1, z2 = load(frame, 6), load(frame, 7), load(frame, 8)
    a0, a1, a2 = load(target, 0), load(target, 1), load(target, 2)
    b0, b1, b2 = load(target, 3), load(target, 4), load(target, 5)
    c0, c1, c2 = load(target, 6), load(target, 7), load(target, 8)
    # of M = R_target R^T: twice the sine of the angle times the axis, and the trace
    v0 = (cross(x1, x2, a1, a2) + cross(y1, y2, b1, b2)) + cross(z1, z2, c1, c2)
    v1 = (cross(x2, x0, a2, a0) + cross(y2, y0, b2, b0)) + cross(z2, z0, c2, c0)
    v2 = (cross(x0, x1, a0, a1) + cross(y0, y1, b0, b1)) + cross(z0, z1, c0, c1)
    trace = (dot(x0, x1, x2, a0, a1, a2) + dot(y0, y1, y2, b0, b1, b2)) + dot(z0, z1, z2, c0, c1, c2)
    w = 0.5 * sqrt(maximum(1.0 + trace, 0.01))  # cosine of half the angle, if that is below 169 degrees
    scale = 0.25 * _factor(w) / w
    r0, r1, r2 = scale * v0, scale * v1, scale * v2
    far = trace < -0.96
    if any_(far):
        # near half a turn the axis comes from the symmetric part: the column of M + M^T - (tr M - 1) I with the largest
        # diagonal is four times the vector part of the unit quaternion times one of its components
        m00, m11, m22 = dot(x0, y0, z0, a0, b0, c0), dot(x1, y1, z1, a1, b1, c1), dot(x2, y2, z2, a2, b2, c2)
        m01 = dot(a0, b0, c0, x1, y1, z1) + dot(a1, b1, c1, x0, y0, z0)
        m02 = dot(a0, b0, c0, x2, y2, z2) + dot(a2, b2, c2, x0, y0, z0)
        m12 = dot(a1, b1, c1, x2, y2, z2) + dot(a2, b2, c2, x1, y1, z1)
        d0, d1, d2 = 1.0 + m00 - m11 - m22, 1.0 - m00 + m11 - m22, 1.0 - m00 - m11 + m22
        first, second = (d0 >= d1) & (d0 >= d2), d1 >= d2
        u0 = select(first, d0, select(second, m01, m02))
        u1 = select(first, m01, select(second, d1, m12))
        u2 = select(first, m02, select(second, m12, d2))
        shrink = 1.0 / sqrt(dot(u0, u1, u2, u0, u1, u2))
        sine = 0.5 * (dot(u0, u1, u2, v0, v1, v2) * shrink)  # of the angle about u
        sign = select(sine < 0.0, -1.0, 1.0)
        w = (sign * sine) / sqrt(3.0 - trace)  # sine of the angle over twice that of its half
        scale = sign * shrink * (_factor(w) * sqrt(fma(-1.0 * w, w, 1.0)))
        r0, r1, r2 = select(far, scale * u0, r0), select(far, scale * u1, r1), select(far, scale * u2, r2)
    store(out, 3, r0)
    store(out, 4, r1)
    store(out, 5, r2)


@exact
def _factor(w):
    """Angle over the sine of its half, from the cosine of its half in [0, 1]."""
    t = fma(w, 2.0, -1.0)
    p = fma(t, _FACTOR[14], _FACTOR[13])
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
def jacobian(joints, column, fresh, frame, axes, out):
    """``out`` gets, per moving coordinate, the six rows (linear, angular) of d(frame)/dq."""
    p0, p1, p2 = load(frame, 9), load(frame, 10), load(frame, 11)
    for j in range(joints.shape[0]):
        z0, z1, z2 = load(axes, 6 * j), load(axes, 6 * j + 1), load(axes, 6 * j + 2)
        turn, slide = joints[j, TURN], joints[j, SLIDE]
        if slide != 0.0:
            zero = splat(0.0)
            j0, j1, j2, j3, j4, j5 = slide * z0, slide * z1, slide * z2, zero, zero, zero
        else:
            d0, d1, d2 = p0 - load(axes, 6 * j + 3), p1 - load(axes, 6 * j + 4), p2 - load(axes, 6 * j + 5)
            if turn != 1.0:
                z0, z1, z2 = turn * z0, turn * z1, turn * z2
            j0, j1, j2, j3, j4, j5 = cross(z1, z2, d1, d2), cross(z2, z0, d2, d0), cross(z0, z1, d0, d1), z0, z1, z2
        c = 6 * column[j]
        if not fresh[j]:  # a coordinate that moves several joints
            j0, j1, j2 = j0 + load(out, c), j1 + load(out, c + 1), j2 + load(out, c + 2)
            j3, j4, j5 = j3 + load(out, c + 3), j4 + load(out, c + 4), j5 + load(out, c + 5)
        store(out, c, j0)
        store(out, c + 1, j1)
        store(out, c + 2, j2)
        store(out, c + 3, j3)
        store(out, c + 4, j4)
        store(out, c + 5, j5)


@exact
def weigh(weights, partial, out, jac):
    """Scale error and Jacobian rows by the weights. Where only some axes of rotation count, the Jacobian
    becomes that of the rotation vector, ``I + [e]/2 + k [e]^2`` on the angular rows.
    """
    e0, e1, e2 = load(out, 3), load(out, 4), load(out, 5)
    if partial:
        square = dot(e0, e1, e2, e0, e1, e2)
        k = _curvature(square)
    for i in range(6):
        store(out, i, weights[i] * load(out, i))
    for c in range(0, jac.shape[0], 6):
        if partial:
            j0, j1, j2 = load(jac, c + 3), load(jac, c + 4), load(jac, c + 5)
            f0, f1, f2 = cross(e1, e2, j1, j2), cross(e2, e0, j2, j0), cross(e0, e1, j0, j1)
            g0, g1, g2 = cross(e1, e2, f1, f2), cross(e2, e0, f2, f0), cross(e0, e1, f0, f1)
            store(jac, c + 3, fma(k, g0, fma(f0, 0.5, j0)))
            store(jac, c + 4, fma(k, g1, fma(f1, 0.5, j1)))
            store(jac, c + 5, fma(k, g2, fma(f2, 0.5, j2)))
        for i in range(6):
            store(jac, c + i, weights[i] * load(jac, c + i))


@exact
def _curvature(square):
    """1/t^2 - cot(t/2) / (2 t) from t^2 in [0, pi^2]."""
    t = fma(square, 2.0 / math.pi**2, -1.0)
    p = fma(t, _CURVATURE[9], _CURVATURE[8])
    p = fma(t, p, _CURVATURE[7])
    p = fma(t, p, _CURVATURE[6])
    p = fma(t, p, _CURVATURE[5])
    p = fma(t, p, _CURVATURE[4])
    p = fma(t, p, _CURVATURE[3])
    p = fma(t, p, _CURVATURE[2])
    p = fma(t, p, _CURVATURE[1])
    return fma(t, p, _CURVATURE[0])


@exact
def along(jac, c, v0, v1, v2, v3, v4, v5):
    """Column ``c`` of the Jacobian times a vector."""
    low = dot(load(jac, c), load(jac, c + 1), load(jac, c + 2), v0, v1, v2)
    return fma(load(jac, c + 5), v5, fma(load(jac, c + 4), v4, fma(load(jac, c + 3), v3, low)))


@exact
def factor3(a00, a10, a11, a20, a21, a22, least):
    """L D L^T of a symmetric 3x3 matrix: the three entries of L below its diagonal, and 1/D.

    ``least`` is a lower bound of D, so what rounding takes away is given back.
    """
    i0 = 1.0 / maximum(a00, least)
    l10, l20 = a10 * i0, a20 * i0
    i1 = 1.0 / maximum(fma(-1.0 * l10, a10, a11), least)
    t21 = fma(-1.0 * l20, a10, a21)
    l21 = t21 * i1
    i2 = 1.0 / maximum(fma(-1.0 * l21, t21, fma(-1.0 * l20, a20, a22)), least)
    return l10, l20, l21, i0, i1, i2


@exact
def forward3(l10, l20, l21, b0, b1, b2):
    """x of ``L x = b``."""
    x1 = fma(-1.0 * l10, b0, b1)
    return b0, x1, fma(-1.0 * l21, x1, fma(-1.0 * l20, b0, b2))


@exact
def backward3(l10, l20, l21, b0, b1, b2):
    """x of ``L^T x = b``."""
    x1 = fma(-1.0 * l21, b2, b1)
    return fma(-1.0 * l10, x1, fma(-1.0 * l20, b2, b0)), x1, b2


@exact
def damped_solve(jac, residual, damping, y):
    """``y`` of ``(J J^T + damping I) y = residual``, so that ``J^T y`` is the damped least-squares step.

    Levenberg-Marquardt in its dual form: six rows for any number of coordinates. L D L^T in blocks of three.
    """
    zero = splat(0.0)
    a00, a10, a11, a20, a21, a22 = damping, zero, damping, zero, zero, damping
    for c in range(0, jac.shape[0], 6):
        j0, j1, j2 = load(jac, c), load(jac, c + 1), load(jac, c + 2)
        a00, a10, a11 = fma(j0, j0, a00), fma(j1, j0, a10), fma(j1, j1, a11)
        a20, a21, a22 = fma(j2, j0, a20), fma(j2, j1, a21), fma(j2, j2, a22)
    b00, b01, b02, b10, b11, b12, b20, b21, b22 = zero, zero, zero, zero, zero, zero, zero, zero, zero
    for c in range(0, jac.shape[0], 6):
        j0, j1, j2 = load(jac, c), load(jac, c + 1), load(jac, c + 2)
        k = load(jac, c + 3)
        b00, b01, b02 = fma(k, j0, b00), fma(k, j1, b01), fma(k, j2, b02)
        k = load(jac, c + 4)
        b10, b11, b12 = fma(k, j0, b10), fma(k, j1, b11), fma(k, j2, b12)
        k = load(jac, c + 5)
        b20, b21, b22 = fma(k, j0, b20), fma(k, j1, b21), fma(k, j2, b22)
    c00, c10, c11, c20, c21, c22 = damping, zero, damping, zero, zero, damping
    for c in range(0, jac.shape[0], 6):
        j0, j1, j2 = load(jac, c + 3), load(jac, c + 4), load(jac, c + 5)
        c00, c10, c11 = fma(j0, j0, c00), fma(j1, j0, c10), fma(j1, j1, c11)
        c20, c21, c22 = fma(j2, j0, c20), fma(j2, j1, c21), fma(j2, j2, c22)
    l10, l20, l21, i0, i1, i2 = factor3(a00, a10, a11, a20, a21, a22, damping)
    # The matrix is [[A, B^T], [B, C]], and A = L D L^T. With M = B L^-T D^-1, what remains to factor is C - M D M^T.
    # From here on b holds M D, and m holds M.
    b00, b01, b02 = forward3(l10, l20, l21, b00, b01, b02)
    b10, b11, b12 = forward3(l10, l20, l21, b10, b11, b12)
    b20, b21, b22 = forward3(l10, l20, l21, b20, b21, b22)
    m00, m01, m02 = b00 * i0, b01 * i1, b02 * i2
    m10, m11, m12 = b10 * i0, b11 * i1, b12 * i2
    m20, m21, m22 = b20 * i0, b21 * i1, b22 * i2
    c00, c10, c20 = (
        minus(c00, b00, b01, b02, m00, m01, m02),
        minus(c10, b10, b11, b12, m00, m01, m02),
        minus(c20, b20, b21, b22, m00, m01, m02),
    )
    c11, c21 = minus(c11, b10, b11, b12, m10, m11, m12), minus(c21, b20, b21, b22, m10, m11, m12)
    c22 = minus(c22, b20, b21, b22, m20, m21, m22)
    k10, k20, k21, i3, i4, i5 = factor3(c00, c10, c11, c20, c21, c22, damping)
    y0, y1, y2 = forward3(l10, l20, l21, load(residual, 0), load(residual, 1), load(residual, 2))
    y3 = minus(load(residual, 3), m00, m01, m02, y0, y1, y2)
    y4 = minus(load(residual, 4), m10, m11, m12, y0, y1, y2)
    y5 = minus(load(residual, 5), m20, m21, m22, y0, y1, y2)
    y3, y4, y5 = forward3(k10, k20, k21, y3, y4, y5)
    y3, y4, y5 = backward3(k10, k20, k21, y3 * i3, y4 * i4, y5 * i5)
    y0, y1, y2 = y0 * i0, y1 * i1, y2 * i2
    y0, y1, y2 = (
        minus(y0, m00, m10, m20, y3, y4, y5),
        minus(y1, m01, m11, m21, y3, y4, y5),
        minus(y2, m02, m12, m22, y3, y4, y5),
    )
    y0, y1, y2 = backward3(l10, l20, l21, y0, y1, y2)
    store(y, 0, y0)
    store(y, 1, y1)
    store(y, 2, y2)
    store(y, 3, y3)
    store(y, 4, y4)
    store(y, 5, y5)


@exact
def minus(c, a0, a1, a2, b0, b1, b2):
    """c - a . b."""
    return fma(-1.0 * a2, b2, fma(-1.0 * a1, b1, fma(-1.0 * a0, b0, c)))


@exact
def freeze(jac, q, lower, upper, v):
    """Zero the columns of coordinates on a bound whose motion ``J^T v`` points outward; True if there were any."""
    changed = False
    v0, v1, v2, v3, v4, v5 = load(v, 0), load(v, 1), load(v, 2), load(v, 3), load(v, 4), load(v, 5)
    for c in range(q.shape[0]):
        value = load(q, c)
        below, above = value <= lower[c], value >= upper[c]
        if any_(below | above):
            motion = along(jac, 6 * c, v0, v1, v2, v3, v4, v5)
            out = (below & (motion < 0.0)) | (above & (motion > 0.0))
            if any_(out):
                changed = True
                for i in range(6):
                    store(jac, 6 * c + i, select(out, 0.0, load(jac, 6 * c + i)))
    return changed
