"""Vector-Jacobian product of forward kinematics with respect to the coordinates.

The gradient G of a frame's pose acts on the mechanism as a force f = G[:3, 3] at the frame's origin and a moment
sum_k R[:, k] x G[:3, k]. A joint feels the sum over the frames it carries: its gradient is z . (M - o x F) with F the
sum of forces and M that of moments about the base's origin, or z . F if it slides.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.compiled import kernel
from diffkin.kernels.threads import run_batch
from diffkin.kernels.tree.block import (
    AXIS,
    MATRIX,
    MOTION,
    POSE,
    clipped,
    out_of_lanes,
    padded,
    spare,
    strided,
    unpad,
)
from diffkin.kernels.tree.mechanism import PRISMATIC, REVOLUTE
from diffkin.kernels.tree.plan import (
    BASE,
    COORDINATE,
    INTEGERS,
    KEEP,
    KIND,
    MULTIPLIER,
    OUTPUT,
    PLAIN,
    REALS,
    REPEATED,
    SOURCE,
    Plan,
)
from diffkin.kernels.tree.walk import (
    advance,
    cross_add,
    identity,
    keep_pose,
    load6,
    motions,
    pull,
    read_pose,
    store3,
)
from diffkin.kernels.vectors.lanes import fma, load, pointer, scratch, splat, store, width
from diffkin.kernels.vectors.sines import sincos_table

__all__ = ["backward"]


@kernel
def gradients(integers, reals, slots, q, base, base_stride, grad, grad_stride, out, start, stop):
    """Write the gradients of problems ``start`` to ``stop``.

    Strides are MATRIX numbers a frame, or 0 for one base or one seed for all; ``base_stride`` is -1 for no base.
    """
    lanes, count = width(q), stop - start
    nodes, dof, frames = integers.shape[0], q.shape[1], grad.shape[1]
    table = sincos_table(q)
    columns = scratch(q, dof * lanes)
    result = scratch(q, dof * lanes)
    motion = scratch(q, nodes * MOTION * lanes)
    kept = scratch(q, slots * POSE * lanes)  # poses on the way out, forces and moments on the way back
    axes = scratch(q, nodes * AXIS * lanes)  # of a frame its force and moment
    fill = spare(count, lanes)
    q_from = padded(pointer(q), start, count, dof, lanes, scratch(q, fill * dof))
    base_from = padded(pointer(base), start, count, base_stride, lanes, scratch(q, fill * MATRIX))
    grad_from = padded(pointer(grad), start, count, grad_stride, lanes, scratch(q, fill * frames * MATRIX))
    short = scratch(q, fill * dof)
    out_to = clipped(pointer(out), start, count, dof, short)
    i, r = pointer(integers), pointer(reals)
    zero = splat(q, 0.0)
    for k in range(dof):
        store(result, k, zero)  # coordinates that move nothing
    end = max(count, lanes)
    for block in range(0, end, lanes):
        b = min(block, end - lanes)
        motions(i, r, nodes, q_from, b, dof, table, columns, motion)
        pose = identity(q)
        for node in range(nodes):
            pose = advance(i, r, node, motion, kept, base_from, 0, -1, pose)  # in the base's own axes
            keep_pose(i, node, kept, pose)
            x0, y0, z0, p0, x1, y1, z1, p1, x2, y2, z2, p2 = pose
            row = node * AXIS
            output = i[node * INTEGERS + OUTPUT]
            if output >= 0:
                g = read_pose(grad_from, b * grad_stride + output * MATRIX, grad_stride)
                gx0, gy0, gz0, f0, gx1, gy1, gz1, f1, gx2, gy2, gz2, f2 = g
                if base_stride >= 0:
                    g = read_pose(base_from, b * base_stride, base_stride)
                    bx0, by0, bz0, bp0, bx1, by1, bz1, bp1, bx2, by2, bz2, bp2 = g
                    gx0, gx1, gx2 = pull(bx0, by0, bz0, bx1, by1, bz1, bx2, by2, bz2, gx0, gx1, gx2)
                    gy0, gy1, gy2 = pull(bx0, by0, bz0, bx1, by1, bz1, bx2, by2, bz2, gy0, gy1, gy2)
                    gz0, gz1, gz2 = pull(bx0, by0, bz0, bx1, by1, bz1, bx2, by2, bz2, gz0, gz1, gz2)
                    f0, f1, f2 = pull(bx0, by0, bz0, bx1, by1, bz1, bx2, by2, bz2, f0, f1, f2)
                m0, m1, m2 = cross_add(x0, x1, x2, gx0, gx1, gx2, zero, zero, zero)
                m0, m1, m2 = cross_add(y0, y1, y2, gy0, gy1, gy2, m0, m1, m2)
                m0, m1, m2 = cross_add(z0, z1, z2, gz0, gz1, gz2, m0, m1, m2)
                m0, m1, m2 = cross_add(p0, p1, p2, f0, f1, f2, m0, m1, m2)
                store3(axes, row, f0, f1, f2)
                store3(axes, row + 3, m0, m1, m2)
            else:
                store3(axes, row, z0, z1, z2)
                store3(axes, row + 3, p0, p1, p2)
        for k in range(slots):
            store3(kept, k * POSE, zero, zero, zero)
            store3(kept, k * POSE + 3, zero, zero, zero)
        f0, f1, f2, m0, m1, m2 = zero, zero, zero, zero, zero, zero  # on the child that comes next in the plan
        for back in range(nodes):
            node = nodes - 1 - back
            n = node * INTEGERS
            a0, a1, a2, a3, a4, a5 = load6(axes, node * AXIS)
            if i[n + PLAIN]:  # the usual case, ahead of all the others
                t0, t1, t2 = cross_add(f0, f1, f2, a3, a4, a5, m0, m1, m2)
                value = fma(a0, t0, fma(a1, t1, a2 * t2)) * r[node * REALS + MULTIPLIER]
                store(result, i[n + COORDINATE], value)
                continue
            keep = i[n + KEEP]
            if keep >= 0:
                k0, k1, k2, k3, k4, k5 = load6(kept, keep * POSE)
                f0, f1, f2, m0, m1, m2 = f0 + k0, f1 + k1, f2 + k2, m0 + k3, m1 + k4, m2 + k5
            if i[n + OUTPUT] >= 0:
                f0, f1, f2, m0, m1, m2 = a0, a1, a2, a3, a4, a5
            kind = i[n + KIND]
            if kind in (REVOLUTE, PRISMATIC):
                if kind == REVOLUTE:
                    # M - o x F
                    t0, t1, t2 = cross_add(f0, f1, f2, a3, a4, a5, m0, m1, m2)
                else:
                    t0, t1, t2 = f0, f1, f2
                value = fma(a0, t0, fma(a1, t1, a2 * t2))
                to = i[n + COORDINATE]
                value = value * r[node * REALS + MULTIPLIER]
                if i[n + REPEATED]:
                    value = value + load(result, to)
                store(result, to, value)
            source = i[n + SOURCE]
            if source >= 0:
                slot = source * POSE
                k0, k1, k2, k3, k4, k5 = load6(kept, slot)
                store3(kept, slot, f0 + k0, f1 + k1, f2 + k2)
                store3(kept, slot + 3, m0 + k3, m1 + k4, m2 + k5)
            if source >= 0 or source == BASE:
                f0, f1, f2, m0, m1, m2 = zero, zero, zero, zero, zero, zero
        out_of_lanes(result, dof, out_to, b * dof)
    unpad(pointer(out), start, count, dof, short)


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
    base, base_stride = strided(base, 2, plan.no_base)
    grad_stride = 0 if len(grad) == 1 else MATRIX * grad.shape[1]
    arguments = (plan.integers, plan.reals, plan.slots, q, base, base_stride, grad, grad_stride, out)
    run_batch(gradients, arguments, count, plan.grain)
    return out
