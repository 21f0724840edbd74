"""Orthonormal rows, projection onto what they leave free, and the least step that meets them, in ``W`` lanes at once.

By Gram and Schmidt, each row twice (Giraud, Langou and Rozloznik, 2005), which keeps them orthogonal to rounding; rows that
say nothing new are left out, in each lane by itself.
"""

from __future__ import annotations

from diffkin.kernels.compiled import exact
from diffkin.kernels.vectors.strict import fma, load, maximum, select, splat, sqrt, store

__all__ = ["damped_least", "orthonormal", "project", "project_row", "step_back"]

_DEPENDENT2 = 1e-16  # share of a row's square that must be new


@exact
def project(basis, count, columns, v, at):
    """Take from the vector in ``v`` from row ``at`` on what lies in the span of the first ``count`` vectors of a basis."""
    for _ in range(2):
        for j in range(count):
            b = j * columns
            total = splat(0.0)
            for c in range(columns):
                total = fma(load(basis, b + c), load(v, at + c), total)
            for c in range(columns):
                store(v, at + c, fma(-1.0 * total, load(basis, b + c), load(v, at + c)))


@exact
def project_row(jac, rows, i, free, basis, count, columns, out, at):
    """Row ``i`` of a Jacobian by columns, over the free ones alone, less what lies in the span of the basis."""
    for c in range(columns):
        store(out, at + c, load(free, c) * load(jac, c * rows + i))
    project(basis, count, columns, out, at)


@exact
def orthonormal(jac, rows, count, free, columns, basis, lower):
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
    """
    for i in range(count):
        a, l = i * columns, i * count
        before = splat(0.0)
        for c in range(columns):
            x = load(free, c) * load(jac, c * rows + i)
            store(basis, a + c, x)
            before = fma(x, x, before)
        for j in range(i):
            store(lower, l + j, splat(0.0))
        for _ in range(2):
            for j in range(i):
                b = j * columns
                total = splat(0.0)
                for c in range(columns):
                    total = fma(load(basis, b + c), load(basis, a + c), total)
                for c in range(columns):
                    store(basis, a + c, fma(-1.0 * total, load(basis, b + c), load(basis, a + c)))
                store(lower, l + j, load(lower, l + j) + total)
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
        for d in range(c + 1):
            total = damping if c == d else splat(0.0)
            for i in range(count):
                total = fma(load(within, i * columns + c), load(within, i * columns + d), total)
            store(normal, c * columns + d, total)
    for k in range(columns):
        inverse = 1.0 / maximum(load(normal, k * columns + k), damping)
        store(normal, k * columns + k, inverse)
        for i in range(k + 1, columns):
            share = load(normal, i * columns + k) * inverse
            for j in range(k + 1, i + 1):
                at = i * columns + j
                store(normal, at, fma(-1.0 * share, load(normal, j * columns + k), load(normal, at)))
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
