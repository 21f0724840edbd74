"""What an answer of inverse kinematics is worth: its errors in float64, in metres and radians."""

from __future__ import annotations

import numpy as np

from diffkin.kernels.compiled import inline, kernel
from diffkin.kernels.ik.layout import (
    DOF,
    JOINTS,
    MOVING,
    POSITION,
    POSITION_ERROR,
    ROTATION,
    ROTATION_ERROR,
    SINGLE,
    WEIGHTS,
    open_block,
    open_call,
)
from diffkin.kernels.ik.step import error, frames
from diffkin.kernels.vectors.strict import W

__all__ = ["judge", "judge_block", "load_target"]


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


@inline
def judge_block(begin, end, call, block, targets, q, out_errors, out_success):
    """Errors of ``q[begin:end]`` over the axes that count, in m and rad, and whether both are within tolerance.

    With the switch SINGLE the coordinates are rounded to float32 first.
    """
    settings, switches, moving, last, length = call.settings, call.switches, call.moving, call.last, call.length[0]
    start, joints, column = call.start, call.joints, call.column
    target, frame, axes, residual, value = block.target, block.frame, block.axes, block.new, block.q
    for b in range(begin, end, W):
        for l in range(min(W, end - b)):
            load_target(l, b + l, targets, last, length, target)
            if switches[SINGLE]:
                for c in range(switches[DOF]):
                    q[b + l, c] = np.float64(np.float32(q[b + l, c]))
            for c in range(switches[MOVING]):
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
            out_errors[POSITION_ERROR, b + l], out_errors[ROTATION_ERROR, b + l] = p, r
            out_success[b + l] = (p <= settings[POSITION]) & (r <= settings[ROTATION])


@kernel
def judge(rows, reals, integers, targets, q, out_errors, out_success):
    """Judge all of ``q``.

    Args:
        rows: Memory for a ``Block``.
        reals, integers: The ``Call``.
        targets: (B, 4, 4) poses.
        q: (B, dof) coordinates.
        out_errors: (2, B) in m and rad.
        out_success: (B,)
    """
    call = open_call(reals, integers)
    block = open_block(rows, call.switches[JOINTS], call.switches[MOVING])
    judge_block(0, q.shape[0], call, block, targets, q, out_errors, out_success)
