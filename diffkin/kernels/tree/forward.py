"""Forward kinematics of a batch: the poses of a plan's frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.compiled import kernel
from diffkin.kernels.threads import run_batch
from diffkin.kernels.tree.plan import INTEGERS, OUTPUT, Plan
from diffkin.kernels.tree.walk import advance, identity, keep_pose, motions, padded
from diffkin.kernels.vectors.lanes import pointer, scratch, splat, store_rows, width
from diffkin.kernels.vectors.sines import sincos_table

__all__ = ["forward"]


@kernel
def poses(integers, reals, slots, q, base, base_stride, out, start, stop):
    """Write the poses of problems ``start`` to ``stop``; ``base_stride`` is 0 for one base for all, -1 for none."""
    lanes = width(q)
    nodes, dof, frames = integers.shape[0], q.shape[1], out.shape[1]
    stride = frames * 16
    count = stop - start
    table = sincos_table(q)
    columns = scratch(q, dof * lanes)
    motion = scratch(q, nodes * 2 * lanes)
    kept = scratch(q, slots * 12 * lanes)
    tail = lanes if count < lanes else 0  # one block, filled up with copies of the last problem
    tail_q = scratch(q, tail * dof)
    tail_base = scratch(q, tail * 16)
    tail_out = scratch(q, tail * stride)
    i, r, q_from, base_from, out_to = pointer(integers), pointer(reals), pointer(q), pointer(base), pointer(out)
    first, end = start, stop
    if tail:
        first, end = 0, lanes
        padded(q_from, start * dof, dof, count, lanes, tail_q)
        q_from, out_to = tail_q, tail_out
        if base_stride > 0:
            padded(base_from, start * 16, 16, count, lanes, tail_base)
            base_from = tail_base
    zero, one = splat(q, 0.0), splat(q, 1.0)
    for block in range(first, end, lanes):
        b = min(block, end - lanes)  # the last block overlaps the one before it
        motions(i, r, nodes, q_from, b, dof, table, columns, motion)
        pose = identity(q)
        for node in range(nodes):
            pose = advance(i, r, node, motion, kept, base_from, b * base_stride, base_stride, pose)
            keep_pose(i, node, kept, pose)
            output = i[node * INTEGERS + OUTPUT]
            if output >= 0:
                x0, y0, z0, p0, x1, y1, z1, p1, x2, y2, z2, p2 = pose
                at = b * stride + output * 16
                store_rows(out_to, at, stride, x0, y0, z0, p0)
                store_rows(out_to, at + 4, stride, x1, y1, z1, p1)
                store_rows(out_to, at + 8, stride, x2, y2, z2, p2)
                store_rows(out_to, at + 12, stride, zero, zero, zero, one)
    if tail:
        target = pointer(out)
        for k in range(count * stride):
            target[start * stride + k] = tail_out[k]


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
    if base is None:
        base, stride = plan.no_base, -1
    elif base.ndim == 2:
        base, stride = base.reshape(1, 4, 4), 0
    else:
        stride = 16
    run_batch(poses, (plan.integers, plan.reals, plan.slots, q, base, stride, out), count, plan.grain)
    return out
