"""The grid over the inner joints: its surface by Pinocchio, its wells, and that every known solution has one near it."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from diffkin.kernels.ik.chain import pack_chain
from diffkin.kernels.ik.judge import load_target
from diffkin.kernels.solutions.torus import build_torus, has_torus, wells
from diffkin.kernels.vectors.strict import W
from tests.kernels import ik_robots


@njit
def run_wells(*arguments):
    return wells(*arguments)


@njit
def load_first_lane(targets, last, length, lanes):
    load_target(0, 0, targets, last, length, lanes)


@pytest.fixture(scope="module", params=["ur5", "kinova"])
def arm(request):
    return ik_robots.load(request.param)


def surface(robot, target, beyond=0.05, most=48):
    """What the kernel makes of a target: wells, and the way left at every place."""
    chain = pack_chain(robot.mechanism(), 0)
    torus = build_torus(chain)
    lanes, out = np.zeros((12, W)), np.zeros((most, 6))
    load_first_lane(target[None], chain.last, chain.length, lanes)
    way, memory = np.empty(torus.places.shape[1], np.float32), np.empty(24 + most)
    number = run_wells(chain.start, chain.joints, torus.ticks, torus.places, lanes, 0, way, most, beyond, memory, out)
    return out[:number], way, torus, chain


def left(robot, q, target, length):
    """Squared distance of origins in lengths of the chain, and the angle (rad) of the frames, by Pinocchio."""
    position, rotation = robot.errors(q, np.repeat(target[None], len(q), axis=0))
    return (position / length) ** 2, rotation


def test_only_six_turning_joints_have_one():
    assert has_torus(pack_chain(ik_robots.load("xarm6").mechanism(), 0))
    assert not has_torus(pack_chain(ik_robots.load("iiwa").mechanism(), 0))
    robot = ik_robots.load("ur5")
    slide = robot.arrays["kind"].copy()
    slide[2] = 1
    assert not has_torus(pack_chain(robot.mechanism(kind=slide), 0))
    assert not has_torus(pack_chain(robot.mechanism(multiplier=np.array([1.0, 1.0, 0.5, 1.0, 1.0, 1.0])), 0))


def test_wells_are_near_in_pose_and_the_deepest_come_first(arm):
    target = arm.poses(arm.sample(1, seed=4))[0]
    found, way, torus, chain = surface(arm, target)
    assert 8 <= len(found) <= 48
    squared, angle = left(arm, found, target, chain.length)
    assert float(squared.max()) <= 0.05 + 1e-6 and float(angle.max()) < 1.5
    assert float(way.min()) > -1e-5
    inner = np.searchsorted(torus.ticks, found[:, 1:5] - 1e-9) @ len(torus.ticks) ** np.arange(3, -1, -1)
    assert (np.diff(way[inner]) >= 0.0).all() and way[inner[0]] == way.min()


def test_the_way_left_is_none_at_a_place_of_the_grid_itself(arm):
    chain = pack_chain(arm.mechanism(), 0)
    ticks = build_torus(chain).ticks
    q = np.array([0.3, ticks[1], ticks[7], ticks[4], ticks[10], -0.8])
    target = arm.poses(q[None])[0]
    found, way, _, _ = surface(arm, target)
    assert abs(float(way.min())) < 1e-5
    turned = (found[0] - q + np.pi) % (2.0 * np.pi) - np.pi
    np.testing.assert_allclose(turned, 0.0, atol=1e-5)


def test_the_last_joint_is_placed_as_well_as_can_be(arm):
    target = arm.poses(arm.sample(1, seed=6))[0]
    found, _, _, chain = surface(arm, target)
    _, least = left(arm, found, target, chain.length)
    for change in (0.05, -0.05):
        moved = found.copy()
        moved[:, 5] += change
        assert (left(arm, moved, target, chain.length)[1] > least).all()


def test_fewer_wells_are_the_deepest(arm):
    target = arm.poses(arm.sample(1, seed=4))[0]
    many, few = surface(arm, target)[0], surface(arm, target, most=5)[0]
    np.testing.assert_array_equal(few, many[:5])
