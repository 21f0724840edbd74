"""The damped least-squares step for a stack of rows, in ``W`` lanes at once, in 3x3 blocks.

Levenberg-Marquardt in its dual form, ``J^T (J J^T + damping I)^-1 e``: the rows of a list of tasks are mostly fewer than
its coordinates. Rows come in threes; those that fill the last three up are zero.
"""

from __future__ import annotations

from diffkin.kernels.compiled import exact
from diffkin.kernels.ik.step import backward3, factor3, forward3, minus
from diffkin.kernels.lists.turns import dot3
from diffkin.kernels.vectors.strict import any_, fma, load, select, splat, store

__all__ = ["along", "damped_solve", "freeze"]


@exact
def along(jac, at, rows, v):
    """The column of the Jacobian that begins ``at`` times a vector of rows."""
    total = splat(0.0)
    for i in range(0, rows, 3):
        total = total + dot3(
            load(jac, at + i), load(jac, at + i + 1), load(jac, at + i + 2), load(v, i), load(v, i + 1), load(v, i + 2)
        )
    return total


@exact
def freeze(jac, rows, q, lower, upper, v):
    """Zero the columns of coordinates on a bound whose motion ``J^T v`` points outward; True if there were any."""
    changed = False
    for c in range(q.shape[0]):
        value = load(q, c)
        below, above = value <= lower[c], value >= upper[c]
        if any_(below | above):
            motion = along(jac, rows * c, rows, v)
            out = (below & (motion < 0.0)) | (above & (motion > 0.0))
            if any_(out):
                changed = True
                for i in range(rows * c, rows * c + rows):
                    store(jac, i, select(out, 0.0, load(jac, i)))
    return changed


@exact
def _products(jac, rows, damping, normal):
    """The lower blocks of ``J J^T + damping I``."""
    for a in range(0, rows, 3):
        for b in range(0, a + 3, 3):
            zero = splat(0.0)
            n00, n01, n02, n10, n11, n12, n20, n21, n22 = zero, zero, zero, zero, zero, zero, zero, zero, zero
            if a == b:
                n00, n11, n22 = damping, damping, damping
            for c in range(0, jac.shape[0], rows):
                x0, x1, x2 = load(jac, c + a), load(jac, c + a + 1), load(jac, c + a + 2)
                y0, y1, y2 = load(jac, c + b), load(jac, c + b + 1), load(jac, c + b + 2)
                n00, n01, n02 = fma(x0, y0, n00), fma(x0, y1, n01), fma(x0, y2, n02)
                n10, n11, n12 = fma(x1, y0, n10), fma(x1, y1, n11), fma(x1, y2, n12)
                n20, n21, n22 = fma(x2, y0, n20), fma(x2, y1, n21), fma(x2, y2, n22)
            at = _block(a // 3, b // 3)
            _put3(normal, at, n00, n01, n02)
            _put3(normal, at + 3, n10, n11, n12)
            _put3(normal, at + 6, n20, n21, n22)


@exact
def _block(i, j):
    return 9 * (i * (i + 1) // 2 + j)


@exact
def _put3(rows, at, a, b, c):
    store(rows, at, a)
    store(rows, at + 1, b)
    store(rows, at + 2, c)


@exact
def _take3(rows, at):
    return load(rows, at), load(rows, at + 1), load(rows, at + 2)


@exact
def _factor(normal, blocks, least, column):
    """L D L^T of the matrix in its own place: blocks of L below, in those on the diagonal the entries of L and 1/D."""
    for k in range(blocks):
        d = _block(k, k)
        l10, l20, l21, i0, i1, i2 = factor3(
            load(normal, d), load(normal, d + 3), load(normal, d + 4), load(normal, d + 6), load(normal, d + 7),
            load(normal, d + 8), least,
        )  # fmt: skip
        _put3(normal, d, i0, l10, l20)
        _put3(normal, d + 3, l21, i1, i2)
        for i in range(k + 1, blocks):
            at = _block(i, k)
            for row in range(0, 9, 3):
                a, b, c = _take3(normal, at + row)
                a, b, c = forward3(l10, l20, l21, a, b, c)
                _put3(column, 9 * i + row, a, b, c)  # times D
                _put3(normal, at + row, a * i0, b * i1, c * i2)
        for i in range(k + 1, blocks):
            for j in range(k + 1, i + 1):
                m = _block(j, k)
                a0, a1, a2 = _take3(normal, m)
                b0, b1, b2 = _take3(normal, m + 3)
                c0, c1, c2 = _take3(normal, m + 6)
                at = _block(i, j)
                for row in range(0, 9, 3):
                    x0, x1, x2 = _take3(column, 9 * i + row)
                    n0, n1, n2 = _take3(normal, at + row)
                    _put3(
                        normal, at + row,
                        minus(n0, x0, x1, x2, a0, a1, a2), minus(n1, x0, x1, x2, b0, b1, b2),
                        minus(n2, x0, x1, x2, c0, c1, c2),
                    )  # fmt: skip


@exact
def damped_solve(jac, rows, residual, damping, normal, column, y):
    """``y`` of ``(J J^T + damping I) y = residual``, so that ``J^T y`` is the damped least-squares step."""
    blocks = rows // 3
    _products(jac, rows, damping, normal)
    _factor(normal, blocks, damping, column)
    for k in range(blocks):
        d = _block(k, k)
        y0, y1, y2 = _take3(residual, 3 * k)
        for j in range(k):
            at = _block(k, j)
            z0, z1, z2 = _take3(y, 3 * j)
            y0 = minus(y0, load(normal, at), load(normal, at + 1), load(normal, at + 2), z0, z1, z2)
            y1 = minus(y1, load(normal, at + 3), load(normal, at + 4), load(normal, at + 5), z0, z1, z2)
            y2 = minus(y2, load(normal, at + 6), load(normal, at + 7), load(normal, at + 8), z0, z1, z2)
        y0, y1, y2 = forward3(load(normal, d + 1), load(normal, d + 2), load(normal, d + 3), y0, y1, y2)
        _put3(y, 3 * k, y0, y1, y2)
    for back in range(blocks):
        k = blocks - 1 - back
        d = _block(k, k)
        y0, y1, y2 = _take3(y, 3 * k)
        y0, y1, y2 = y0 * load(normal, d), y1 * load(normal, d + 4), y2 * load(normal, d + 5)
        for i in range(k + 1, blocks):
            at = _block(i, k)
            z0, z1, z2 = _take3(y, 3 * i)
            y0 = minus(y0, load(normal, at), load(normal, at + 3), load(normal, at + 6), z0, z1, z2)
            y1 = minus(y1, load(normal, at + 1), load(normal, at + 4), load(normal, at + 7), z0, z1, z2)
            y2 = minus(y2, load(normal, at + 2), load(normal, at + 5), load(normal, at + 8), z0, z1, z2)
        y0, y1, y2 = backward3(load(normal, d + 1), load(normal, d + 2), load(normal, d + 3), y0, y1, y2)
        _put3(y, 3 * k, y0, y1, y2)
