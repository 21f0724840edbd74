"""Wahba's problem by QUEST and Newton's method, one problem after another.

QUEST: Shuster and Oh, "Three-axis attitude determination from vector observations", 1981, with the largest eigenvalue
by Markley's form of the characteristic polynomial (1993). Quaternions are xyzw.
"""

from __future__ import annotations

import math

import numpy as np

from diffkin.kernels.compiled import inline, kernel

__all__ = ["solve"]


@inline
def _matrix(q, R):
    """``R`` = the matrix of a unit quaternion."""
    x, y, z, w = q[0], q[1], q[2], q[3]
    R[0, 0], R[0, 1], R[0, 2] = 1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)
    R[1, 0], R[1, 1], R[1, 2] = 2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)
    R[2, 0], R[2, 1], R[2, 2] = 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)


@inline
def _profile(body, reference, weights, B):
    """B = sum w reference body^T of the normalised vectors, over sum w; False where that cannot be made."""
    B[:] = 0.0
    total = 0.0
    good = True
    for i in range(body.shape[0]):
        w = weights[i]
        good &= w >= 0.0 and w < math.inf
        b = reference_scale = 0.0
        for j in range(3):
            b += body[i, j] * body[i, j]
            reference_scale += reference[i, j] * reference[i, j]
        if w > 0.0:
            size = math.sqrt(b) * math.sqrt(reference_scale)
            # zero, not finite, or so small or large that squares lose digits: left to the careful path
            good &= b > 1e-200 and b < 1e200 and reference_scale > 1e-200 and reference_scale < 1e200
            total += w
            for j in range(3):
                for k in range(3):
                    B[j, k] += w / size * reference[i, j] * body[i, k]
        else:
            good &= b < math.inf and reference_scale < math.inf
    if not (good and total > 0.0):
        return False
    for j in range(3):
        for k in range(3):
            B[j, k] /= total
    return True


@inline
def _quest(B, q):
    """The quaternion of the largest eigenvalue of Davenport's matrix; False where it is 0/0.

    The reference frame is first turned by half a turn about an axis where that brings the answer nearer to the
    identity: at a half turn the quaternion would be 0/0 (Shuster and Oh's sequential rotations).
    """
    t0, t1, t2 = B[0, 0], B[1, 1], B[2, 2]
    turn, best = 3, t0 + t1 + t2
    if t0 - t1 - t2 > best:
        turn, best = 0, t0 - t1 - t2
    if t1 - t0 - t2 > best:
        turn, best = 1, t1 - t0 - t2
    if t2 - t0 - t1 > best:
        turn = 2
    f0 = 1.0 if turn in (0, 3) else -1.0
    f1 = 1.0 if turn in (1, 3) else -1.0
    f2 = 1.0 if turn in (2, 3) else -1.0
    a, b, c = f0 * B[0, 0], f0 * B[0, 1], f0 * B[0, 2]
    d, e, f = f1 * B[1, 0], f1 * B[1, 1], f1 * B[1, 2]
    g, h, i = f2 * B[2, 0], f2 * B[2, 1], f2 * B[2, 2]
    square = a * a + b * b + c * c + d * d + e * e + f * f + g * g + h * h + i * i
    m0, m1, m2 = e * i - f * h, f * g - d * i, d * h - e * g
    m3, m4, m5 = c * h - b * i, a * i - c * g, b * g - a * h
    m6, m7, m8 = b * f - c * e, c * d - a * f, a * e - b * d
    det = a * m0 + b * m1 + c * m2
    fourth = 4 * (m0 * m0 + m1 * m1 + m2 * m2 + m3 * m3 + m4 * m4 + m5 * m5 + m6 * m6 + m7 * m7 + m8 * m8)
    root = 1.0
    for _ in range(6):
        gap = root * root - square
        slope = 4 * root * gap - 8 * det
        if slope == 0.0:
            break
        root -= (gap * gap - 8 * root * det - fourth) / slope
    s00, s11, s22, s01, s02, s12 = 2 * a, 2 * e, 2 * i, b + d, c + g, f + h
    z0, z1, z2 = h - f, c - g, d - b
    sigma = a + e + i
    kappa = s11 * s22 - s12 * s12 + s00 * s22 - s02 * s02 + s00 * s11 - s01 * s01
    delta = (
        s00 * (s11 * s22 - s12 * s12) - s01 * (s01 * s22 - s12 * s02) + s02 * (s01 * s12 - s11 * s02)
    )  # determinant of B + B^T
    alpha, beta = root * root - sigma * sigma + kappa, root - sigma
    v0, v1, v2 = s00 * z0 + s01 * z1 + s02 * z2, s01 * z0 + s11 * z1 + s12 * z2, s02 * z0 + s12 * z1 + s22 * z2
    x = alpha * z0 + beta * v0 + s00 * v0 + s01 * v1 + s02 * v2
    y = alpha * z1 + beta * v1 + s01 * v0 + s11 * v1 + s12 * v2
    z = alpha * z2 + beta * v2 + s02 * v0 + s12 * v1 + s22 * v2
    w = (root + sigma) * alpha - delta
    # undo the half turn of the reference frame: e_turn times the quaternion
    if turn == 0:
        x, y, z, w = w, -z, y, -x
    elif turn == 1:
        x, y, z, w = z, w, -x, -y
    elif turn == 2:
        x, y, z, w = -y, x, w, -z
    size = math.sqrt(x * x + y * y + z * z + w * w)
    if not size > 0.0:
        return False
    q[0], q[1], q[2], q[3] = x / size, y / size, z / size, w / size
    return True


@inline
def _newton(B, q, R, tolerance):
    """One Newton step of q on the group: its length, or -1 where the curvature does not exceed the tolerance."""
    _matrix(q, R)
    k00 = R[0, 0] * B[0, 0] + R[1, 0] * B[1, 0] + R[2, 0] * B[2, 0]
    k01 = R[0, 0] * B[0, 1] + R[1, 0] * B[1, 1] + R[2, 0] * B[2, 1]
    k02 = R[0, 0] * B[0, 2] + R[1, 0] * B[1, 2] + R[2, 0] * B[2, 2]
    k10 = R[0, 1] * B[0, 0] + R[1, 1] * B[1, 0] + R[2, 1] * B[2, 0]
    k11 = R[0, 1] * B[0, 1] + R[1, 1] * B[1, 1] + R[2, 1] * B[2, 1]
    k12 = R[0, 1] * B[0, 2] + R[1, 1] * B[1, 2] + R[2, 1] * B[2, 2]
    k20 = R[0, 2] * B[0, 0] + R[1, 2] * B[1, 0] + R[2, 2] * B[2, 0]
    k21 = R[0, 2] * B[0, 1] + R[1, 2] * B[1, 1] + R[2, 2] * B[2, 1]
    k22 = R[0, 2] * B[0, 2] + R[1, 2] * B[1, 2] + R[2, 2] * B[2, 2]
    a, b, c = k11 + k22, k00 + k22, k00 + k11
    d, e, f = -0.5 * (k01 + k10), -0.5 * (k02 + k20), -0.5 * (k12 + k21)
    at, bt, ct = a - tolerance, b - tolerance, c - tolerance
    minor = at * bt - d * d
    whole = at * (bt * ct - f * f) - d * (d * ct - f * e) + e * (d * f - bt * e)
    if not (at > 0.0 and minor > 0.0 and whole > 0.0):
        return -1.0
    g0, g1, g2 = k21 - k12, k02 - k20, k10 - k01
    det = a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e)
    v0 = (g0 * (b * c - f * f) + g1 * (e * f - d * c) + g2 * (d * f - b * e)) / det
    v1 = (g0 * (e * f - d * c) + g1 * (a * c - e * e) + g2 * (d * e - a * f)) / det
    v2 = (g0 * (d * f - b * e) + g1 * (d * e - a * f) + g2 * (a * b - d * d)) / det
    x, y, z, w = q[0], q[1], q[2], q[3]
    h0, h1, h2 = 0.5 * v0, 0.5 * v1, 0.5 * v2
    n0, n1, n2 = x + w * h0 + y * h2 - z * h1, y + w * h1 + z * h0 - x * h2, z + w * h2 + x * h1 - y * h0
    n3 = w - x * h0 - y * h1 - z * h2
    size = math.sqrt(n0 * n0 + n1 * n1 + n2 * n2 + n3 * n3)
    q[0], q[1], q[2], q[3] = n0 / size, n1 / size, n2 / size, n3 / size
    return math.sqrt(v0 * v0 + v1 * v1 + v2 * v2)


@kernel
def solve(body, reference, weights, tolerance, out, poor, start, stop):
    """Attitudes of problems ``start`` to ``stop``.

    Args:
        body: (count, n, 3) float64, like all arrays but ``poor``.
        reference: (count, n, 3).
        weights: (count, n).
        tolerance: Smallest curvature at which an attitude counts as determined.
        out: (count, 3, 3), written.
        poor: (count,) bytes, set for problems that the torch path must look at: bad input, undetermined, or so badly
            conditioned that Newton's method did not settle.
        start: First problem.
        stop: End of the problems.
    """
    B, R, q = np.empty((3, 3)), np.empty((3, 3)), np.empty(4)
    for i in range(start, stop):
        poor[i] = 1
        if not (_profile(body[i], reference[i], weights[i], B) and _quest(B, q)):
            continue
        first = _newton(B, q, R, tolerance)
        if not (first >= 0.0 and first < 1e-2):
            continue
        second = _newton(B, q, R, tolerance)
        third = _newton(B, q, R, tolerance)
        if not (second >= 0.0 and third >= 0.0 and third < 1e-8):
            continue
        _matrix(q, R)
        for j in range(3):
            for k in range(3):
                out[i, j, k] = R[j, k]
        poor[i] = 0
