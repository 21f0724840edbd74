"""Bases, projections and least steps beside NumPy's singular values."""

from __future__ import annotations

import numpy as np
from numba import njit

from diffkin.kernels.lists.null import damped_least, orthonormal, project, project_row, step_back
from diffkin.kernels.vectors.strict import W, load

ROWS, COUNT, COLUMNS = 8, 6, 9


@njit(error_model="numpy")
def run(jac, free, basis, lower, residual, y, step, v, row):
    orthonormal(jac, ROWS, COUNT, free, COLUMNS, basis, lower, y)
    step_back(basis, lower, COUNT, COLUMNS, residual, y, step)
    project(basis, COUNT, COLUMNS, v, 0, y)
    project_row(jac, ROWS, 7, free, basis, COUNT, COLUMNS, row, 0, y)


@njit(error_model="numpy")
def run_damped(within, residual, damping, normal, out):
    damped_least(within, COUNT, COLUMNS, residual, 2, load(damping, 0), normal, out)


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_steps_and_projections_are_those_of_the_pseudo_inverse():
    full = random(W, ROWS, COLUMNS)
    full[1, 2] = 2.0 * full[1, 0] - full[1, 1]  # says nothing new
    full[2, 3] = 0.0
    free = np.ones((COLUMNS, W))
    free[3, 0] = free[5, 2] = 0.0
    residual, v = random(W, ROWS, seed=1), random(W, COLUMNS, seed=2)
    residual[1, 2] = 2.0 * residual[1, 0] - residual[1, 1]
    residual[2, 3] = 0.0
    basis, lower = np.full((COUNT * COLUMNS, W), np.nan), np.full((COUNT * COUNT, W), np.nan)
    step, row, projected = np.zeros((COLUMNS, W)), np.zeros((COLUMNS, W)), v.T.copy()
    jac = np.ascontiguousarray(full.transpose(2, 1, 0).reshape(-1, W))
    run(jac, free, basis, lower, residual.T.copy(), np.zeros((COUNT, W)), step, projected, row)
    for l in range(W):
        active = full[l] * free[:, l]
        inverse = np.linalg.pinv(active[:COUNT], rcond=1e-10)
        null = np.eye(COLUMNS) - inverse @ active[:COUNT]
        np.testing.assert_allclose(step[:, l], inverse @ residual[l, :COUNT], atol=1e-12)
        np.testing.assert_allclose(projected[:, l], null @ v[l], atol=1e-14)
        np.testing.assert_allclose(row[:, l], null @ active[7], atol=1e-14)


def test_nearly_dependent_rows_stay_orthogonal():
    full = random(W, ROWS, COLUMNS)
    full[:, 1] = full[:, 0] + 1e-6 * full[:, 1]
    basis, lower = np.zeros((COUNT * COLUMNS, W)), np.zeros((COUNT * COUNT, W))
    jac = np.ascontiguousarray(full.transpose(2, 1, 0).reshape(-1, W))
    memory = [np.zeros((COLUMNS, W)) for _ in range(5)]
    run(jac, np.ones((COLUMNS, W)), basis, lower, *memory)
    for l in range(W):
        vectors = basis[:, l].reshape(COUNT, COLUMNS)
        np.testing.assert_allclose(vectors @ vectors.T, np.eye(COUNT), atol=1e-14)


def test_damped_least_squares():
    within, residual = random(W, COUNT, COLUMNS), random(W, ROWS, seed=1)
    damping = np.geomspace(1e-6, 1.0, W)[None]
    out = np.zeros((COLUMNS, W))
    rows = np.ascontiguousarray(within.reshape(W, -1).T)
    run_damped(rows, residual.T.copy(), damping, np.zeros((COLUMNS * COLUMNS, W)), out)
    for l in range(W):
        b = within[l]
        wanted = np.linalg.solve(b.T @ b + damping[0, l] * np.eye(COLUMNS), b.T @ residual[l, 2:])
        np.testing.assert_allclose(out[:, l], wanted, rtol=1e-8)
