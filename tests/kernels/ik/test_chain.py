"""The chain to a frame: the product of its parts is the pose that Pinocchio gives."""

from __future__ import annotations

import numpy as np
import pytest

from diffkin.kernels.ik.chain import ANGLE, COS, DISTANCE, SHIFT_X, SHIFT_Y, SIN, SLIDE, TURN, pack_chain, way_to
from tests.kernels import ik_robots


def turn(axis, c, s):
    pose = np.eye(4)
    i, j = {"x": (1, 2), "z": (0, 1)}[axis]
    pose[i, i], pose[i, j], pose[j, i], pose[j, j] = c, -s, s, c
    return pose


def pose_of(chain, q):
    """The textbook product ``start Rz T Rx ... Rz``, in metres."""
    pose = np.eye(4)
    pose[:3] = chain.start.reshape(4, 3).T
    for row, column in zip(chain.joints, chain.column, strict=True):
        value = q[chain.moving[column]]
        angle = row[TURN] * value + row[ANGLE]
        shift = ik_robots.shift(row[SHIFT_X], row[SHIFT_Y], row[SLIDE] * value + row[DISTANCE])
        pose = pose @ turn("z", np.cos(angle), np.sin(angle)) @ shift @ turn("x", row[COS], row[SIN])
    pose = pose @ turn("z", *chain.last)
    pose[:3, 3] *= chain.length
    return pose


@pytest.mark.parametrize(
    "robot",
    [ik_robots.load("iiwa"), ik_robots.load("kinova"), ik_robots.planar(3), ik_robots.random_chain(8, 2, slides=0.5)],
)
def test_product_of_the_parts_is_the_pose(robot):
    offset = ik_robots.shift(0.1, -0.2, 0.3)
    chain = pack_chain(robot.mechanism(frame_offset=offset), 0)
    q = robot.sample(20, seed=1)
    expected = robot.poses(q) @ offset
    for values, pose in zip(q, expected, strict=True):
        np.testing.assert_allclose(pose_of(chain, values), pose, atol=1e-13)


def test_only_the_way_is_packed_in_order_of_first_use():
    robot = ik_robots.planar(4)
    branched = robot.mechanism(
        parent=np.array([-1, 0, 0, 2]), coordinate=np.array([3, 1, 0, 3]), multiplier=np.array([1.0, 1.0, 1.0, -2.0]),
        frame_joint=3,
    )  # fmt: skip
    assert way_to(branched, 0) == [0, 2, 3]
    chain = pack_chain(branched, 0)
    assert chain.moving.tolist() == [3, 0]
    assert chain.column.tolist() == [0, 1, 0]
    assert chain.joints[:, TURN].tolist() == [1.0, 1.0, -2.0]


def test_a_frame_on_the_base_has_no_joints():
    robot = ik_robots.planar(2)
    offset = ik_robots.shift(0.0, 2.0, 0.0)
    chain = pack_chain(robot.mechanism(frame_joint=-1, frame_offset=offset), 0)
    assert len(chain.joints) == len(chain.moving) == 0
    assert chain.length == 2.0
    np.testing.assert_allclose(pose_of(chain, np.zeros(2)), offset, atol=1e-15)
