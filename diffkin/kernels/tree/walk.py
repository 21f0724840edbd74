"""The pieces that every kernel on a plan is made of: reading coordinates, sine and cosine, the step to the next node.

A pose in lanes is twelve vectors, the columns x, y, z, p of its upper three rows, by rows. They stay in registers from
node to node. Memory is passed as pointers: an array would be counted in and out of every function it is passed to.
"""

from __future__ import annotations

from diffkin.kernels.compiled import inline
from diffkin.kernels.tree.block import MOTION, POSE, in_lanes
from diffkin.kernels.tree.mechanism import PRISMATIC, REVOLUTE
from diffkin.kernels.tree.plan import (
    ALPHA_COSINE,
    ALPHA_SINE,
    BASE,
    C00,
    C01,
    C02,
    C03,
    C10,
    C11,
    C12,
    C13,
    C20,
    C21,
    C22,
    C23,
    COORDINATE,
    DENAVIT,
    FORM,
    GENERAL,
    HAS_SHIFT,
    HAS_TURN,
    INTEGERS,
    KEEP,
    KIND,
    MULTIPLIER,
    OFFSET,
    QUARTER,
    QUARTERS,
    REALS,
    SHIFT,
    SOURCE,
    TURN_COSINE,
    TURN_SINE,
    A,
    D,
)
from diffkin.kernels.vectors.lanes import fma, gather4, load, splat, store
from diffkin.kernels.vectors.sines import sincos_vector

__all__ = ["advance", "cross_add", "identity", "keep_pose", "load6", "motions", "pull", "read_pose", "store3"]


@inline
def motions(integers, reals, nodes, q, first, dof, table, columns, motion):
    """Fill ``motion[node]``: sine and cosine of a revolute node's angle, or a prismatic node's value.

    Args:
        integers, reals, nodes: The plan.
        q: (batch, dof) coordinates.
        first: The first problem of the block.
        dof: Number of coordinates.
        table: From ``sincos_table``.
        columns: (dof, lanes) scratch, the coordinates of the block transposed.
        motion: (nodes, MOTION, lanes) output.
    """
    in_lanes(q, first * dof, dof, columns)
    for node in range(nodes):
        i, r, row = node * INTEGERS, node * REALS, node * MOTION
        kind = integers[i + KIND]
        if kind in (REVOLUTE, PRISMATIC):
            value = fma(load(columns, integers[i + COORDINATE]), reals[r + MULTIPLIER], reals[r + OFFSET])
            if kind == REVOLUTE:
                s, c = sincos_vector(value, reals[r + QUARTERS], table)
                if integers[i + HAS_TURN]:
                    st, ct = reals[r + TURN_SINE], reals[r + TURN_COSINE]
                    s, c = fma(s, ct, c * st), fma(c, ct, -(s * st))
                store(motion, row, s)
                store(motion, row + 1, c)
            else:
                store(motion, row, value)


@inline
def read_pose(poses, at, stride):
    """The twelve vectors of the poses whose 16 numbers begin at ``at + lane * stride``, by rows."""
    x0, y0, z0, p0 = gather4(poses, at, stride)
    x1, y1, z1, p1 = gather4(poses, at + 4, stride)
    x2, y2, z2, p2 = gather4(poses, at + 8, stride)
    return x0, y0, z0, p0, x1, y1, z1, p1, x2, y2, z2, p2


@inline
def constant_row(form, reals, r, x, y, z, p):
    """One row of a pose, times the constant transform of the node whose reals begin at ``r``."""
    if form == GENERAL:
        p = fma(x, reals[r + C03], fma(y, reals[r + C13], fma(z, reals[r + C23], p)))
        x, y, z = (
            fma(x, reals[r + C00], fma(y, reals[r + C10], z * reals[r + C20])),
            fma(x, reals[r + C01], fma(y, reals[r + C11], z * reals[r + C21])),
            fma(x, reals[r + C02], fma(y, reals[r + C12], z * reals[r + C22])),
        )
    else:
        p = fma(z, reals[r + D], fma(x, reals[r + A], p))
        if form == QUARTER:
            y, z = z, -y
        elif form == DENAVIT:
            s, c = reals[r + ALPHA_SINE], reals[r + ALPHA_COSINE]
            y, z = fma(z, s, y * c), fma(z, c, -(y * s))
    return x, y, z, p


@inline
def turn_row(x, y, s, c):
    """One row of the x and y columns of a pose, turned about its z axis."""
    return fma(x, c, y * s), fma(y, c, -(x * s))


@inline
def advance(integers, reals, node, motion, kept, base, base_at, base_stride, pose):
    """The pose of a node, from that of the node before it, a kept one, or the base.

    Args:
        integers, reals: The plan.
        node: Which node.
        motion: From ``motions``.
        kept: (slots, POSE, lanes) poses kept by ``keep_pose``.
        base, base_at, base_stride: Where the poses of the base are; none if the stride is negative.
        pose: Twelve vectors, the pose of the node before.
    """
    x0, y0, z0, p0, x1, y1, z1, p1, x2, y2, z2, p2 = pose
    i, r, row = node * INTEGERS, node * REALS, node * MOTION
    source = integers[i + SOURCE]
    form = integers[i + FORM]
    if source == BASE and base_stride < 0:
        x0, y0, z0, p0, x1, y1, z1, p1, x2, y2, z2, p2 = identity(motion)
        if form == GENERAL:
            x0, y0, z0, p0 = _splat4(reals, r + C00)
            x1, y1, z1, p1 = _splat4(reals, r + C10)
            x2, y2, z2, p2 = _splat4(reals, r + C20)
    else:
        if source == BASE:
            x0, y0, z0, p0, x1, y1, z1, p1, x2, y2, z2, p2 = read_pose(base, base_at, base_stride)
        elif source >= 0:
            slot = source * POSE
            x0, y0, z0, p0 = _load4(kept, slot)
            x1, y1, z1, p1 = _load4(kept, slot + 4)
            x2, y2, z2, p2 = _load4(kept, slot + 8)
        x0, y0, z0, p0 = constant_row(form, reals, r, x0, y0, z0, p0)
        x1, y1, z1, p1 = constant_row(form, reals, r, x1, y1, z1, p1)
        x2, y2, z2, p2 = constant_row(form, reals, r, x2, y2, z2, p2)
    kind = integers[i + KIND]
    if kind == PRISMATIC:
        value = load(motion, row)
        p0, p1, p2 = fma(z0, value, p0), fma(z1, value, p1), fma(z2, value, p2)
    if integers[i + HAS_SHIFT]:
        h = reals[r + SHIFT]
        p0, p1, p2 = fma(z0, h, p0), fma(z1, h, p1), fma(z2, h, p2)
    if kind == REVOLUTE:
        s, c = load(motion, row), load(motion, row + 1)
        x0, y0 = turn_row(x0, y0, s, c)
        x1, y1 = turn_row(x1, y1, s, c)
        x2, y2 = turn_row(x2, y2, s, c)
    elif integers[i + HAS_TURN]:
        s, c = reals[r + TURN_SINE], reals[r + TURN_COSINE]
        x0, y0 = turn_row(x0, y0, s, c)
        x1, y1 = turn_row(x1, y1, s, c)
        x2, y2 = turn_row(x2, y2, s, c)
    return x0, y0, z0, p0, x1, y1, z1, p1, x2, y2, z2, p2


@inline
def _splat4(reals, r):
    a, b, c, d = reals[r], reals[r + 1], reals[r + 2], reals[r + 3]
    return splat(reals, a), splat(reals, b), splat(reals, c), splat(reals, d)


@inline
def _load4(memory, row):
    return load(memory, row), load(memory, row + 1), load(memory, row + 2), load(memory, row + 3)


@inline
def keep_pose(integers, node, kept, pose):
    """Keep the pose of a node for a later branch, if the plan says so."""
    keep = integers[node * INTEGERS + KEEP]
    if keep >= 0:
        row = keep * POSE
        for vector in pose:
            store(kept, row, vector)
            row += 1


@inline
def identity(like):
    """The identity pose in lanes of the dtype of the memory ``like``."""
    zero, one = splat(like, 0.0), splat(like, 1.0)
    return one, zero, zero, zero, zero, one, zero, zero, zero, zero, one, zero


@inline
def pull(x0, y0, z0, x1, y1, z1, x2, y2, z2, v0, v1, v2):
    """The transpose of the matrix with columns x, y, z, times v."""
    return (
        fma(x0, v0, fma(x1, v1, x2 * v2)),
        fma(y0, v0, fma(y1, v1, y2 * v2)),
        fma(z0, v0, fma(z1, v1, z2 * v2)),
    )


@inline
def store3(memory, row, a, b, c):
    """Write three vectors, one row after another."""
    store(memory, row, a)
    store(memory, row + 1, b)
    store(memory, row + 2, c)


@inline
def load6(memory, row):
    """Six vectors, one row after another."""
    return (
        *(load(memory, row), load(memory, row + 1), load(memory, row + 2)),
        *(load(memory, row + 3), load(memory, row + 4), load(memory, row + 5)),
    )


@inline
def cross_add(a0, a1, a2, b0, b1, b2, c0, c1, c2):
    """a x b + c."""
    return (
        fma(a1, b2, fma(-a2, b1, c0)),
        fma(a2, b0, fma(-a0, b2, c1)),
        fma(a0, b1, fma(-a1, b0, c2)),
    )
