"""What a plan holds: only the nodes needed, and the cheap forms where they apply."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from diffkin.kernels.tree.forward import forward
from diffkin.kernels.tree.plan import (
    BASE,
    DENAVIT,
    FIXED,
    FORM,
    GENERAL,
    KIND,
    PREVIOUS,
    QUARTER,
    REVOLUTE,
    SOURCE,
    STRAIGHT,
    Mechanism,
    make_plan,
)
from tests.kernels.mechanisms import batch, from_urdf, plain_poses, random_mechanism


def _chain(*origins: np.ndarray) -> Mechanism:
    n = len(origins)
    return Mechanism(
        dof=n,
        parent=np.arange(n) - 1,
        kind=np.full(n, REVOLUTE),
        coordinate=np.arange(n),
        multiplier=np.ones(n),
        offset=np.zeros(n),
        origin=np.stack(origins),
        axis=np.tile([0.0, 0.0, 1.0], (n, 1)),
        frame_joint=np.array([n - 1]),
        frame_offset=np.eye(4)[None],
    )


def _about_x(angle: float, x: float, y: float, z: float) -> np.ndarray:
    pose = np.eye(4)
    pose[1, 1] = pose[2, 2] = np.cos(angle)
    pose[2, 1] = np.sin(angle)
    pose[1, 2] = -pose[2, 1]
    pose[:3, 3] = x, y, z
    return pose


def test_a_tip_alone_takes_the_forms_of_denavit_and_hartenberg():
    mechanism = from_urdf("iiwa")
    plan = make_plan(mechanism, [len(mechanism.frame_joint) - 1], np.float32)
    assert plan.integers[0, SOURCE] == BASE and (plan.integers[1:, SOURCE] == PREVIOUS).all()
    assert (plan.integers[1:7, FORM] == QUARTER).all()  # every axis of this arm meets the next at right angles
    assert plan.integers[7, KIND] == FIXED and plan.integers[7, FORM] == STRAIGHT
    assert plan.slots == 0 and plan.frames == 1


def test_only_the_joints_on_the_way_are_nodes():
    mechanism = random_mechanism(1, joints=12)
    for frame in range(6):
        way, joint = set(), int(mechanism.frame_joint[frame])
        while joint >= 0:
            way.add(joint)
            joint = int(mechanism.parent[joint])
        assert len(make_plan(mechanism, [frame], np.float64).integers) == len(way) + 1


@pytest.mark.parametrize(
    "angle", [0.0, 1e-15, 1e-12, 1e-8, 1e-4, 0.04, 0.06, 1.0, np.pi / 2 - 1e-12, np.pi / 2, 3.1, np.pi]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_axes_parallel_nearly_parallel_and_not(angle, dtype):
    mechanism = _chain(
        np.eye(4), _about_x(angle, 0.3, -0.2, 0.5), _about_x(-angle, 0.0, 0.0, 0.4), _about_x(angle, 1, 1, 1)
    )
    plan = make_plan(mechanism, [0], dtype)
    q = batch(mechanism, 9).astype(dtype)
    want = np.stack([plain_poses(mechanism, row.astype(np.float64), [0]) for row in q])
    np.testing.assert_allclose(forward(plan, q), want, rtol=0, atol=2e-6 if dtype == np.float32 else 5e-14)


def test_forms_by_angle():
    def form(angle: float) -> int:
        return int(make_plan(_chain(np.eye(4), _about_x(angle, 0.3, 0.2, 0.1)), [0], np.float64).integers[1, FORM])

    assert form(0.0) == STRAIGHT and form(np.pi / 2) == QUARTER and form(1.0) == DENAVIT and form(0.01) == GENERAL


def test_an_origin_that_is_no_rotation_is_taken_as_it_is():
    mechanism = random_mechanism(2)
    origin = mechanism.origin.copy()
    origin[:, :3, :3] += 1e-3 * np.random.default_rng(0).normal(size=(len(origin), 3, 3))
    mechanism = replace(mechanism, origin=origin)
    q = batch(mechanism, 5)
    want = np.stack([plain_poses(mechanism, row, [0, 1, 2]) for row in q])
    np.testing.assert_allclose(forward(make_plan(mechanism, [0, 1, 2], np.float64), q), want, rtol=0, atol=5e-14)


def test_the_dtype_of_the_plan_may_be_given_in_any_way():
    mechanism = random_mechanism(0)
    for dtype in (np.float32, np.dtype(np.float32), "float32"):
        assert make_plan(mechanism, [0], dtype).reals.dtype == np.float32
