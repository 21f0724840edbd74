"""What answers to lists of tasks are worth: their errors in float64, in metres and radians."""

from __future__ import annotations

import numpy as np

from diffkin.kernels.compiled import kernel
from diffkin.kernels.ik.layout import POSITION, ROTATION
from diffkin.kernels.ik.scales import ROUNDING
from diffkin.kernels.lists.layout import CONSTANT, DOF, FREE, LENGTH, SINGLE, TRIED_P, TRIED_R, open_block, open_call
from diffkin.kernels.lists.rows import evaluate
from diffkin.kernels.vectors.strict import W

__all__ = ["judge"]


@kernel
def judge(rows, reals, integers, targets, bases, q, out_errors, out_success, start, stop):
    """Largest errors of a task at ``q[start:stop]``, and whether both are within tolerance whatever the rounding on the
    way.

    With the switch SINGLE the coordinates are rounded to float32 first. Every joint's angle is rounded in proportion to
    its size, and everything behind it by as much as to its own; a length, in proportion to all that slides add to it.

    Args:
        rows: Memory for a ``Block``.
        reals, integers: The ``Call``.
        targets: (B, NUMBERS) of all pieces.
        bases: (B, 12) poses of the base, (0, 12) for the identity.
        q: (B, dof) coordinates.
        out_errors: (2, B) in m and rad.
        out_success: (B,)
        start, stop: Which of them.
    """
    call = open_call(reals, integers)
    block = open_block(rows, call.sizes)
    settings, moving, held, m = call.settings, call.moving, call.held, call.sizes[FREE]
    for b in range(start, stop, W):
        for l in range(min(W, stop - b)):
            for k in range(block.target.shape[0]):
                block.target[k, l] = targets[b + l, k]
            for i in range(12):
                block.placed[i, l] = bases[b + l, i] if bases.shape[0] else (1.0 if i == 0 or i == 4 or i == 8 else 0.0)
            if call.switches[SINGLE]:
                for c in range(call.sizes[DOF]):
                    q[b + l, c] = np.float64(np.float32(q[b + l, c]))
            for c in range(m):
                block.trial[c, l] = q[b + l, moving[c]]
            for c in range(held.shape[0]):
                block.trial[m + c, l] = q[b + l, held[c]]
        evaluate(reals, integers, rows)
        for l in range(min(W, stop - b)):
            position, rotation = np.sqrt(block.state[TRIED_P, l]), np.sqrt(block.state[TRIED_R, l])
            turned, extent = settings[CONSTANT], settings[LENGTH]
            for c in range(call.sizes[DOF]):
                turned += 2.0 * abs(q[b + l, c]) * call.turning[c]
                extent += abs(q[b + l, c]) * call.sliding[c]
            if bases.shape[0]:
                extent += np.sqrt(bases[b + l, 9] ** 2 + bases[b + l, 10] ** 2 + bases[b + l, 11] ** 2)
            doubt = ROUNDING * turned
            out_errors[0, b + l], out_errors[1, b + l] = position, rotation
            out_success[b + l] = (position + doubt * extent <= settings[POSITION]) & (
                rotation + doubt <= settings[ROTATION]
            )
