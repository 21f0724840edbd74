"""An arm as numbers for the servo kernel, and its pose, error and Jacobian, a problem at a time."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.compiled import inline
from diffkin.kernels.ik.chain import (
    ANGLE,
    COLUMNS,
    COS,
    DISTANCE,
    SHIFT_X,
    SHIFT_Y,
    SIN,
    SLIDE,
    TURN,
    pack_chain,
)
from diffkin.kernels.tree.mechanism import Mechanism

__all__ = ["Arm", "jacobian", "pack_arm", "residual", "walk"]

_START, _LAST, _JOINTS = 0, 12, 14  # where the parts of Arm.reals begin


class Arm(NamedTuple):
    """The way from the base to one frame, and the limits of the coordinates."""

    reals: NDArray[
        np.float64
    ]  # the frame of the first joint (12,), the last turn (2,), the joints (n, COLUMNS) [m, rad]
    which: NDArray[np.int64]  # (n,) the coordinate of each joint
    limits: NDArray[np.float64]  # (2, dof) lower and upper, infinite where there are none


def pack_arm(mechanism: Mechanism, frame: int, lower: NDArray[np.float64], upper: NDArray[np.float64]) -> Arm:
    """The arm that ends in a frame of a mechanism."""
    chain = pack_chain(mechanism, frame)
    start, joints = chain.start.copy(), chain.joints.copy()
    start[9:] *= chain.length
    joints[:, [SLIDE, DISTANCE, SHIFT_X, SHIFT_Y]] *= chain.length
    return Arm(
        np.concatenate([start, chain.last, joints.reshape(-1)]),
        np.ascontiguousarray(chain.moving[chain.column]) if len(joints) else np.zeros(0, np.int64),
        np.stack([lower, upper]).astype(np.float64),
    )


@inline
def walk(reals, index, q, frame, axes):
    """Forward kinematics: ``frame`` (12,) gets the columns x, y, z and the origin of the frame, ``axes`` (n, 6) every
    joint's z axis and origin."""
    for i in range(12):
        frame[i] = reals[_START + i]
    for j in range(index.shape[0]):
        for i in range(6):
            axes[j, i] = frame[6 + i]
        joint = reals[_JOINTS + j * COLUMNS : _JOINTS + (j + 1) * COLUMNS]
        value = q[index[j]]
        angle = value * joint[TURN] + joint[ANGLE]
        s, c = math.sin(angle), math.cos(angle)
        d = value * joint[SLIDE] + joint[DISTANCE]
        for i in range(3):
            x, y, z = frame[i], frame[3 + i], frame[6 + i]
            u, v = c * x + s * y, c * y - s * x
            frame[9 + i] += joint[SHIFT_X] * u + joint[SHIFT_Y] * v + d * z
            frame[i] = u
            frame[3 + i] = joint[COS] * v + joint[SIN] * z
            frame[6 + i] = joint[COS] * z - joint[SIN] * v
    c, s = reals[_LAST], reals[_LAST + 1]
    for i in range(3):
        x, y = frame[i], frame[3 + i]
        frame[i], frame[3 + i] = c * x + s * y, c * y - s * x


@inline
def residual(frame, target, out):
    """``out`` (6,) gets the shift from the target to the frame and the rotation vector, in the target's axes."""
    shift_x, shift_y, shift_z = frame[9] - target[0, 3], frame[10] - target[1, 3], frame[11] - target[2, 3]
    for i in range(3):
        out[i] = target[0, i] * shift_x + target[1, i] * shift_y + target[2, i] * shift_z
    # M = R_target^T R
    m00 = target[0, 0] * frame[0] + target[1, 0] * frame[1] + target[2, 0] * frame[2]
    m10 = target[0, 1] * frame[0] + target[1, 1] * frame[1] + target[2, 1] * frame[2]
    m20 = target[0, 2] * frame[0] + target[1, 2] * frame[1] + target[2, 2] * frame[2]
    m01 = target[0, 0] * frame[3] + target[1, 0] * frame[4] + target[2, 0] * frame[5]
    m11 = target[0, 1] * frame[3] + target[1, 1] * frame[4] + target[2, 1] * frame[5]
    m21 = target[0, 2] * frame[3] + target[1, 2] * frame[4] + target[2, 2] * frame[5]
    m02 = target[0, 0] * frame[6] + target[1, 0] * frame[7] + target[2, 0] * frame[8]
    m12 = target[0, 1] * frame[6] + target[1, 1] * frame[7] + target[2, 1] * frame[8]
    m22 = target[0, 2] * frame[6] + target[1, 2] * frame[7] + target[2, 2] * frame[8]
    trace = m00 + m11 + m22
    # the quaternion times four times its largest component (Shepperd, Journal of Guidance and Control 1, 1978)
    if trace >= max(m00, m11, m22):
        w, x, y, z = 1.0 + trace, m21 - m12, m02 - m20, m10 - m01
    elif m00 >= m11 and m00 >= m22:
        w, x, y, z = m21 - m12, 1.0 + m00 - m11 - m22, m01 + m10, m02 + m20
    elif m11 >= m22:
        w, x, y, z = m02 - m20, m01 + m10, 1.0 - m00 + m11 - m22, m12 + m21
    else:
        w, x, y, z = m10 - m01, m02 + m20, m12 + m21, 1.0 - m00 - m11 + m22
    length = math.sqrt(x * x + y * y + z * z)
    scale = 2.0 / w
    if length > 0.0:
        scale = 2.0 * math.atan2(length, abs(w)) / math.copysign(length, w)
    out[3], out[4], out[5] = scale * x, scale * y, scale * z


@inline
def jacobian(reals, index, frame, axes, target, error, columns):
    """``columns`` (dof, 6) get the derivative of ``residual``, which was ``error`` here, by every coordinate."""
    a, b, c = error[3], error[4], error[5]
    square = a * a + b * b + c * c
    if square < 1e-2:  # the series of what stands below
        k = 1.0 / 12.0 + square * (1.0 / 720.0 + square * (1.0 / 30240.0 + square / 1209600.0))
    else:
        half = 0.5 * math.sqrt(square)
        k = (1.0 - half / math.tan(half)) / square
    # inverse of the left Jacobian of SO(3): I - hat(v) / 2 + k hat(v)^2
    l00, l01, l02 = 1.0 - k * (b * b + c * c), 0.5 * c + k * a * b, -0.5 * b + k * a * c
    l10, l11, l12 = -0.5 * c + k * a * b, 1.0 - k * (a * a + c * c), 0.5 * a + k * b * c
    l20, l21, l22 = 0.5 * b + k * a * c, -0.5 * a + k * b * c, 1.0 - k * (a * a + b * b)
    columns[:] = 0.0
    for j in range(index.shape[0]):
        column = columns[index[j]]
        z0, z1, z2 = axes[j, 0], axes[j, 1], axes[j, 2]
        turn, slide = reals[_JOINTS + j * COLUMNS + TURN], reals[_JOINTS + j * COLUMNS + SLIDE]
        d0, d1, d2 = frame[9] - axes[j, 3], frame[10] - axes[j, 4], frame[11] - axes[j, 5]
        v0 = turn * (z1 * d2 - z2 * d1) + slide * z0
        v1 = turn * (z2 * d0 - z0 * d2) + slide * z1
        v2 = turn * (z0 * d1 - z1 * d0) + slide * z2
        w0 = turn * (target[0, 0] * z0 + target[1, 0] * z1 + target[2, 0] * z2)
        w1 = turn * (target[0, 1] * z0 + target[1, 1] * z1 + target[2, 1] * z2)
        w2 = turn * (target[0, 2] * z0 + target[1, 2] * z1 + target[2, 2] * z2)
        for i in range(3):
            column[i] += target[0, i] * v0 + target[1, i] * v1 + target[2, i] * v2
        column[3] += l00 * w0 + l01 * w1 + l02 * w2
        column[4] += l10 * w0 + l11 * w1 + l12 * w2
        column[5] += l20 * w0 + l21 * w1 + l22 * w2
