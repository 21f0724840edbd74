"""Vector-Jacobian product of the fused kernel beside complex-step derivatives of the plain formulas."""

from __future__ import annotations

import numpy as np
import pytest

from diffkin.kernels import threads
from diffkin.kernels.tree.backward import backward
from diffkin.kernels.tree.plan import make_plan
from tests.kernels.mechanisms import batch, from_urdf, plain_poses, pose, random_mechanism

DTYPES = [np.float32, np.float64]
TOLERANCE = {np.float32: 3e-5, np.float64: 1e-13}


def _complex_step(mechanism, q, frames, grad, base=None):
    """sum_ij grad_ij dT_ij/dq_c for every coordinate c; exact to rounding."""
    result = np.zeros(mechanism.dof)
    for c in range(mechanism.dof):
        moved = q.astype(complex)
        moved[c] += 1e-40j
        slope = plain_poses(mechanism, moved, frames, base).imag / 1e-40
        result[c] = (slope[:, :3] * grad[:, :3]).sum()
    return result


def _check(mechanism, frames, q, dtype, rng, base=None):
    q = q.astype(dtype)
    grad = rng.normal(size=(len(q), len(frames), 4, 4)).astype(dtype)
    got = backward(make_plan(mechanism, frames, dtype), q, grad, None if base is None else base.astype(dtype))
    assert got.shape == q.shape and got.dtype == dtype
    for k, row in enumerate(q):
        one = base if base is None or base.ndim == 2 else base[k]
        want = _complex_step(mechanism, row.astype(np.float64), frames, grad[k].astype(np.float64), one)
        np.testing.assert_allclose(got[k], want, rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["iiwa", "panda"])
def test_robots(name, dtype):
    mechanism = from_urdf(name)
    every = list(range(len(mechanism.frame_joint)))
    for frames in (every, every[-1:]):
        _check(mechanism, frames, batch(mechanism, 5), dtype, np.random.default_rng(0))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(24))
def test_random_trees(seed, dtype):
    mechanism = random_mechanism(seed, joints=[9, 9, 4][seed % 3])
    frames = [[0, 1, 2, 3, 4, 5], [0], [5, 2, 2], [4]][seed % 4]
    _check(mechanism, frames, batch(mechanism, [1, 4, 9][seed % 3], seed), dtype, np.random.default_rng(seed))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(4))
def test_any_matrix_as_base(seed, dtype):
    rng = np.random.default_rng(seed)
    mechanism = random_mechanism(seed)
    q = batch(mechanism, 9, seed)
    bases = np.stack([pose(rng) for _ in q])
    bases[:, :3, :3] += 0.2 * rng.normal(size=(len(q), 3, 3))
    for base in (bases[0], bases):
        _check(mechanism, [0, 3], q, dtype, rng, base.astype(dtype).astype(np.float64))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 3, 8, 37, 5000])
def test_one_seed_for_all(count, dtype):
    mechanism = random_mechanism(2)
    plan, q = make_plan(mechanism, [0, 3], dtype), batch(mechanism, count, 2).astype(dtype)
    seed = np.random.default_rng(2).normal(size=(1, 2, 4, 4)).astype(dtype)
    written_out = np.ascontiguousarray(np.broadcast_to(seed, (count, 2, 4, 4)))
    for base in (None, np.stack([pose(np.random.default_rng(k)) for k in range(count)]).astype(dtype)):
        assert np.array_equal(backward(plan, q, seed, base), backward(plan, q, written_out, base))


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_batch_place_or_threads(dtype):
    mechanism = random_mechanism(1)
    plan = make_plan(mechanism, [0, 1, 5], dtype)
    count = 3 * plan.grain + 5
    q = batch(mechanism, count).astype(dtype)
    grad = np.random.default_rng(1).normal(size=(count, 3, 4, 4)).astype(dtype)
    before = threads.get_num_threads()
    try:
        threads.set_num_threads(1)
        whole = backward(plan, q, grad)
        threads.set_num_threads(3)
        assert np.array_equal(backward(plan, q, grad), whole)
    finally:
        threads.set_num_threads(before)
    for size in (1, 2, 7, 8, 9, 17):
        for start in (0, 1, 1000, count - size):
            part = slice(start, start + size)
            assert np.array_equal(backward(plan, q[part], grad[part]), whole[part])


def test_out_is_written_and_an_empty_batch_is_fine():
    mechanism = from_urdf("iiwa")
    plan, q = make_plan(mechanism, [5], np.float64), batch(mechanism, 5)
    grad, out = np.ones((5, 1, 4, 4)), np.full((5, mechanism.dof), np.nan)
    assert backward(plan, q, grad, out=out) is out
    assert np.array_equal(out, backward(plan, q, grad))
    assert backward(plan, q[:0], grad[:0]).shape == (0, mechanism.dof)
