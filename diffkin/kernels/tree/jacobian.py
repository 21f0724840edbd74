"""Geometric Jacobian of a batch: the twist of one frame, or of a point fixed to it, per coordinate rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.compiled import kernel
from diffkin.kernels.threads import run_batch
from diffkin.kernels.tree.plan import COORDINATE, INTEGERS, KIND, PRISMATIC, REALS, REPEATED, REVOLUTE, Plan
from diffkin.kernels.tree.walk import advance, identity, motions, padded, store3
from diffkin.kernels.vectors.lanes import fma, gather, load, pointer, scratch, splat, store, store_rows, width
from diffkin.kernels.vectors.sines import sincos_table

__all__ = ["jacobian"]


@kernel
def jacobians(integers, reals, q, base, base_stride, point, point_stride, local, out, start, stop):
    """Write the Jacobians of problems ``start`` to ``stop``; a stride is 0 for one for all, -1 for none."""
    lanes = width(q)
    nodes, dof = integers.shape[0], q.shape[1]
    size = 6 * dof
    count = stop - start
    table = sincos_table(q)
    columns = scratch(q, dof * lanes)
    motion = scratch(q, nodes * 2 * lanes)
    axes = scratch(q, nodes * 6 * lanes)  # axis and a point on it, per node
    result = scratch(q, size * lanes)
    tail = lanes if count < lanes else 0  # one block, filled up with copies of the last problem
    tail_q = scratch(q, tail * dof)
    tail_base = scratch(q, tail * 16)
    tail_point = scratch(q, tail * 3)
    tail_out = scratch(q, tail * size)
    i, r, q_from, base_from, out_to = pointer(integers), pointer(reals), pointer(q), pointer(base), pointer(out)
    point_from = pointer(point)
    first, end = start, stop
    if tail:
        first, end = 0, lanes
        padded(q_from, start * dof, dof, count, lanes, tail_q)
        q_from, out_to = tail_q, tail_out
        if base_stride > 0:
            padded(base_from, start * 16, 16, count, lanes, tail_base)
            base_from = tail_base
        if point_stride > 0:
            padded(point_from, start * 3, 3, count, lanes, tail_point)
            point_from = tail_point
    zero = splat(q, 0.0)
    for k in range(size):
        store(result, k * lanes, zero)
    for block in range(first, end, lanes):
        b = min(block, end - lanes)  # the last block overlaps the one before it
        motions(i, r, nodes, q_from, b, dof, table, columns, motion)
        pose = identity(q)
        for node in range(nodes):
            pose = advance(i, r, node, motion, motion, base_from, b * base_stride, base_stride, pose)
            store3(axes, node * 6 * lanes, pose[2], pose[6], pose[10])
            store3(axes, (node * 6 + 3) * lanes, pose[3], pose[7], pose[11])
        x0, y0, z0, p0, x1, y1, z1, p1, x2, y2, z2, p2 = pose
        if point_stride >= 0:
            at = b * point_stride
            a0 = gather(point_from, at, point_stride)
            a1 = gather(point_from, at + 1, point_stride)
            a2 = gather(point_from, at + 2, point_stride)
            p0 = fma(x0, a0, fma(y0, a1, fma(z0, a2, p0)))
            p1 = fma(x1, a0, fma(y1, a1, fma(z1, a2, p1)))
            p2 = fma(x2, a0, fma(y2, a1, fma(z2, a2, p2)))
        for back in range(nodes):
            node = nodes - 1 - back
            kind = i[node * INTEGERS + KIND]
            if kind not in (REVOLUTE, PRISMATIC):
                continue
            at = node * 6 * lanes
            w0, w1, w2 = load(axes, at), load(axes, at + lanes), load(axes, at + 2 * lanes)
            if local:
                w0, w1, w2 = (
                    fma(x0, w0, fma(x1, w1, x2 * w2)),
                    fma(y0, w0, fma(y1, w1, y2 * w2)),
                    fma(z0, w0, fma(z1, w1, z2 * w2)),
                )
            factor = r[node * REALS]
            w0, w1, w2 = w0 * factor, w1 * factor, w2 * factor
            v0, v1, v2 = w0, w1, w2
            if kind == REVOLUTE:
                d0 = p0 - load(axes, at + 3 * lanes)
                d1 = p1 - load(axes, at + 4 * lanes)
                d2 = p2 - load(axes, at + 5 * lanes)
                if local:
                    d0, d1, d2 = (
                        fma(x0, d0, fma(x1, d1, x2 * d2)),
                        fma(y0, d0, fma(y1, d1, y2 * d2)),
                        fma(z0, d0, fma(z1, d1, z2 * d2)),
                    )
                v0 = fma(w1, d2, -(w2 * d1))
                v1 = fma(w2, d0, -(w0 * d2))
                v2 = fma(w0, d1, -(w1 * d0))
            else:
                w0, w1, w2 = zero, zero, zero
            to = i[node * INTEGERS + COORDINATE] * lanes
            step = dof * lanes
            if i[node * INTEGERS + REPEATED]:
                v0, v1, v2 = v0 + load(result, to), v1 + load(result, to + step), v2 + load(result, to + 2 * step)
                w0 = w0 + load(result, to + 3 * step)
                w1 = w1 + load(result, to + 4 * step)
                w2 = w2 + load(result, to + 5 * step)
            store(result, to, v0)
            store(result, to + step, v1)
            store(result, to + 2 * step, v2)
            store(result, to + 3 * step, w0)
            store(result, to + 4 * step, w1)
            store(result, to + 5 * step, w2)
        for k in range(0, size, 4):
            e = min(k, size - 4)
            at = e * lanes
            store_rows(
                out_to,
                b * size + e,
                size,
                load(result, at),
                load(result, at + lanes),
                load(result, at + 2 * lanes),
                load(result, at + 3 * lanes),
            )
    if tail:
        target = pointer(out)
        for k in range(count * size):
            target[start * size + k] = tail_out[k]


def jacobian(
    plan: Plan,
    q: NDArray,
    point: NDArray | None = None,
    local: bool = False,
    base: NDArray | None = None,
    out: NDArray | None = None,
) -> NDArray:
    """Geometric Jacobian of the one frame of a plan: rows linear then angular, at the frame's origin or at a point.

    Column c is (z x (p - o), z) summed over the revolute joints that coordinate c moves, (z, 0) over the prismatic
    ones, each times the joint's multiplier (Siciliano et al., Robotics, section 3.1). All arrays are C-contiguous and
    writable, of the dtype of the plan; nothing is checked.

    Args:
        plan: From ``make_plan`` with exactly one frame.
        q: (batch, dof) coordinates [rad or m].
        point: None, (3,) or (batch, 3) in the axes of the frame [m].
        local: Axes of the frame instead of those of the base, or of the world where a base pose is given.
        base: None, (4, 4) or (batch, 4, 4) pose of the base in the world.
        out: (batch, 6, dof) to write to; made if None.

    Returns:
        (batch, 6, dof) Jacobians.
    """
    count = q.shape[0]
    if out is None:
        out = np.empty((count, 6, plan.dof), q.dtype)
    if base is None:
        base, base_stride = plan.no_base, -1
    elif base.ndim == 2:
        base, base_stride = base.reshape(1, 4, 4), 0
    else:
        base_stride = 16
    if point is None:
        point, point_stride = plan.no_base[0], -1
    elif point.ndim == 1:
        point, point_stride = point.reshape(1, 3), 0
    else:
        point_stride = 3
    arguments = (plan.integers, plan.reals, q, base, base_stride, point, point_stride, int(local), out)
    run_batch(jacobians, arguments, count, plan.grain)
    return out
