"""Wahba's problem by the kernel: SciPy's answer, what it leaves to the careful path, one problem like among many."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from diffkin.kernels.attitude.wahba import solve


def _problems(count: int, vectors: int, noise: float, seed: int = 0):
    rng = np.random.default_rng(seed)
    turns = Rotation.random(count, random_state=seed).as_matrix()
    reference = rng.normal(size=(count, vectors, 3))
    body = np.einsum("kji,knj->kni", turns, reference) + noise * rng.normal(size=(count, vectors, 3))
    return body, reference, rng.uniform(0.1, 2.0, (count, vectors)), turns


def _solve(body, reference, weights):
    count = len(body)
    out, poor = np.full((count, 3, 3), np.nan), np.zeros(count, np.uint8)
    solve(body, reference, weights, 64 * np.finfo(float).eps, out, poor, 0, count)
    return out, poor.astype(bool)


def _unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.mark.parametrize("vectors", [2, 3, 8])
@pytest.mark.parametrize("noise", [0.0, 1e-3, 0.05])
def test_answer_is_scipys(vectors, noise):
    body, reference, weights, turns = _problems(200, vectors, noise)
    out, poor = _solve(body, reference, weights)
    assert poor.sum() <= 2
    assert (~poor).sum() >= 198
    for k in np.flatnonzero(~poor):
        want, _ = Rotation.align_vectors(_unit(reference[k]), _unit(body[k]), weights=weights[k])
        np.testing.assert_allclose(out[k], want.as_matrix(), rtol=0, atol=1e-11)
        if noise == 0:
            np.testing.assert_allclose(out[k], turns[k], rtol=0, atol=1e-11)


def test_half_turns_and_the_identity():
    reference = np.random.default_rng(0).normal(size=(4, 5, 3))
    turns = np.stack([np.eye(3), *(np.diag(2.0 * axis - 1) for axis in np.eye(3))])
    out, poor = _solve(np.einsum("kji,knj->kni", turns, reference), reference, np.ones((4, 5)))
    assert not poor.any()
    np.testing.assert_allclose(out, turns, rtol=0, atol=1e-14)


def test_what_it_cannot_answer_it_leaves():
    body, reference, weights, _ = _problems(8, 3, 0.0)
    weights[0] = 0.0
    weights[1, 0] = -1.0
    weights[2, 1] = np.nan
    body[3, 0] = 0.0
    reference[4, 2, 1] = np.inf
    body[5], reference[5] = body[5, :1], reference[5, :1]  # parallel: nothing fixes the turn about them
    body[6] *= 1e-150
    out, poor = _solve(body, reference, weights)
    assert poor.tolist() == [True] * 7 + [False]
    assert np.isnan(out[:7]).all()
    assert np.isfinite(out[7]).all()


def test_a_vector_without_weight_counts_for_nothing():
    body, reference, weights, _ = _problems(5, 4, 0.01)
    weights[:, 3] = 0.0
    out, poor = _solve(body, reference, weights)
    assert not poor.any()
    body[:, 3], reference[:, 3] = 7.0, -3.0
    assert np.array_equal(_solve(body, reference, weights)[0], out)


def test_bits_do_not_depend_on_the_batch():
    body, reference, weights, _ = _problems(50, 4, 0.02)
    whole, poor = _solve(body, reference, weights)
    assert not poor.any()
    for k in (0, 7, 31, 49):
        part = slice(k, k + 1)
        assert np.array_equal(_solve(body[part].copy(), reference[part].copy(), weights[part].copy())[0][0], whole[k])
