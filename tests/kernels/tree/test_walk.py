"""The pieces of a walk along a plan, each by itself, beside NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from diffkin.kernels.compiled import kernel
from diffkin.kernels.tree.block import AXIS, MOTION, POSE
from diffkin.kernels.tree.mechanism import PRISMATIC, REVOLUTE
from diffkin.kernels.tree.plan import (
    BASE,
    COORDINATE,
    HAS_TURN,
    KIND,
    MULTIPLIER,
    OFFSET,
    OUTPUT,
    PREVIOUS,
    QUARTERS,
    SOURCE,
    TURN_COSINE,
    TURN_SINE,
    make_plan,
)
from diffkin.kernels.tree.walk import (
    advance,
    cross_add,
    identity,
    keep_pose,
    load6,
    motions,
    pull,
    read_pose,
    store3,
)
from diffkin.kernels.vectors.lanes import VECTOR_BYTES, load, pointer, scratch, store, width
from diffkin.kernels.vectors.sines import sincos_table
from tests.kernels.mechanisms import batch, plain_poses, pose, random_mechanism

DTYPES = [np.float32, np.float64]


def lanes_of(dtype):
    return VECTOR_BYTES // np.dtype(dtype).itemsize


@kernel
def _motions(integers, reals, q, motion):
    columns = scratch(q, q.shape[1] * width(q))
    nodes = integers.shape[0]
    motions(
        pointer(integers), pointer(reals), nodes, pointer(q), 0, q.shape[1], sincos_table(q), columns, pointer(motion)
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(6))
def test_motions_are_sine_and_cosine_or_the_shift(seed, dtype):
    mechanism = random_mechanism(seed)
    plan = make_plan(mechanism, [0, 1, 2, 3], dtype)
    count = lanes_of(dtype)
    q = batch(mechanism, count, seed).astype(dtype)
    motion = np.full((len(plan.integers), MOTION, count), np.nan, dtype)
    _motions(plan.integers, plan.reals, q, motion)
    moving = 0
    for row, reals, got in zip(plan.integers, plan.reals.astype(float), motion, strict=True):
        if row[KIND] not in (REVOLUTE, PRISMATIC):
            assert np.isnan(got).all()
            continue
        moving += 1
        value = reals[MULTIPLIER] * q[:, row[COORDINATE]].astype(float) + reals[OFFSET]
        tolerance = 8 * np.finfo(dtype).eps * (1 + np.abs(value).max())
        if row[KIND] == PRISMATIC:
            np.testing.assert_allclose(got[0], value, rtol=0, atol=tolerance)
        else:
            angle = value + reals[QUARTERS] * np.pi / 2
            if row[HAS_TURN]:
                angle = angle + np.arctan2(reals[TURN_SINE], reals[TURN_COSINE])
            np.testing.assert_allclose(got, [np.sin(angle), np.cos(angle)], rtol=0, atol=tolerance)
    assert moving > 1


@kernel
def _walk(integers, reals, slots, q, base, stride, out):
    """The pose of every node, as rows of lanes."""
    lanes = width(q)
    nodes = integers.shape[0]
    columns, motion = scratch(q, q.shape[1] * lanes), scratch(q, nodes * MOTION * lanes)
    kept = scratch(q, slots * POSE * lanes)
    i, r = pointer(integers), pointer(reals)
    motions(i, r, nodes, pointer(q), 0, q.shape[1], sincos_table(q), columns, motion)
    place = identity(q)
    for node in range(nodes):
        place = advance(i, r, node, motion, kept, pointer(base), 0, stride, place)
        keep_pose(i, node, kept, place)
        row = node * POSE
        for vector in place:
            store(out, row, vector)
            row += 1


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("with_base", [False, True])
def test_advance_goes_from_the_base_the_node_before_and_kept_poses(seed, with_base):
    mechanism = random_mechanism(seed)
    frames = list(range(6))
    plan = make_plan(mechanism, frames, np.float64)
    q = batch(mechanism, lanes_of(np.float64), seed)
    bases = np.stack([pose(np.random.default_rng(seed + k)) for k in range(len(q))])
    out = np.empty((len(plan.integers), 3, 4, len(q)))
    _walk(plan.integers, plan.reals, plan.slots, q, bases, 16 if with_base else -1, out)
    outputs = {int(row[OUTPUT]): node for node, row in enumerate(plan.integers) if row[OUTPUT] >= 0}
    assert sorted(outputs) == frames
    for k, row in enumerate(q):
        want = plain_poses(mechanism, row, frames, bases[k] if with_base else None)
        for frame, node in outputs.items():
            np.testing.assert_allclose(out[node, :, :, k], want[frame, :3], rtol=0, atol=2e-14)


def test_the_trees_above_have_every_kind_of_source():
    sources = np.concatenate(
        [make_plan(random_mechanism(seed), list(range(6)), np.float64).integers[:, SOURCE] for seed in range(8)]
    )
    assert {BASE, PREVIOUS} < set(sources.tolist())
    assert (sources >= 0).any()


@kernel
def _algebra(poses, x, out):
    place = read_pose(pointer(poses), 0, 16)
    x0, y0, z0, p0, x1, y1, z1, p1, x2, y2, z2, p2 = place
    a, b, c, d, e, f = load6(pointer(x), 0)
    store3(out, 0, *pull(x0, y0, z0, x1, y1, z1, x2, y2, z2, a, b, c))
    store3(out, 3, *cross_add(a, b, c, d, e, f, p0, p1, p2))
    store(out, 6, load(x, 0))


@pytest.mark.parametrize("dtype", DTYPES)
def test_vectors_and_poses_in_lanes(dtype):
    count = lanes_of(dtype)
    rng = np.random.default_rng(0)
    poses, x = rng.normal(size=(count, 4, 4)).astype(dtype), rng.normal(size=(AXIS, count)).astype(dtype)
    out = np.empty((7, count), dtype)
    _algebra(poses, x, out)
    R, p = poses[:, :3, :3].astype(float), poses[:, :3, 3].astype(float)
    first, second = x[:3].T.astype(float), x[3:].T.astype(float)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(out[:3].T, np.einsum("kij,ki->kj", R, first), rtol=0, atol=30 * eps)
    np.testing.assert_allclose(out[3:6].T, np.cross(first, second) + p, rtol=0, atol=30 * eps)
    assert np.array_equal(out[6], x[0])
