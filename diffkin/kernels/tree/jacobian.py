"""Geometric Jacobian of a batch: the twist of one frame, or of a point fixed to it, per coordinate rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.compiled import kernel
from diffkin.kernels.threads import run_batch
from diffkin.kernels.tree.block import AXIS, MATRIX, MOTION, clipped, out_of_lanes, padded, spare, strided, unpad
from diffkin.kernels.tree.mechanism import PRISMATIC, REVOLUTE
from diffkin.kernels.tree.plan import COORDINATE, INTEGERS, KIND, MULTIPLIER, REALS, REPEATED, Plan
from diffkin.kernels.tree.walk import advance, identity, motions, pull, store3
from diffkin.kernels.vectors.lanes import fma, gather, load, pointer, scratch, splat, store, width
from diffkin.kernels.vectors.sines import sincos_table

__all__ = ["jacobian"]


@kernel
def jacobians(integers, reals, q, base, base_stride, point, point_stride, local, out, start, stop):
    """Write the Jacobians of problems ``start`` to ``stop``; a stride is 0 for one for all, -1 for none."""
    lanes, count = width(q), stop - start
    nodes, dof = integers.shape[0], q.shape[1]
    size = 6 * dof
    table = sincos_table(q)
    columns = scratch(q, dof * lanes)
    motion = scratch(q, nodes * MOTION * lanes)
    axes = scratch(q, nodes * AXIS * lanes)
    result = scratch(q, size * lanes)
    fill = spare(count, lanes)
    q_from = padded(pointer(q), start, count, dof, lanes, scratch(q, fill * dof))
    base_from = padded(pointer(base), start, count, base_stride, lanes, scratch(q, fill * MATRIX))
    point_from = padded(pointer(point), start, count, point_stride, lanes, scratch(q, fill * 3))
    short = scratch(q, fill * size)
    out_to = clipped(pointer(out), start, count, size, short)
    i, r = pointer(integers), pointer(reals)
    zero = splat(q, 0.0)
    for k in range(size):
        store(result, k, zero)  # coordinates that move nothing
    end = max(count, lanes)
    for block in range(0, end, lanes):
        b = min(block, end - lanes)
        motions(i, r, nodes, q_from, b, dof, table, columns, motion)
        pose = identity(q)
        for node in range(nodes):  # of one frame: no pose is kept
            pose = advance(i, r, node, motion, motion, base_from, b * base_stride, base_stride, pose)
            store3(axes, node * AXIS, pose[2], pose[6], pose[10])
            store3(axes, node * AXIS + 3, pose[3], pose[7], pose[11])
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
            row = node * AXIS
            w0, w1, w2 = load(axes, row), load(axes, row + 1), load(axes, row + 2)
            if local:
                w0, w1, w2 = pull(x0, y0, z0, x1, y1, z1, x2, y2, z2, w0, w1, w2)
            factor = r[node * REALS + MULTIPLIER]
            w0, w1, w2 = w0 * factor, w1 * factor, w2 * factor
            v0, v1, v2 = w0, w1, w2
            if kind == REVOLUTE:
                d0, d1, d2 = p0 - load(axes, row + 3), p1 - load(axes, row + 4), p2 - load(axes, row + 5)
                if local:
                    d0, d1, d2 = pull(x0, y0, z0, x1, y1, z1, x2, y2, z2, d0, d1, d2)
                v0 = fma(w1, d2, -(w2 * d1))
                v1 = fma(w2, d0, -(w0 * d2))
                v2 = fma(w0, d1, -(w1 * d0))
            else:
                w0, w1, w2 = zero, zero, zero
            to = i[node * INTEGERS + COORDINATE]
            if i[node * INTEGERS + REPEATED]:
                v0, v1, v2 = v0 + load(result, to), v1 + load(result, to + dof), v2 + load(result, to + 2 * dof)
                w0 = w0 + load(result, to + 3 * dof)
                w1 = w1 + load(result, to + 4 * dof)
                w2 = w2 + load(result, to + 5 * dof)
            store(result, to, v0)
            store(result, to + dof, v1)
            store(result, to + 2 * dof, v2)
            store(result, to + 3 * dof, w0)
            store(result, to + 4 * dof, w1)
            store(result, to + 5 * dof, w2)
        out_of_lanes(result, size, out_to, b * size)
    unpad(pointer(out), start, count, size, short)


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
    base, base_stride = strided(base, 2, plan.no_base)
    point, point_stride = strided(point, 1, plan.no_base[0])
    arguments = (plan.integers, plan.reals, q, base, base_stride, point, point_stride, int(local), out)
    run_batch(jacobians, arguments, count, plan.grain)
    return out
