"""Least squares within bounds against SciPy's bounded least squares and the conditions of a minimum."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from diffkin.kernels.servo.box import ROWS, box_least_squares, shortest


def memory(count):
    whole = np.empty((3, count), np.int64)
    return *whole, np.empty((ROWS, ROWS)), np.empty((2, ROWS))


def solve(columns, given, weight, wanted, low, high):
    x = np.full(len(columns), np.nan)
    box_least_squares(columns, given, weight, wanted, low, high, x, *memory(len(columns)))
    return x


def program(count, seed, weight):
    rng = np.random.default_rng(seed)
    columns, given = rng.normal(size=(count, ROWS)), 3.0 * rng.normal(size=ROWS)
    low, high = -rng.uniform(size=count), rng.uniform(size=count)
    shut = rng.uniform(size=count) < 0.1
    return columns, given, np.full(count, weight), rng.normal(size=count), low, np.where(shut, low, high)


@pytest.mark.parametrize("count", [1, 3, 6, 7, 12])
@pytest.mark.parametrize("weight", [1e-2, 1.0])
def test_equal_to_scipy(count, weight):
    for seed in range(12):
        columns, given, weights, wanted, low, high = program(count, seed, weight)
        x = solve(columns, given, weights, wanted, low, high)
        assert ((x >= low) & (x <= high)).all()
        matrix = np.vstack([columns.T, np.diag(np.sqrt(weights))])
        right = np.concatenate([-given, np.sqrt(weights) * wanted])
        shut = low == high  # lsq_linear wants room
        right = right - matrix[:, shut] @ low[shut]
        if shut.all():
            continue
        peer = lsq_linear(matrix[:, ~shut], right, (low[~shut], high[~shut]), method="bvls", tol=1e-14)
        np.testing.assert_allclose(x[~shut], peer.x, atol=1e-9)


@pytest.mark.parametrize("count", [4, 9])
def test_no_bounds_is_the_pseudo_inverse_where_weights_vanish(count):
    columns, given, _, _, low, _ = program(count, 3, 1.0)
    open_ = np.full(count, np.inf)
    x = solve(columns, given, np.full(count, 1e-12), np.zeros(count), -open_, open_)
    expected = -np.linalg.pinv(columns.T) @ given
    np.testing.assert_allclose(x, expected, atol=1e-10)
    again = np.empty(count)
    _, _, free, matrix, part = memory(count)
    shortest(columns, given, np.full(count, 1e-12), again, free, matrix, part)
    np.testing.assert_allclose(again, expected, atol=1e-10)


def test_columns_that_are_alike_or_zero():
    columns = np.zeros((5, ROWS))
    columns[1] = columns[3] = [1.0, 0.0, 2.0, 0.0, 0.0, 1.0]
    low, high = np.array([0.1, -1.0, -1.0, -1.0, -1.0]), np.array([0.5, 0.2, 1.0, 1.0, 1.0])
    x = solve(columns, -columns[1], np.full(5, 1e-9), np.zeros(5), low, high)
    np.testing.assert_allclose(x, [0.1, 0.2, 0.0, 0.8, 0.0], atol=1e-8)
