"""The pieces that every kernel on a plan is made of: reading coordinates, sine and cosine, the step to the next node.

A pose in lanes is twelve vectors, the columns x, y, z, p of its upper three rows, by rows. They stay in registers from
node to node. Memory is passed as pointers: an array would be counted in and out of every function it is passed to.
"""

from __future__ import annotations

from diffkin.kernels.compiled import inline
from diffkin.kernels.tree.plan import (
    BASE,
    COORDINATE,
    DENAVIT,
    FORM,
    GENERAL,
    INTEGERS,
    KEEP,
    KIND,
    PRISMATIC,
    QUARTER,
    REALS,
    REVOLUTE,
    SHIFTED,
    SOURCE,
    TURNED,
)
from diffkin.kernels.vectors.lanes import fma, gather, load, load_rows, splat, store, width
from diffkin.kernels.vectors.sines import sincos_vector

__all__ = ["advance", "cross_add", "identity", "keep_pose", "load6", "motions", "padded", "read_pose", "store3"]


@inline
def padded(rows, at, length, count, lanes, space):
    """Fill ``space`` with ``lanes`` rows of ``length`` numbers: ``count`` rows from ``at``, then copies of the last."""
    for l in range(lanes):
        for i in range(length):
            space[l * length + i] = rows[at + min(l, count - 1) * length + i]


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
        motion: (nodes, 2, lanes) output.
    """
    lanes = width(q)
    start = first * dof
    if dof >= 4:
        for k in range(0, dof, 4):
            c = min(k, dof - 4)
            a0, a1, a2, a3 = load_rows(q, start + c, dof)
            store(columns, c * lanes, a0)
            store(columns, (c + 1) * lanes, a1)
            store(columns, (c + 2) * lanes, a2)
            store(columns, (c + 3) * lanes, a3)
    else:
        for c in range(dof):
            store(columns, c * lanes, gather(q, start + c, dof))
    for node in range(nodes):
        i, r, at = node * INTEGERS, node * REALS, 2 * node * lanes
        kind = integers[i + KIND]
        if kind in (REVOLUTE, PRISMATIC):
            value = fma(load(columns, integers[i + COORDINATE] * lanes), reals[r], reals[r + 1])
            if kind == REVOLUTE:
                s, c = sincos_vector(value, reals[r + 17], table)
                if integers[i + TURNED]:
                    st, ct = reals[r + 2], reals[r + 3]
                    s, c = fma(s, ct, c * st), fma(c, ct, -(s * st))
                store(motion, at, s)
                store(motion, at + lanes, c)
            else:
                store(motion, at, value)


@inline
def read_pose(poses, at, stride):
    """The twelve vectors of the poses whose 16 numbers begin at ``at + lane * stride``, by rows."""
    x0, y0, z0, p0 = load_rows(poses, at, stride)
    x1, y1, z1, p1 = load_rows(poses, at + 4, stride)
    x2, y2, z2, p2 = load_rows(poses, at + 8, stride)
    return x0, y0, z0, p0, x1, y1, z1, p1, x2, y2, z2, p2


@inline
def constant_row(form, reals, r, x, y, z, p):
    """One row of a pose, times the constant transform of the node whose numbers begin at ``r``."""
    if form == GENERAL:
        p = fma(x, reals[r + 7], fma(y, reals[r + 11], fma(z, reals[r + 15], p)))
        x, y, z = (
            fma(x, reals[r + 4], fma(y, reals[r + 8], z * reals[r + 12])),
            fma(x, reals[r + 5], fma(y, reals[r + 9], z * reals[r + 13])),
            fma(x, reals[r + 6], fma(y, reals[r + 10], z * reals[r + 14])),
        )
    else:
        p = fma(z, reals[r + 4], fma(x, reals[r + 5], p))
        if form == QUARTER:
            y, z = z, -y
        elif form == DENAVIT:
            s, c = reals[r + 6], reals[r + 7]
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
        kept: (slots, 12, lanes) poses kept by ``keep_pose``.
        base, base_at, base_stride: Where the poses of the base are; none if the stride is negative.
        pose: Twelve vectors, the pose of the node before.
    """
    x0, y0, z0, p0, x1, y1, z1, p1, x2, y2, z2, p2 = pose
    lanes = width(motion)
    i, r, at = node * INTEGERS, node * REALS, 2 * node * lanes
    source = integers[i + SOURCE]
    form = integers[i + FORM]
    if source == BASE and base_stride < 0:
        x0, y0, z0, p0, x1, y1, z1, p1, x2, y2, z2, p2 = identity(motion)
        if form == GENERAL:
            x0, y0, z0, p0 = _splat4(reals, r + 4)
            x1, y1, z1, p1 = _splat4(reals, r + 8)
            x2, y2, z2, p2 = _splat4(reals, r + 12)
    else:
        if source == BASE:
            x0, y0, z0, p0, x1, y1, z1, p1, x2, y2, z2, p2 = read_pose(base, base_at, base_stride)
        elif source >= 0:
            from_ = source * 12 * lanes
            x0, y0, z0, p0 = _load4(kept, from_)
            x1, y1, z1, p1 = _load4(kept, from_ + 4 * lanes)
            x2, y2, z2, p2 = _load4(kept, from_ + 8 * lanes)
        x0, y0, z0, p0 = constant_row(form, reals, r, x0, y0, z0, p0)
        x1, y1, z1, p1 = constant_row(form, reals, r, x1, y1, z1, p1)
        x2, y2, z2, p2 = constant_row(form, reals, r, x2, y2, z2, p2)
    kind = integers[i + KIND]
    if kind == PRISMATIC:
        value = load(motion, at)
        p0, p1, p2 = fma(z0, value, p0), fma(z1, value, p1), fma(z2, value, p2)
    if integers[i + SHIFTED]:
        h = reals[r + 16]
        p0, p1, p2 = fma(z0, h, p0), fma(z1, h, p1), fma(z2, h, p2)
    if kind == REVOLUTE:
        s, c = load(motion, at), load(motion, at + lanes)
        x0, y0 = turn_row(x0, y0, s, c)
        x1, y1 = turn_row(x1, y1, s, c)
        x2, y2 = turn_row(x2, y2, s, c)
    elif integers[i + TURNED]:
        s, c = reals[r + 2], reals[r + 3]
        x0, y0 = turn_row(x0, y0, s, c)
        x1, y1 = turn_row(x1, y1, s, c)
        x2, y2 = turn_row(x2, y2, s, c)
    return x0, y0, z0, p0, x1, y1, z1, p1, x2, y2, z2, p2


@inline
def _splat4(reals, r):
    a, b, c, d = reals[r], reals[r + 1], reals[r + 2], reals[r + 3]
    return splat(reals, a), splat(reals, b), splat(reals, c), splat(reals, d)


@inline
def _load4(memory, at):
    lanes = width(memory)
    return load(memory, at), load(memory, at + lanes), load(memory, at + 2 * lanes), load(memory, at + 3 * lanes)


@inline
def keep_pose(integers, node, kept, pose):
    """Keep the pose of a node for a later branch, if the plan says so."""
    keep = integers[node * INTEGERS + KEEP]
    if keep >= 0:
        lanes = width(kept)
        at = keep * 12 * lanes
        for vector in pose:
            store(kept, at, vector)
            at += lanes


@inline
def identity(like):
    """The identity pose in lanes of the dtype of the memory ``like``."""
    zero, one = splat(like, 0.0), splat(like, 1.0)
    return one, zero, zero, zero, zero, one, zero, zero, zero, zero, one, zero


@inline
def store3(memory, at, a, b, c):
    """Write three vectors in a row."""
    lanes = width(memory)
    store(memory, at, a)
    store(memory, at + lanes, b)
    store(memory, at + 2 * lanes, c)


@inline
def load6(memory, at):
    """Six vectors in a row."""
    lanes = width(memory)
    a, b, c = load(memory, at), load(memory, at + lanes), load(memory, at + 2 * lanes)
    at += 3 * lanes
    return a, b, c, load(memory, at), load(memory, at + lanes), load(memory, at + 2 * lanes)


@inline
def cross_add(a0, a1, a2, b0, b1, b2, c0, c1, c2):
    """a x b + c."""
    return (
        fma(a1, b2, fma(-a2, b1, c0)),
        fma(a2, b0, fma(-a0, b2, c1)),
        fma(a0, b1, fma(-a1, b0, c2)),
    )
