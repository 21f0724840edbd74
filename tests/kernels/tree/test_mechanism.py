"""A mechanism is what its arrays say: a robot built by hand moves as the textbook says."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from diffkin.kernels.tree.forward import forward
from diffkin.kernels.tree.mechanism import FIXED, PRISMATIC, REVOLUTE, Mechanism
from diffkin.kernels.tree.plan import make_plan


def shift(x: float, y: float = 0.0, z: float = 0.0) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, 3] = x, y, z
    return pose


ARM = Mechanism(  # turns about z, then slides along its own x; a weld carries the tip, the first coordinate half of it
    dof=2,
    parent=np.array([-1, 0, 1]),
    kind=np.array([REVOLUTE, PRISMATIC, FIXED]),
    coordinate=np.array([1, 0, 0]),
    multiplier=np.array([1.0, 0.5, 1.0]),
    offset=np.array([0.1, 0.2, 9.0]),
    origin=np.stack([shift(0.0, 0.0, 1.0), shift(2.0), shift(0.0, 3.0)]),
    axis=np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
    frame_joint=np.array([2, -1]),
    frame_offset=np.stack([shift(0.0, 0.0, 4.0), shift(5.0)]),
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_joint_values_axes_and_frames_mean_what_the_attributes_say(dtype):
    q = np.random.default_rng(0).uniform(-3, 3, (20, 2))
    poses = forward(make_plan(ARM, [0, 1], dtype), q.astype(dtype))
    turn, slide = q[:, 1] + 0.1, 0.5 * q[:, 0] + 0.2
    c, s, zero, one = np.cos(turn), np.sin(turn), np.zeros(20), np.ones(20)
    x, y = 2 + slide, 3.0
    rows = [[c, -s, zero, c * x - s * y], [s, c, zero, s * x + c * y], [zero, zero, one, 5 * one], [zero] * 3 + [one]]
    np.testing.assert_allclose(poses[:, 0], np.moveaxis(np.array(rows), 2, 0), rtol=0, atol=20 * np.finfo(dtype).eps)
    assert np.array_equal(poses[:, 1], np.broadcast_to(shift(5.0), (20, 4, 4)))


def test_the_value_of_a_fixed_joint_counts_for_nothing():
    q = np.ones((1, 2))
    moved = replace(ARM, offset=np.array([0.1, 0.2, -4.0]))
    assert np.array_equal(*(forward(make_plan(one, [0], np.float64), q) for one in (ARM, moved)))


def test_it_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        ARM.dof = 3
