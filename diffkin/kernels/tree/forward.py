"""Forward kinematics of a batch: the poses of a plan's frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.compiled import kernel
from diffkin.kernels.threads import run_batch
from diffkin.kernels.tree.block import MATRIX, MOTION, POSE, clipped, padded, spare, strided, unpad
from diffkin.kernels.tree.plan import INTEGERS, OUTPUT, Plan
from diffkin.kernels.tree.walk import advance, identity, keep_pose, motions
from diffkin.kernels.vectors.lanes import pointer, scatter4, scratch, splat, width
from diffkin.kernels.vectors.sines import sincos_table

__all__ = ["forward"]


@kernel
def poses(integers, reals, slots, q, base, base_stride, out, start, stop):
    """Write the poses of problems ``start`` to ``stop``; ``base_stride`` is 0 for one base for all, -1 for none."""
    lanes, count = width(q), stop - start
    nodes, dof, stride = integers.shape[0], q.shape[1], out.shape[1] * MATRIX
    table = sincos_table(q)
    columns = scratch(q, dof * lanes)
    motion = scratch(q, nodes * MOTION * lanes)
    kept = scratch(q, slots * POSE * lanes)
    fill = spare(count, lanes)
    q_from = padded(pointer(q), start, count, dof, lanes, scratch(q, fill * dof))
    base_from = padded(pointer(base), start, count, base_stride, lanes, scratch(q, fill * MATRIX))
    short = scratch(q, fill * stride)
    out_to = clipped(pointer(out), start, count, stride, short)
    i, r = pointer(integers), pointer(reals)
    zero, one = splat(q, 0.0), splat(q, 1.0)
    end = max(count, lanes)
    for block in range(0, end, lanes):
        b = min(block, end - lanes)
        motions(i, r, nodes, q_from, b, dof, table, columns, motion)
        pose = identity(q)
        for node in range(nodes):
            pose = advance(i, r, node, motion, kept, base_from, b * base_stride, base_stride, pose)
            keep_pose(i, node, kept, pose)
            output = i[node * INTEGERS + OUTPUT]
            if output >= 0:
                x0, y0, z0, p0, x1, y1, z1, p1, x2, y2, z2, p2 = pose
                at = b * stride + output * MATRIX
                scatter4(out_to, at, stride, x0, y0, z0, p0)
                scatter4(out_to, at + 4, stride, x1, y1, z1, p1)
                scatter4(out_to, at + 8, stride, x2, y2, z2, p2)
                scatter4(out_to, at + 12, stride, zero, zero, zero, one)
    unpad(pointer(out), start, count, stride, short)


def forward(plan: Plan, q: NDArray, base: NDArray | None = None, out: NDArray | None = None) -> NDArray:
    """Poses of the frames of a plan, T_base_frame, or T_world_frame where a base pose is given.

    All arrays are C-contiguous and writable, of the dtype of the plan; nothing is checked.

    Args:
        plan: From ``make_plan``.
        q: (batch, dof) coordinates [rad or m].
        base: None, (4, 4) or (batch, 4, 4) pose of the base in the world, any matrix with last row (0, 0, 0, 1).
        out: (batch, frames, 4, 4) to write to; made if None.

    Returns:
        (batch, frames, 4, 4) poses.
    """
    count = q.shape[0]
    if out is None:
        out = np.empty((count, plan.frames, 4, 4), q.dtype)
    base, base_stride = strided(base, 2, plan.no_base)
    run_batch(poses, (plan.integers, plan.reals, plan.slots, q, base, base_stride, out), count, plan.grain)
    return out
