"""Geometric Jacobian of the fused kernel beside Pinocchio."""

from __future__ import annotations

import numpy as np
import pytest

from diffkin.kernels import threads
from diffkin.kernels.tree.jacobian import jacobian
from diffkin.kernels.tree.plan import make_plan
from tests.kernels.mechanisms import Oracle, batch, from_urdf, pose, random_mechanism

DTYPES = [np.float32, np.float64]
TOLERANCE = {np.float32: 1e-5, np.float64: 5e-14}


def _check(mechanism, frame, q, dtype, rng):
    plan, oracle = make_plan(mechanism, [frame], dtype), Oracle(mechanism)
    q = q.astype(dtype)
    points = rng.normal(size=(len(q), 3))
    for point in (None, points[0], points):
        for local in (False, True):
            got = jacobian(plan, q, None if point is None else point.astype(dtype), local)
            assert got.shape == (len(q), 6, mechanism.dof) and got.dtype == dtype
            for k, row in enumerate(q):
                p = np.zeros(3) if point is None else point if point.ndim == 1 else point[k]
                want = oracle.jacobian(row.astype(np.float64), frame, p, local)
                np.testing.assert_allclose(got[k], want, rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["iiwa", "panda"])
def test_robots_agree_with_pinocchio(name, dtype):
    mechanism = from_urdf(name)
    for frame in (0, 4, len(mechanism.frame_joint) - 1):
        _check(mechanism, frame, batch(mechanism, 9), dtype, np.random.default_rng(0))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(24))
def test_random_trees_agree_with_pinocchio(seed, dtype):
    mechanism = random_mechanism(seed, joints=[9, 4, 2][seed % 3])
    _check(mechanism, seed % 6, batch(mechanism, [1, 5, 11][seed % 3], seed), dtype, np.random.default_rng(seed))


@pytest.mark.parametrize("dtype", DTYPES)
def test_base_pose_turns_the_world_axes_and_not_the_local_ones(dtype):
    rng = np.random.default_rng(0)
    mechanism = random_mechanism(2)
    plan, q, point = (
        make_plan(mechanism, [1], dtype),
        batch(mechanism, 9).astype(dtype),
        rng.normal(size=3).astype(dtype),
    )
    bases = np.stack([pose(rng) for _ in q]).astype(dtype)
    for base in (bases[0], bases):
        R = base[..., :3, :3]
        plain, turned = jacobian(plan, q, point), jacobian(plan, q, point, base=base)
        want = np.concatenate([R @ plain[:, :3], R @ plain[:, 3:]], 1)
        np.testing.assert_allclose(turned, want, rtol=0, atol=TOLERANCE[dtype])
        local = jacobian(plan, q, point, local=True, base=base)
        np.testing.assert_allclose(local, jacobian(plan, q, point, local=True), rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_batch_place_or_threads(dtype):
    mechanism = random_mechanism(2)
    plan = make_plan(mechanism, [1], dtype)
    count = 3 * plan.grain + 5
    q, points = batch(mechanism, count).astype(dtype), np.random.default_rng(1).normal(size=(count, 3)).astype(dtype)
    before = threads.get_num_threads()
    try:
        threads.set_num_threads(1)
        whole = jacobian(plan, q, points, True)
        threads.set_num_threads(3)
        assert np.array_equal(jacobian(plan, q, points, True), whole)
    finally:
        threads.set_num_threads(before)
    for size in (1, 2, 7, 8, 9, 17):
        for start in (0, 1, 1000, count - size):
            part = slice(start, start + size)
            assert np.array_equal(jacobian(plan, q[part], points[part], True), whole[part])


def test_out_is_written_and_an_empty_batch_is_fine():
    mechanism = from_urdf("iiwa")
    plan, q = make_plan(mechanism, [5], np.float64), batch(mechanism, 5)
    out = np.full((5, 6, mechanism.dof), np.nan)
    assert jacobian(plan, q, out=out) is out
    assert np.array_equal(out, jacobian(plan, q))
    assert jacobian(plan, q[:0]).shape == (0, 6, mechanism.dof)
