"""Targets made exact, against SciPy."""

from __future__ import annotations

import numpy as np
from scipy.linalg import polar
from scipy.spatial.transform import Rotation

from diffkin.kernels.lists.targets import AS_IT_IS, DIRECTION, ROTATION, make_exact


def test_rotations_and_directions_are_made_exact():
    rng = np.random.default_rng(0)
    turns = Rotation.random(50, random_state=1).as_matrix() + 4e-6 * rng.normal(size=(50, 3, 3))
    points, directions = rng.normal(size=(50, 3)), rng.normal(size=(50, 3)) * 10.0 ** rng.uniform(-200, 200, (50, 1))
    columns = np.swapaxes(turns, 1, 2).reshape(50, 9)
    targets = np.concatenate((columns, points, directions), axis=1)
    make_exact(targets, np.array([0, 9, 12]), np.array([ROTATION, AS_IT_IS, DIRECTION]))
    nearest = np.stack([polar(turn)[0] for turn in turns])
    np.testing.assert_allclose(np.swapaxes(targets[:, :9].reshape(50, 3, 3), 1, 2), nearest, atol=1e-14)
    assert np.array_equal(targets[:, 9:12], points)
    with np.errstate(over="ignore"):
        largest = np.abs(directions).max(axis=1, keepdims=True)
    scaled = directions / largest
    np.testing.assert_allclose(targets[:, 12:], scaled / np.linalg.norm(scaled, axis=1, keepdims=True), rtol=1e-15)


def test_nothing_to_do_is_nothing_done():
    targets = np.full((3, 3), 7.0)
    make_exact(targets, np.array([0]), np.array([AS_IT_IS]))
    assert (targets == 7.0).all()
