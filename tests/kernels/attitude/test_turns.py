"""Quaternions, rotation vectors and matrices in lanes, beside SciPy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from diffkin.kernels.attitude.turns import (
    apply,
    apply_transposed,
    cross,
    dot,
    exponential,
    multiply,
    right_jacobian_transposed,
    rotate,
    rotate_back,
)
from diffkin.kernels.compiled import kernel
from diffkin.kernels.vectors.wide import load, store, width
from tests.kernels.vectors.test_arithmetic import FAMILIES

LANES = {dtype: count for family, dtype, count in FAMILIES if family.__name__.endswith("wide")}
DTYPES = list(LANES)


@kernel
def _vectors(a, b, m, out):
    x, y, z = load(a, 0), load(a, 1), load(a, 2)
    u, v, w = load(b, 0), load(b, 1), load(b, 2)
    store(out, 0, dot(x, y, z, u, v, w))
    c = cross(x, y, z, u, v, w)
    d = apply(m, 1, x, y, z)
    e = apply_transposed(m, 1, x, y, z)
    for k in range(3):
        store(out, 1 + k, c[k])
        store(out, 4 + k, d[k])
        store(out, 7 + k, e[k])
    return width(a)


@pytest.mark.parametrize("dtype", DTYPES)
def test_vectors_and_matrices(dtype):
    count, eps = LANES[dtype], np.finfo(dtype).eps
    rng = np.random.default_rng(0)
    a, b, m = (rng.normal(size=(rows, count)).astype(dtype) for rows in (3, 3, 10))
    out = np.empty((10, count), dtype)
    assert _vectors(a, b, m, out) == count
    x, y, M = a.T.astype(float), b.T.astype(float), m[1:].T.reshape(-1, 3, 3).astype(float)
    np.testing.assert_allclose(out[0], (x * y).sum(1), rtol=0, atol=30 * eps)
    np.testing.assert_allclose(out[1:4].T, np.cross(x, y), rtol=0, atol=30 * eps)
    np.testing.assert_allclose(out[4:7].T, np.einsum("kij,kj->ki", M, x), rtol=0, atol=60 * eps)
    np.testing.assert_allclose(out[7:].T, np.einsum("kji,kj->ki", M, x), rtol=0, atol=60 * eps)


@kernel
def _quaternions(p, q, v, out):
    a = multiply(load(p, 0), load(p, 1), load(p, 2), load(p, 3), load(q, 0), load(q, 1), load(q, 2), load(q, 3))
    b = rotate(load(p, 0), load(p, 1), load(p, 2), load(p, 3), load(v, 0), load(v, 1), load(v, 2))
    c = rotate_back(load(p, 0), load(p, 1), load(p, 2), load(p, 3), load(v, 0), load(v, 1), load(v, 2))
    for k in range(4):
        store(out, k, a[k])
    for k in range(3):
        store(out, 4 + k, b[k])
        store(out, 7 + k, c[k])


@pytest.mark.parametrize("dtype", DTYPES)
def test_quaternions(dtype):
    count, eps = LANES[dtype], np.finfo(dtype).eps
    first, second = Rotation.random(count, random_state=0), Rotation.random(count, random_state=1)
    v = np.random.default_rng(0).normal(size=(3, count)).astype(dtype)
    p, q = (np.ascontiguousarray(one.as_quat().T, dtype) for one in (first, second))
    out = np.empty((10, count), dtype)
    _quaternions(p, q, v, out)
    between = Rotation.from_quat(out[:4].T) * (first * second).inv()
    assert between.magnitude().max() < 20 * eps
    np.testing.assert_allclose(np.linalg.norm(out[:4], axis=0), 1, rtol=8 * eps)
    np.testing.assert_allclose(out[4:7].T, first.apply(v.T), rtol=0, atol=40 * eps)
    np.testing.assert_allclose(out[7:].T, first.inv().apply(v.T), rtol=0, atol=40 * eps)


@kernel
def _exponentials(v, g, out):
    for block in range(v.shape[0]):
        q = exponential(load(v[block], 0), load(v[block], 1), load(v[block], 2))
        j = right_jacobian_transposed(
            load(v[block], 0), load(v[block], 1), load(v[block], 2), load(g, 0), load(g, 1), load(g, 2)
        )
        for k in range(4):
            store(out[block], k, q[k])
        for k in range(3):
            store(out[block], 4 + k, j[k])


def _right_jacobian(v):
    """``I - (1 - cos t)/t^2 hat(v) + (t - sin t)/t^3 hat(v)^2`` in extended precision."""
    v = v.astype(np.longdouble)
    t = np.sqrt((v * v).sum())
    a = 2 * (np.sin(t / 2) / t) ** 2
    b = (t - np.sin(t)) / t**3 if t > 1e-3 else 1 / np.longdouble(6) - t * t / 120
    x, y, z = v
    hat = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) - a * hat + b * hat @ hat


@pytest.mark.parametrize("dtype", DTYPES)
def test_exponential_and_its_jacobian_at_every_angle(dtype):
    count, eps = LANES[dtype], np.finfo(dtype).eps
    rng = np.random.default_rng(0)
    angles = np.concatenate([[1e-12, 1e-7, 1e-3, 0.499, 0.501], rng.uniform(0, 1, 100), rng.uniform(1, 40, 59)])
    angles = rng.permutation(np.resize(angles, (6 * count,))).reshape(6, 1, count)
    axes = rng.normal(size=(6, 3, count))
    v = (angles * axes / np.linalg.norm(axes, axis=1, keepdims=True)).astype(dtype)
    g = rng.normal(size=(3, count)).astype(dtype)
    out = np.empty((6, 7, count), dtype)
    _exponentials(v, g, out)
    for block in range(6):
        turns = Rotation.from_rotvec(v[block].T.astype(float)).as_quat()
        found = out[block, :4].T.astype(float)
        found *= np.sign((found * turns).sum(1, keepdims=True))
        bound = 4 * eps * (1 + angles[block, 0])
        assert (np.abs(found - turns).max(1) < bound).all()
        for k in range(count):
            want = _right_jacobian(v[block, :, k]).T @ g[:, k]
            assert np.abs(out[block, 4:, k] - want).max() < 4 * bound[k]
