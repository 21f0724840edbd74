"""Poses of the fused kernel beside Pinocchio; one problem gives the same bits wherever it stands."""

from __future__ import annotations

import numpy as np
import pytest

from diffkin.kernels import threads
from diffkin.kernels.tree.forward import forward
from diffkin.kernels.tree.plan import make_plan
from tests.kernels.mechanisms import Oracle, batch, from_urdf, plain_poses, pose, random_mechanism

DTYPES = [np.float32, np.float64]
TOLERANCE = {np.float32: 3e-6, np.float64: 2e-14}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["iiwa", "panda"])
def test_robots_agree_with_pinocchio(name, dtype):
    mechanism = from_urdf(name)
    oracle, q = Oracle(mechanism), batch(mechanism, 37).astype(dtype)
    every = list(range(len(mechanism.frame_joint)))
    for frames in (every, [every[-1]], [3, 0, 3]):
        got = forward(make_plan(mechanism, frames, dtype), q)
        assert got.shape == (37, len(frames), 4, 4) and got.dtype == dtype
        want = np.stack([oracle.poses(row.astype(np.float64), frames) for row in q])
        np.testing.assert_allclose(got, want, rtol=0, atol=TOLERANCE[dtype] / 3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(24))
def test_random_trees_agree_with_pinocchio(seed, dtype):
    mechanism = random_mechanism(seed)
    frames = [[0, 1, 2, 3, 4, 5], [0], [5, 2, 2]][seed % 3]
    q = batch(mechanism, [1, 5, 8, 19][seed % 4], seed).astype(dtype)
    got = forward(make_plan(mechanism, frames, dtype), q)
    want = np.stack([Oracle(mechanism).poses(row.astype(np.float64), frames) for row in q])
    np.testing.assert_allclose(got, want, rtol=0, atol=TOLERANCE[dtype])
    assert np.array_equal(got[:, :, 3], np.broadcast_to([0, 0, 0, 1], got[:, :, 3].shape))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(6))
def test_base_pose_is_any_matrix_on_the_left(seed, dtype):
    rng = np.random.default_rng(seed)
    mechanism, frames = random_mechanism(seed), [0, 3, 4]
    q = batch(mechanism, 11, seed).astype(dtype)
    plan = make_plan(mechanism, frames, dtype)
    one = pose(rng)
    one[:3, :3] += 0.1 * rng.normal(size=(3, 3))
    many = np.stack([pose(rng) for _ in q])
    for base in (one, many):
        got = forward(plan, q, base.astype(dtype))
        for k in range(len(q)):
            want = plain_poses(mechanism, q[k].astype(np.float64), frames, base if base.ndim == 2 else base[k])
            np.testing.assert_allclose(got[k], want, rtol=0, atol=2 * TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", [1, 2])
def test_bits_do_not_depend_on_batch_place_or_threads(seed, dtype):
    mechanism = random_mechanism(seed)
    plan = make_plan(mechanism, [0, 1, 5], dtype)
    count = 3 * plan.grain + 5
    q = batch(mechanism, count, scale=20.0).astype(dtype)
    base = np.stack([pose(np.random.default_rng(k % 50)) for k in range(count)]).astype(dtype)
    before = threads.get_num_threads()
    try:
        threads.set_num_threads(1)
        whole = forward(plan, q, base)
        for number in (2, 3):
            threads.set_num_threads(number)
            assert np.array_equal(forward(plan, q, base), whole)
    finally:
        threads.set_num_threads(before)
    for size in (1, 2, 7, 8, 9, 15, 17, 33):
        for start in (0, 1, 1000, count - size):
            part = slice(start, start + size)
            assert np.array_equal(forward(plan, q[part], base[part]), whole[part])
    order = np.random.default_rng(0).permutation(count)
    assert np.array_equal(forward(plan, q[order], base[order]), whole[order])


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_and_infinity_stay_in_their_problem(dtype):
    mechanism = from_urdf("iiwa")
    plan = make_plan(mechanism, [len(mechanism.frame_joint) - 1], dtype)
    q = batch(mechanism, 20).astype(dtype)
    clean = forward(plan, q)
    q[3, 2], q[11, 0], q[19, 4] = np.nan, np.inf, -np.inf
    got = forward(plan, q)
    for k in range(20):
        if k in (3, 11, 19):
            assert np.isnan(got[k, 0, :3]).any()
        else:
            assert np.array_equal(got[k], clean[k])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [1e4, 1e8])
def test_large_angles(scale, dtype):
    mechanism = from_urdf("panda")
    frames = [len(mechanism.frame_joint) - 1]
    q = batch(mechanism, 9, scale=scale).astype(dtype)
    q[:, mechanism.kind == 1] *= dtype(1 / scale)
    got = forward(make_plan(mechanism, frames, dtype), q)
    want = np.stack([plain_poses(mechanism, row.astype(np.longdouble), frames) for row in q])
    np.testing.assert_allclose(got, want.astype(np.float64), rtol=0, atol=TOLERANCE[dtype])


def test_out_is_written_and_empty_batches_and_frames_are_fine():
    mechanism = from_urdf("iiwa")
    plan = make_plan(mechanism, [2], np.float64)
    q = batch(mechanism, 5)
    out = np.full((5, 1, 4, 4), np.nan)
    assert forward(plan, q, out=out) is out
    assert np.array_equal(out, forward(plan, q))
    assert forward(plan, q[:0]).shape == (0, 1, 4, 4)
    assert forward(make_plan(mechanism, [], np.float64), q).shape == (5, 0, 4, 4)


def test_many_joints():
    mechanism = random_mechanism(4, joints=70, frames=4)
    q = batch(mechanism, 10)
    got = forward(make_plan(mechanism, [0, 1, 2, 3], np.float64), q)
    want = np.stack([Oracle(mechanism).poses(row, [0, 1, 2, 3]) for row in q])
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)
