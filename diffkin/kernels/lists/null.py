"""Orthonormal rows, projection onto what they leave free, and the least step that meets them, in ``W`` lanes at once.

By Gram and Schmidt, each row twice (Giraud, Langou and Rozloznik 2005), which keeps them orthogonal to rounding; rows that
say nothing new are left out, in each lane by itself.
"""

from __future__ import annotations

from diffkin.kernels.compiled import exact
from diffkin.kernels.vectors.strict import fma, load, maximum, select, splat, sqrt, store

__all__ = ["damped_least", "orthonormal", "project", "project_row", "step_back"]

_DEPENDENT2 = 1e-16  # share of a row's square that must be new


@exact
def _take_off(basis, count, columns, v, at, parts, to):
    """Take from the vector in ``v`` from row ``at`` on its parts along the first ``count`` vectors of a basis.

    ``parts`` from row ``to`` on gets how much was taken. Four products at a time: one waits for itself.
    """
    whole = count - count % 4
    for j in range(0, whole, 4):
        b0, b1, b2, b3 = j * columns, (j + 1) * columns, (j + 2) * columns, (j + 3) * columns
        t0, t1, t2, t3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
        for c in range(columns):
            x = load(v, at + c)
            t0, t1 = fma(load(basis, b0 + c), x, t0), fma(load(basis, b1 + c), x, t1)
            t2, t3 = fma(load(basis, b2 + c), x, t2), fma(load(basis, b3 + c), x, t3)
        store(parts, to + j, t0)
        store(parts, to + j + 1, t1)
        store(parts, to + j + 2, t2)
        store(parts, to + j + 3, t3)
    for j in range(whole, count):
        total = splat(0.0)
        for c in range(columns):
            total = fma(load(basis, j * columns + c), load(v, at + c), total)
        store(parts, to + j, total)
    for c in range(columns):
        x = load(v, at + c)
        for j in range(count):
            x = fma(-1.0 * load(parts, to + j), load(basis, j * columns + c), x)
        store(v, at + c, x)


@exact
def project(basis, count, columns, v, at, parts):
    """Take from the vector in ``v`` from row ``at`` on what lies in the span of the first ``count`` vectors of a basis;
    ``parts`` (count,) is memory.
    """
    for _ in range(2):
        _take_off(basis, count, columns, v, at, parts, 0)


@exact
def project_row(jac, rows, i, free, basis, count, columns, out, at, parts):
    """Row ``i`` of a Jacobian by columns, over the free ones alone, less what lies in the span of the basis."""
    for c in range(columns):
        store(out, at + c, load(free, c) * load(jac, c * rows + i))
    project(basis, count, columns, out, at, parts)


@exact
def orthonormal(jac, rows, count, free, columns, basis, lower, parts):
    """An orthonormal basis of the first ``count`` rows of a Jacobian, over the free columns alone.

    Args:
        jac: (rows * columns,) the Jacobian by columns.
        rows: How many rows it has.
        count: How many of them.
        free: (columns,) 1 or 0.
        columns: How many.
        basis: (count * columns,) gets the vectors, zero where a row says nothing new.
        lower: (count * count,) gets what rows are made of: row i is ``sum_j lower[i, j] basis[j]``, its diagonal inverted
            and zero where nothing is new.
        parts: (count,) memory.
    """
    for i in range(count):
        a, l = i * columns, i * count
        before = splat(0.0)
        for c in range(columns):
            x = load(free, c) * load(jac, c * rows + i)
            store(basis, a + c, x)
            before = fma(x, x, before)
        _take_off(basis, i, columns, basis, a, lower, l)
        _take_off(basis, i, columns, basis, a, parts, 0)
        for j in range(i):
            store(lower, l + j, load(lower, l + j) + load(parts, j))
        size = splat(0.0)
        for c in range(columns):
            x = load(basis, a + c)
            size = fma(x, x, size)
        new = size > _DEPENDENT2 * before
        inverse = select(new, 1.0 / sqrt(select(new, size, splat(1.0))), splat(0.0))
        for c in range(columns):
            store(basis, a + c, inverse * load(basis, a + c))
        store(lower, l + i, inverse)


@exact
def step_back(basis, lower, count, columns, residual, y, out):
    """``out`` gets the least step that takes off the first ``count`` of the residuals, to first order."""
    for c in range(columns):
        store(out, c, splat(0.0))
    for i in range(count):
        left = load(residual, i)
        for j in range(i):
            left = fma(-1.0 * load(lower, i * count + j), load(y, j), left)
        left = left * load(lower, i * count + i)
        store(y, i, left)
        for c in range(columns):
            store(out, c, fma(left, load(basis, i * columns + c), load(out, c)))


@exact
def damped_least(within, count, columns, residual, begin, damping, normal, out):
    """``out`` gets z of ``(B^T B + damping I) z = B^T e``, by ``L D L^T``.

    Args:
        within: (count * columns,) B by rows.
        count: Its rows.
        columns: Its columns.
        residual: e, from row ``begin`` on.
        begin: See there.
        damping: Of each lane.
        normal: (columns * columns,) memory.
        out: (columns,)
    """
    for c in range(columns):
        total = splat(0.0)
        for i in range(count):
            total = fma(load(within, i * columns + c), load(residual, begin + i), total)
        store(out, c, total)
        whole = (c + 1) - (c + 1) % 4
        for d in range(0, whole, 4):
            t0, t1, t2, t3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
            for i in range(count):
                x, at = load(within, i * columns + c), i * columns + d
                t0, t1 = fma(load(within, at), x, t0), fma(load(within, at + 1), x, t1)
                t2, t3 = fma(load(within, at + 2), x, t2), fma(load(within, at + 3), x, t3)
            at = c * columns + d
            store(normal, at, t0)
            store(normal, at + 1, t1)
            store(normal, at + 2, t2)
            store(normal, at + 3, t3)
        for d in range(whole, c + 1):
            total = splat(0.0)
            for i in range(count):
                total = fma(load(within, i * columns + c), load(within, i * columns + d), total)
            store(normal, c * columns + d, total)
        store(normal, c * columns + c, load(normal, c * columns + c) + damping)
    for k in range(columns):
        inverse = 1.0 / maximum(load(normal, k * columns + k), damping)
        store(normal, k * columns + k, inverse)
        for i in range(k + 1, columns):
            share = -1.0 * (load(normal, i * columns + k) * inverse)
            for j in range(k + 1, i + 1):
                at = i * columns + j
                store(normal, at, fma(share, load(normal, j * columns + k), load(normal, at)))
        for i in range(k + 1, columns):
            at = i * columns + k
            share = load(normal, at) * inverse
            store(normal, at, share)
            store(out, i, fma(-1.0 * share, load(out, k), load(out, i)))
    for back in range(columns):
        k = columns - 1 - back
        total = load(out, k) * load(normal, k * columns + k)
        for i in range(k + 1, columns):
            total = fma(-1.0 * load(normal, i * columns + k), load(out, i), total)
        store(out, k, total)
