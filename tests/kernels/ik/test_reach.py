"""The ends of a chain are never nearer nor farther than told, and told closely where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from diffkin.kernels.ik.chain import SLIDE, TURN
from diffkin.kernels.ik.reach import in_link_axes, span
from tests.kernels import ik_robots

MADE_UP = [
    ik_robots.random_chain(n, seed) for n, seed in ((1, 0), (2, 1), (3, 2), (4, 3), (5, 4), (6, 5), (7, 6), (9, 7))
]
REAL = [ik_robots.load(name) for name in ("iiwa", "panda", "xarm6", "ur5", "kinova")]


def distances(robot, rigid, q):
    """Between the two points, for coordinates (count, dof), by Pinocchio's poses; and the span."""
    program = robot.program()
    chain = program.chain
    told = span(chain, program.ranges.lower, program.ranges.upper, rigid)
    poses = robot.poses(q)
    carried = poses[:, :3, :3] @ (in_link_axes(chain, told.frame) * chain.length) + poses[:, :3, 3]
    return np.linalg.norm(carried - told.base * chain.length, axis=-1) / chain.length, told


@pytest.mark.parametrize("rigid", [False, True])
@pytest.mark.parametrize("robot", MADE_UP + REAL, ids=lambda robot: f"{len(robot.lower)} joints")
def test_no_sample_is_outside(robot, rigid):
    q = robot.sample(3000, seed=5)
    rng = np.random.default_rng(6)
    ends = np.where(rng.random(q.shape) < 0.5, robot.upper, robot.lower)
    ends = np.where(np.isfinite(ends), ends, q)
    q = np.concatenate([q, np.where(rng.random(q.shape) < 0.6, ends, q)])
    apart, told = distances(robot, rigid, q)
    assert told.least - 1e-12 <= apart.min()
    assert apart.max() <= told.most + 1e-12


def test_upper_arm_and_forearm_are_all_there_is_of_an_arm_with_spherical_shoulder_and_wrist():
    robot = ik_robots.load("iiwa")
    apart, told = distances(robot, True, robot.sample(20000, seed=1))
    length = robot.program().chain.length
    upper_arm, forearm = 0.42, 0.4
    np.testing.assert_allclose(told.most * length, upper_arm + forearm, atol=1e-6)
    bent = np.pi - 2.094395102393195  # the angle between them at the elbow's limit
    nearest = np.sqrt(upper_arm**2 + forearm**2 - 2.0 * upper_arm * forearm * np.cos(bent))
    np.testing.assert_allclose(told.least * length, nearest, atol=1e-5)
    assert apart.max() > told.most - 1e-3
    assert apart.min() < told.least + 1e-3


def test_a_plane_arm_reaches_its_lengths_and_no_nearer_than_its_longest_less_the_others():
    robot = ik_robots.planar(2)
    chain, ranges = robot.program().chain, robot.program().ranges
    far = np.full(2, np.inf)
    told = span(chain, -far, far, False)
    lengths = np.hypot(chain.joints[:, 4], chain.joints[:, 5])
    np.testing.assert_allclose(told.most, lengths.sum(), atol=1e-9)
    np.testing.assert_allclose(told.least, abs(lengths[0] - lengths[1]), atol=1e-7)
    assert len(ranges.lower) == 2


def test_slides_add_their_way_and_those_without_limits_prove_nothing():
    program = ik_robots.load("panda").program()
    joints = program.chain.joints.copy()
    joints[3, [TURN, SLIDE]] = 0.0, 1.0
    chain = program.chain._replace(joints=joints)
    lower, upper = program.ranges.lower.copy(), program.ranges.upper.copy()
    mosts = []
    for way in (0.0, 0.5, 2.0, np.inf):
        lower[3], upper[3] = 0.0, way
        told = span(chain, lower, upper, True)
        mosts.append(told.most)
        assert 0.0 <= told.least < np.inf
    assert mosts == sorted(mosts)
    assert mosts[1] <= mosts[0] + 0.5 + 1e-6
    assert mosts[-1] == np.inf
