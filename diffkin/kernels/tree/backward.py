"""Vector-Jacobian product of forward kinematics with respect to the coordinates.

The gradient G of a frame's pose acts on the mechanism as a force f = G[:3, 3] at the frame's origin and a moment
sum_k R[:, k] x G[:3, k]. A joint feels the sum over the frames it carries: its gradient is z . (M - o x F) with F the
sum of forces and M that of moments about the base's origin, or z . F if it slides.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.compiled import inline, kernel
from diffkin.kernels.threads import run_batch
from diffkin.kernels.tree.plan import (
    BASE,
    COORDINATE,
    INTEGERS,
    KEEP,
    KIND,
    OUTPUT,
    PLAIN,
    PRISMATIC,
    REALS,
    REPEATED,
    REVOLUTE,
    SOURCE,
    Plan,
)
from diffkin.kernels.tree.walk import advance, cross_add, identity, keep_pose, load6, motions, padded, read_pose, store3
from diffkin.kernels.vectors.lanes import fma, load, pointer, scatter, scratch, splat, store, store_rows, width
from diffkin.kernels.vectors.sines import sincos_table

__all__ = ["backward"]


@inline
def _pull(x0, y0, z0, x1, y1, z1, x2, y2, z2, v0, v1, v2):
    """The transpose of the matrix with columns x, y, z, times v."""
    return (
        fma(x0, v0, fma(x1, v1, x2 * v2)),
        fma(y0, v0, fma(y1, v1, y2 * v2)),
        fma(z0, v0, fma(z1, v1, z2 * v2)),
    )


@kernel
def gradients(integers, reals, slots, q, base, base_stride, grad, grad_stride, out, start, stop):
    """Write the gradients of problems ``start`` to ``stop``.

    Strides are 16 numbers a frame, or 0 for one base or one seed for all; ``base_stride`` is -1 for no base.
    """
    lanes = width(q)
    nodes, dof, frames = integers.shape[0], q.shape[1], grad.shape[1]
    count = stop - start
    table = sincos_table(q)
    columns = scratch(q, dof * lanes)
    result = scratch(q, dof * lanes)
    motion = scratch(q, nodes * 2 * lanes)
    kept = scratch(q, slots * 12 * lanes)  # poses on the way out, forces and moments on the way back
    axes = scratch(q, nodes * 6 * lanes)  # axis and a point on it, or force and moment of a frame, per node
    tail = lanes if count < lanes else 0  # one block, filled up with copies of the last problem
    tail_q = scratch(q, tail * dof)
    tail_base = scratch(q, tail * 16)
    tail_grad = scratch(q, tail * frames * 16)
    tail_out = scratch(q, tail * dof)
    i, r, q_from, base_from, out_to = pointer(integers), pointer(reals), pointer(q), pointer(base), pointer(out)
    grad_from = pointer(grad)
    first, end = start, stop
    if tail:
        first, end = 0, lanes
        padded(q_from, start * dof, dof, count, lanes, tail_q)
        q_from, out_to = tail_q, tail_out
        if grad_stride > 0:
            padded(grad_from, start * grad_stride, grad_stride, count, lanes, tail_grad)
            grad_from = tail_grad
        if base_stride > 0:
            padded(base_from, start * 16, 16, count, lanes, tail_base)
            base_from = tail_base
    zero = splat(q, 0.0)
    for k in range(dof):
        store(result, k * lanes, zero)  # coordinates that move nothing
    for block in range(first, end, lanes):
        b = min(block, end - lanes)  # the last block overlaps the one before it
        motions(i, r, nodes, q_from, b, dof, table, columns, motion)
        pose = identity(q)
        for node in range(nodes):
            pose = advance(i, r, node, motion, kept, base_from, 0, -1, pose)  # in the base's own axes
            keep_pose(i, node, kept, pose)
            x0, y0, z0, p0, x1, y1, z1, p1, x2, y2, z2, p2 = pose
            at = node * 6 * lanes
            output = i[node * INTEGERS + OUTPUT]
            if output >= 0:
                g = read_pose(grad_from, b * grad_stride + output * 16, grad_stride)
                gx0, gy0, gz0, f0, gx1, gy1, gz1, f1, gx2, gy2, gz2, f2 = g
                if base_stride >= 0:
                    g = read_pose(base_from, b * base_stride, base_stride)
                    bx0, by0, bz0, bp0, bx1, by1, bz1, bp1, bx2, by2, bz2, bp2 = g
                    gx0, gx1, gx2 = _pull(bx0, by0, bz0, bx1, by1, bz1, bx2, by2, bz2, gx0, gx1, gx2)
                    gy0, gy1, gy2 = _pull(bx0, by0, bz0, bx1, by1, bz1, bx2, by2, bz2, gy0, gy1, gy2)
                    gz0, gz1, gz2 = _pull(bx0, by0, bz0, bx1, by1, bz1, bx2, by2, bz2, gz0, gz1, gz2)
                    f0, f1, f2 = _pull(bx0, by0, bz0, bx1, by1, bz1, bx2, by2, bz2, f0, f1, f2)
                m0, m1, m2 = cross_add(x0, x1, x2, gx0, gx1, gx2, zero, zero, zero)
                m0, m1, m2 = cross_add(y0, y1, y2, gy0, gy1, gy2, m0, m1, m2)
                m0, m1, m2 = cross_add(z0, z1, z2, gz0, gz1, gz2, m0, m1, m2)
                m0, m1, m2 = cross_add(p0, p1, p2, f0, f1, f2, m0, m1, m2)
                store3(axes, at, f0, f1, f2)
                store3(axes, at + 3 * lanes, m0, m1, m2)
            else:
                store3(axes, at, z0, z1, z2)
                store3(axes, at + 3 * lanes, p0, p1, p2)
        for k in range(slots):
            store3(kept, k * 12 * lanes, zero, zero, zero)
            store3(kept, (k * 12 + 3) * lanes, zero, zero, zero)
        f0, f1, f2, m0, m1, m2 = zero, zero, zero, zero, zero, zero  # on the child that comes next in the plan
        for back in range(nodes):
            node = nodes - 1 - back
            row = node * INTEGERS
            a0, a1, a2, a3, a4, a5 = load6(axes, node * 6 * lanes)
            if i[row + PLAIN]:  # the usual case, ahead of all the others
                t0, t1, t2 = cross_add(f0, f1, f2, a3, a4, a5, m0, m1, m2)
                value = fma(a0, t0, fma(a1, t1, a2 * t2)) * r[node * REALS]
                store(result, i[row + COORDINATE] * lanes, value)
                continue
            keep = i[row + KEEP]
            if keep >= 0:
                k0, k1, k2, k3, k4, k5 = load6(kept, keep * 12 * lanes)
                f0, f1, f2, m0, m1, m2 = f0 + k0, f1 + k1, f2 + k2, m0 + k3, m1 + k4, m2 + k5
            if i[row + OUTPUT] >= 0:
                f0, f1, f2, m0, m1, m2 = a0, a1, a2, a3, a4, a5
            kind = i[row + KIND]
            if kind in (REVOLUTE, PRISMATIC):
                if kind == REVOLUTE:
                    # M - o x F
                    t0, t1, t2 = cross_add(f0, f1, f2, a3, a4, a5, m0, m1, m2)
                else:
                    t0, t1, t2 = f0, f1, f2
                value = fma(a0, t0, fma(a1, t1, a2 * t2))
                at = i[row + COORDINATE] * lanes
                value = value * r[node * REALS]
                if i[row + REPEATED]:
                    value = value + load(result, at)
                store(result, at, value)
            source = i[row + SOURCE]
            if source >= 0:
                at = source * 12 * lanes
                k0, k1, k2, k3, k4, k5 = load6(kept, at)
                store3(kept, at, f0 + k0, f1 + k1, f2 + k2)
                store3(kept, at + 3 * lanes, m0 + k3, m1 + k4, m2 + k5)
            if source >= 0 or source == BASE:
                f0, f1, f2, m0, m1, m2 = zero, zero, zero, zero, zero, zero
        if dof >= 4:
            for k in range(0, dof, 4):
                c = min(k, dof - 4)
                at = c * lanes
                v0, v1 = load(result, at), load(result, at + lanes)
                v2, v3 = load(result, at + 2 * lanes), load(result, at + 3 * lanes)
                store_rows(out_to, b * dof + c, dof, v0, v1, v2, v3)
        else:
            for c in range(dof):
                scatter(out_to, b * dof + c, dof, load(result, c * lanes))
    if tail:
        target = pointer(out)
        for k in range(count * dof):
            target[start * dof + k] = tail_out[k]


def backward(plan: Plan, q: NDArray, grad: NDArray, base: NDArray | None = None, out: NDArray | None = None) -> NDArray:
    """Gradient with respect to ``q`` of a scalar whose gradient with respect to ``forward(plan, q, base)`` is ``grad``.

    Forward kinematics is computed anew: cheaper than saving what would be needed of it. All arrays are C-contiguous and
    writable, of the dtype of the plan; nothing is checked.

    Args:
        plan: From ``make_plan``.
        q: (batch, dof) coordinates.
        grad: (batch, frames, 4, 4), or (1, frames, 4, 4) for all alike; last rows are not read.
        base: None, (4, 4) or (batch, 4, 4), as for ``forward``.
        out: (batch, dof) to write to; made if None.

    Returns:
        (batch, dof) gradients.
    """
    count = q.shape[0]
    if out is None:
        out = np.empty((count, plan.dof), q.dtype)
    if base is None:
        base, stride = plan.no_base, -1
    elif base.ndim == 2:
        base, stride = base.reshape(1, 4, 4), 0
    else:
        stride = 16
    grad_stride = 0 if len(grad) == 1 else 16 * grad.shape[1]
    arguments = (plan.integers, plan.reals, plan.slots, q, base, stride, grad, grad_stride, out)
    run_batch(gradients, arguments, count, plan.grain)
    return out
