"""What an answer of inverse kinematics is worth: its errors in float64, in metres and radians."""

from __future__ import annotations

import numpy as np

from diffkin.kernels.compiled import inline, kernel
from diffkin.kernels.ik.layout import POSITION, ROTATION, WEIGHTS
from diffkin.kernels.ik.step import error, frames
from diffkin.kernels.vectors.strict import W

__all__ = ["judge", "load_target"]


@inline
def load_target(l, t, targets, last, length, target):
    """Put a target into lane ``l``, in the chain's terms."""
    c, s = last[0], last[1]
    for i in range(3):
        x, y = targets[t, i, 0], targets[t, i, 1]
        target[i, l] = c * x - s * y
        target[3 + i, l] = s * x + c * y
        target[6 + i, l] = targets[t, i, 2]
        target[9 + i, l] = targets[t, i, 3] / length


@kernel
def judge(
    begin, end, start, joints, ranges, indices, settings, single, targets, q, out_position, out_rotation, out_success
):
    """Errors of ``q[begin:end]`` over the axes that count, in m and rad, and whether both are within tolerance.

    With ``single`` the coordinates are rounded to float32 first.
    """
    n, dof = joints.shape[0], q.shape[1]
    m = (indices.shape[0] - 2 * n) // 2
    moving, column = indices[:m], indices[2 * m : 2 * m + n]
    last, length = ranges[5 * m + 3 * dof : 5 * m + 3 * dof + 2], ranges[5 * m + 3 * dof + 2]
    rows = np.zeros((12 + 12 + 6 * n + 6 + m, W))
    target, frame, axes = rows[:12], rows[12:24], rows[24 : 24 + 6 * n]
    at = 24 + 6 * n
    residual, value = rows[at : at + 6], rows[at + 6 :]
    for b in range(begin, end, W):
        for l in range(min(W, end - b)):
            load_target(l, b + l, targets, last, length, target)
            if single:
                for c in range(dof):
                    q[b + l, c] = np.float64(np.float32(q[b + l, c]))
            for c in range(m):
                value[c, l] = q[b + l, moving[c]]
        frames(start, joints, column, value, frame, axes)
        error(frame, target, residual)
        for l in range(min(W, end - b)):
            p, r = 0.0, 0.0
            for i in range(3):
                if settings[WEIGHTS + i] > 0.0:
                    p += residual[i, l] ** 2
                if settings[WEIGHTS + 3 + i] > 0.0:
                    r += residual[3 + i, l] ** 2
            p, r = length * np.sqrt(p), np.sqrt(r)
            out_position[b + l], out_rotation[b + l] = p, r
            out_success[b + l] = (p <= settings[POSITION]) & (r <= settings[ROTATION])
