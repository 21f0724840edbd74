"""Rotation vectors and the turns between directions, against SciPy and closed forms."""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy.spatial.transform import Rotation

from diffkin.kernels.lists import turns
from diffkin.kernels.vectors.strict import W, load, store


@njit(error_model="numpy")
def run_logarithm(m, out):
    r = turns.logarithm(
        load(m, 0), load(m, 1), load(m, 2), load(m, 3), load(m, 4), load(m, 5), load(m, 6), load(m, 7), load(m, 8)
    )
    store(out, 0, r[0])
    store(out, 1, r[1])
    store(out, 2, r[2])


@njit(error_model="numpy")
def run_slope(t, rows, out):
    turns.slope_of_logarithm(load(t, 0), load(t, 1), load(t, 2), rows, 0, out, 0)


@njit(error_model="numpy")
def run_between(v, out, slope):
    g0, g1, g2, d0, d1, d2 = load(v, 0), load(v, 1), load(v, 2), load(v, 3), load(v, 4), load(v, 5)
    t0, t1, t2, angle = turns.turn_between(g0, g1, g2, d0, d1, d2)
    turns.slope_of_turn(g0, g1, g2, d0, d1, d2, angle, slope, 0)
    store(out, 0, t0)
    store(out, 1, t1)
    store(out, 2, t2)
    store(out, 3, angle)


def vectors(angles):
    axis = np.random.default_rng(0).normal(size=(len(angles), 3))
    return axis / np.linalg.norm(axis, axis=1, keepdims=True) * np.asarray(angles)[:, None]


def test_the_logarithm_at_all_angles():
    angles = [0.0, 1e-9, 1e-4, 0.3, 1.0, 2.0, 2.9, 2.95, 3.0, 3.1, np.pi - 1e-4, np.pi - 1e-7]
    given = vectors(angles)
    for start in range(0, len(given), W):
        m, out = Rotation.from_rotvec(given[start : start + W]).as_matrix().reshape(W, 9).T.copy(), np.zeros((3, W))
        run_logarithm(m, out)
        np.testing.assert_allclose(out.T, given[start : start + W], rtol=2e-13, atol=2e-15)


def test_the_slope_is_the_inverse_of_the_left_jacobian():
    t, rows, out = (
        vectors([1e-5, 0.5, 2.0, 3.1]).T.copy(),
        np.random.default_rng(1).normal(size=(9, W)),
        np.zeros((9, W)),
    )
    run_slope(t, rows, out)
    for l in range(W):
        v = t[:, l]
        angle, hat = np.linalg.norm(v), np.cross(v, np.eye(3)).T
        left = np.eye(3) + (1 - np.cos(angle)) / angle**2 * hat + (angle - np.sin(angle)) / angle**3 * hat @ hat
        np.testing.assert_allclose(out[:, l].reshape(3, 3), np.linalg.solve(left, rows[:, l].reshape(3, 3)), atol=1e-9)


def test_turns_between_directions():
    angles = [0.0, 1e-7, 0.4, 1.5, 2.5, 3.0, np.pi - 1e-5, np.pi]
    across = np.array([0.6, 0.0, 0.8]), np.array([0.0, 1.0, 0.0])
    for start in range(0, len(angles), W):
        some = angles[start : start + W]
        end = np.stack([across[0] * np.cos(a) + across[1] * np.sin(a) for a in some], axis=1)
        v, out, slope = np.concatenate((np.repeat(across[0][:, None], W, 1), end)), np.zeros((4, W)), np.zeros((9, W))
        if some[-1] == np.pi:
            v[3:, -1] = -across[0]
        run_between(v, out, slope)
        np.testing.assert_allclose(out[3], some, rtol=1e-10, atol=1e-15)
        np.testing.assert_allclose(np.linalg.norm(out[:3], axis=0), some, rtol=1e-10, atol=1e-15)
        for l in range(W):
            np.testing.assert_allclose(out[:3, l] @ v[3:, l], 0.0, atol=1e-10)
            if some[l] < np.pi:
                np.testing.assert_allclose(out[:3, l], some[l] * np.cross(*across), atol=1e-9)


def test_the_slope_of_a_turn_against_differences():
    rng = np.random.default_rng(2)
    v = rng.normal(size=(6, W))
    v[:3] /= np.linalg.norm(v[:3], axis=0)
    v[3:] /= np.linalg.norm(v[3:], axis=0)
    slope, out, ahead, behind = np.zeros((9, W)), np.zeros((4, W)), np.zeros((4, W)), np.zeros((4, W))
    run_between(v, out, slope)
    for i in range(3):
        turn = 1e-6 * np.eye(3)[i]
        for sign, there in ((1.0, ahead), (-1.0, behind)):
            moved = v.copy()
            moved[3:] = Rotation.from_rotvec(sign * turn).apply(v[3:].T).T
            run_between(moved, there, np.zeros((9, W)))
        np.testing.assert_allclose(slope.reshape(3, 3, W)[:, i], (ahead - behind)[:3] / 2e-6, rtol=1e-6, atol=1e-8)
