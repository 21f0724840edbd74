"""Least squares with bounds on each variable by an active set, a problem at a time: ``motion.box_qp`` in factors."""

from __future__ import annotations

import math

import numpy as np

from diffkin.kernels.compiled import inline

__all__ = ["ROWS", "box_least_squares", "shortest"]

ROWS = 6
_TRIES = 8  # exchanges of all at once that may fail to help before they go one by one
_TOLERANCE = 1e-12
_STAYS = 2  # no side: -1 on the lower bound, 0 free, 1 on the upper


@inline
def box_least_squares(columns, given, weight, wanted, low, high, x, side, to, free, matrix, part):
    """Minimise ``|sum_i columns[i] x_i + given|^2 + sum_i weight_i (x_i - wanted_i)^2`` with ``low <= x <= high``.

    Block principal pivoting: guess which variables are on which bound, solve for the others, and exchange all that are
    wrong; where that does not make fewer of them wrong, the last one alone (Judice & Pires, Computers & Operations
    Research 21, 1994).

    Args:
        columns: (k, ROWS).
        given: (ROWS,)
        weight: (k,) above 0.
        wanted: (k,)
        low: (k,) finite or -inf.
        high: (k,) finite or inf, at least ``low``.
        x: (k,) output.
        side, to, free: (k,) memory for integers.
        matrix: (ROWS, ROWS) memory.
        part: (2, ROWS) memory.
    """
    count = x.shape[0]
    left = part[0]
    scale = 0.0
    for i in range(count):
        side[i] = -1 if low[i] == high[i] else 0
        square = weight[i]
        for r in range(ROWS):
            square += columns[i, r] ** 2
        scale = max(scale, square)
    best, tries = count + 1, _TRIES
    for _ in range(4 * 2 ** min(count, 20) + 64):
        number = np.int64(0)  # a literal would have ``_shorten`` compiled for literals as well
        for r in range(ROWS):
            left[r] = given[r]
        for i in range(count):
            if side[i] == 0:
                free[number] = i
                number += 1
                x[i] = wanted[i]
            else:
                x[i] = low[i] if side[i] < 0 else high[i]
            for r in range(ROWS):
                left[r] += columns[i, r] * x[i]
        _shorten(columns, weight, x, free, number, matrix, part)
        largest = 0.0
        for r in range(ROWS):
            left[r] = given[r]
        for i in range(count):
            largest = max(largest, abs(x[i]))
            for r in range(ROWS):
                left[r] += columns[i, r] * x[i]
        slack = _TOLERANCE * scale * (1.0 + largest)
        wrong, last = 0, -1
        for i in range(count):
            to[i] = _STAYS
            if side[i] == 0:
                room = _TOLERANCE * (1.0 + abs(x[i]))
                if x[i] < low[i] - room:
                    to[i] = -1
                elif x[i] > high[i] + room:
                    to[i] = 1
            elif low[i] != high[i]:
                slope = weight[i] * (x[i] - wanted[i])
                for r in range(ROWS):
                    slope += columns[i, r] * left[r]
                if (side[i] < 0 and slope < -slack) or (side[i] > 0 and slope > slack):
                    to[i] = 0
            if to[i] != _STAYS:
                wrong += 1
                last = i
        if wrong == 0:
            break
        if wrong < best:
            best, tries = wrong, _TRIES
        else:
            tries -= 1
        for i in range(count):
            if to[i] != _STAYS and (tries >= 0 or i == last):
                side[i] = to[i]
    for i in range(count):
        x[i] = min(max(x[i], low[i]), high[i])


@inline
def shortest(columns, given, weight, x, free, matrix, part):
    """Minimise the same without bounds and with nothing wanted."""
    for i in range(x.shape[0]):
        free[i] = i
        x[i] = 0.0
    for r in range(ROWS):
        part[0, r] = given[r]
    _shorten(columns, weight, x, free, x.shape[0], matrix, part)


@inline
def _shorten(columns, weight, x, free, number, matrix, part):
    """Add to ``number`` free variables what minimises ``|columns z + part[0]|^2 + sum weight z^2``.

    By the normal equations of the smaller side: ``(A^T A + D) z = -A^T b``, or ``z = -D^-1 A^T (A D^-1 A^T + I)^-1 b``.
    """
    left, vector = part[0], part[1]
    if number <= ROWS:
        for i in range(number):
            a = free[i]
            vector[i] = 0.0
            for r in range(ROWS):
                vector[i] -= columns[a, r] * left[r]
            for j in range(i + 1):
                b = free[j]
                total = weight[a] if i == j else 0.0
                for r in range(ROWS):
                    total += columns[a, r] * columns[b, r]
                matrix[i, j] = total
        _solve(matrix, vector, number)
        for i in range(number):
            x[free[i]] += vector[i]
    else:
        for r in range(ROWS):
            vector[r] = left[r]
            for s in range(r + 1):
                matrix[r, s] = 1.0 if r == s else 0.0
        for i in range(number):
            a = free[i]
            share = 1.0 / weight[a]
            for r in range(ROWS):
                scaled = share * columns[a, r]
                for s in range(r + 1):
                    matrix[r, s] += scaled * columns[a, s]
        _solve(matrix, vector, ROWS)
        for i in range(number):
            a = free[i]
            total = 0.0
            for r in range(ROWS):
                total += columns[a, r] * vector[r]
            x[a] -= total / weight[a]


@inline
def _solve(matrix, vector, count):
    """Solve in place for ``vector`` by Cholesky's factors of the lower half of a positive definite matrix."""
    for i in range(count):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            if i == j:
                matrix[i, i] = math.sqrt(max(total, np.finfo(np.float64).tiny))
            else:
                matrix[i, j] = total / matrix[j, j]
        for k in range(i):
            vector[i] -= matrix[i, k] * vector[k]
        vector[i] /= matrix[i, i]
    for back in range(count):
        i = count - 1 - back
        for k in range(i + 1, count):
            vector[i] -= matrix[k, i] * vector[k]
        vector[i] /= matrix[i, i]
