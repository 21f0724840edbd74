"""Splitting transforms after Denavit and Hartenberg: the product of the parts is the transform."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from diffkin.kernels.tree.denavit import aligned, denavit, is_rigid, neat_sincos, screw
from tests.kernels.mechanisms import pose


def product(parts):
    """``Rz(theta) Tz(d) Tx(a) Rx(alpha) Rz(turn) Tz(shift)`` by SciPy."""
    result = np.eye(4)
    alpha = math.atan2(parts.sine, parts.cosine)
    for rotation, shift in (
        (("z", parts.theta), (0, 0, 0)),
        (("z", 0.0), (parts.a, 0, parts.d)),
        (("x", alpha), (0, 0, 0)),
        (("z", parts.turn), (0, 0, parts.shift)),
    ):
        step = np.eye(4)
        step[:3, :3], step[:3, 3] = Rotation.from_euler(*rotation).as_matrix(), shift
        result = result @ step
    return result


@pytest.mark.parametrize("seed", range(30))
def test_any_pose_is_the_product_of_its_parts(seed):
    given = pose(np.random.default_rng(seed), neat=seed % 3 == 0)
    parts = denavit(given, 4e-16)
    if parts is None:
        assert math.hypot(*given[:2, 2]) < 0.05
    else:
        np.testing.assert_allclose(product(parts), given, rtol=0, atol=1e-13)


def test_most_poses_split():
    poses = [pose(np.random.default_rng(seed)) for seed in range(100)]
    assert sum(denavit(one, 4e-16) is not None for one in poses) > 90


@pytest.mark.parametrize("angle", [0.0, 0.3, -2.0, math.pi])
@pytest.mark.parametrize("place", [(0.0, 0.0, 0.7), (0.4, 0.0, 0.0), (-0.3, 0.2, -0.1)])
def test_parallel_axes(angle, place):
    given = screw(angle, 0.0)
    given[:3, 3] = place
    parts = denavit(given, 4e-16)
    assert parts is not None
    assert (parts.sine, parts.cosine) == (0.0, 1.0)
    np.testing.assert_allclose(product(parts), given, rtol=0, atol=1e-15)


def test_nearly_parallel_and_opposed_axes_are_left_alone():
    for angle in (1e-8, 1e-3, 0.049, math.pi):
        given = np.eye(4)
        given[:3, :3] = Rotation.from_euler("x", angle).as_matrix()
        assert denavit(given, 4e-16) is None


@pytest.mark.parametrize("axis", [(0, 0, 1), (0, 0, -1), (1, 0, 0), (0, 1, 0), (0.6, 0, 0.8), (1, 2, -0.5), (5, 1, 1)])
def test_aligned_turns_z_to_the_axis(axis):
    axis = np.array(axis, float) / np.linalg.norm(axis)
    result = aligned(axis)
    assert is_rigid(result, 1e-15)
    assert np.array_equal(result[:3, 2], axis)
    assert np.array_equal(result[:3, 3], np.zeros(3))


def test_a_screw_and_neat_sines():
    want = np.eye(4)
    want[:3, :3], want[2, 3] = Rotation.from_euler("z", 0.4).as_matrix(), 2.0
    np.testing.assert_allclose(screw(0.4, 2.0), want, rtol=0, atol=1e-16)
    assert [neat_sincos(k * math.pi / 2) for k in range(4)] == [(0, 1), (1, 0), (0, -1), (-1, 0)]


def test_what_is_rigid():
    given = pose(np.random.default_rng(0))
    assert is_rigid(given, 1e-14)
    for row, column in ((0, 0), (2, 1)):
        bent = given.copy()
        bent[row, column] += 1e-6
        assert not is_rigid(bent, 1e-14)
    given[:3, 0] *= -1  # a reflection
    assert not is_rigid(given, 1e-14)
