"""The damped step for a stack of rows, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from diffkin.kernels.lists.solve import along, damped_solve, freeze
from diffkin.kernels.vectors.strict import W, load, store


@njit(error_model="numpy")
def run_solve(jac, rows, residual, damping, normal, column, y, step):
    damped_solve(jac, rows, residual, load(damping, 0), normal, column, y)
    for c in range(step.shape[0]):
        store(step, c, along(jac, rows * c, rows, y))


@njit
def run_freeze(jac, rows, q, lower, upper, v):
    return freeze(jac, rows, q, lower, upper, v)


@pytest.mark.parametrize(("rows", "columns"), [(3, 1), (3, 7), (6, 7), (9, 7), (12, 15), (27, 38)])
@pytest.mark.parametrize("damping", [1e-9, 1e-2])
def test_the_damped_step(rows, columns, damping):
    rng = np.random.default_rng(rows + columns)
    jac, residual = rng.normal(size=(rows * columns, W)), rng.normal(size=(rows, W))
    if rows > columns:  # within reach: what is out of it the damping alone holds back
        residual = np.einsum("crl,cl->rl", jac.reshape(columns, rows, W), rng.normal(size=(columns, W)))
    blocks = rows // 3
    normal, column, y = np.zeros((9 * blocks * (blocks + 1) // 2, W)), np.zeros((9 * blocks, W)), np.zeros((rows, W))
    step, dampings = np.zeros((columns, W)), damping * np.array([[1.0, 2.0, 4.0, 8.0]])
    run_solve(jac, rows, residual, dampings, normal, column, y, step)
    for l in range(W):
        j = jac[:, l].reshape(columns, rows).T
        stacked = np.concatenate((j, np.sqrt(dampings[0, l]) * np.eye(columns)))
        expected = np.linalg.lstsq(stacked, np.concatenate((residual[:, l], np.zeros(columns))), rcond=None)[0]
        np.testing.assert_allclose(step[:, l], expected, rtol=1e-7, atol=1e-6 if rows > columns else 1e-9)


def test_columns_on_a_bound_that_are_pushed_outward():
    rows = 6
    jac, v = np.ones((3 * rows, W)), np.ones((rows, W))
    v[:, 1] = -1.0
    q, lower, upper = np.zeros((3, W)), np.array([-1.0, 0.0, -1.0]), np.array([1.0, 1.0, 0.0])
    assert run_freeze(jac, rows, q, lower, upper, v)
    left = jac.reshape(3, rows, W)
    assert left[:, :, 0].any(axis=1).tolist() == [True, True, False]
    assert left[:, :, 1].any(axis=1).tolist() == [True, False, True]
    assert not run_freeze(jac, rows, np.full((3, W), 0.5), lower, np.ones(3), v)
