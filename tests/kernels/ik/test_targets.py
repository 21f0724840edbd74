"""Targets made ready: what is refused, and that rotations become exact."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import polar
from scipy.spatial.transform import Rotation

from diffkin.kernels.ik.targets import ready_targets


def poses(count=20):
    rng = np.random.default_rng(0)
    out = np.tile(np.eye(4), (count, 1, 1))
    out[:, :3, :3] = Rotation.random(count, random_state=1).as_matrix()
    out[:, :3, 3] = rng.normal(size=(count, 3))
    return out


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rotations_become_the_nearest(dtype):
    given = poses()
    given[:, :3, :3] += 1e-6 * np.random.default_rng(1).normal(size=(20, 3, 3))
    given = given.astype(dtype)
    ready = ready_targets(given, 1e-5)
    assert ready.dtype == np.float64
    expected = np.stack([polar(pose[:3, :3].astype(np.float64))[0] for pose in given])
    np.testing.assert_allclose(ready[:, :3, :3], expected, atol=1e-14)
    assert np.array_equal(ready[:, :3, 3], given[:, :3, 3])
    assert np.array_equal(ready[:, 3], np.tile([0.0, 0.0, 0.0, 1.0], (20, 1)))


@pytest.mark.parametrize(
    ("place", "value"),
    [((7, 0, 0), np.nan), ((7, 1, 3), np.inf), ((7, 3, 0), 0.1), ((7, 3, 3), 0.0), ((7, 0, 0), 5.0)],
)
def test_what_is_no_pose_is_refused(place, value):
    given = poses()
    given[place] = value
    assert ready_targets(given, 1e-5) is None


def test_reflections_are_refused():
    given = poses()
    given[3, :3, 0] *= -1.0
    assert ready_targets(given, 1e-5) is None
    assert ready_targets(given[:0], 1e-5).shape == (0, 4, 4)
