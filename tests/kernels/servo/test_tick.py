"""The servo kernel itself: braking, states that are not finite, and rows that know nothing of each other."""

from __future__ import annotations

import numpy as np
import pytest

from diffkin.kernels.servo.arm import pack_arm
from diffkin.kernels.servo.tick import Constants, brakable, tick
from diffkin.kernels.threads import get_num_threads, set_num_threads
from tests.kernels import ik_robots

NUMBERS = Constants(1e-10, 1e-6, 1e-4, 1e6, 1e-9, 1e-4, 1e-18)


@pytest.fixture(scope="module")
def states():
    robot = ik_robots.load("panda")
    arm = pack_arm(robot.mechanism(), 0, robot.lower, robot.upper)
    q = robot.sample(300, seed=1)
    targets = robot.poses(q + 0.05 * np.random.default_rng(2).normal(size=q.shape))
    rates = np.stack([np.full(7, 2.0), np.full(7, 15.0)])
    return arm, rates, q, np.random.default_rng(3).uniform(-0.5, 0.5, q.shape), targets


def run(states, rows, slow=False, single=False, **changes):
    arm, rates, *parts = states
    q, dq, targets = (np.ascontiguousarray(part[rows]) for part in parts)
    return tick(arm, rates, NUMBERS, changes.get("q", q), dq, targets, 0.01, 0.5, 1.0, slow, single)


@pytest.mark.parametrize("loss", [0.01, 0.3, np.inf])
@pytest.mark.parametrize("way", [0.0, 1e-9, 0.2, 1.0, 7.3])
def test_from_that_speed_the_way_is_just_enough(way, loss):
    speed = gone = brakable(way, loss)
    while speed > 0.0:
        speed -= loss
        gone += max(speed, 0.0)
    assert gone == pytest.approx(way, abs=1e-12)


def test_no_end_no_brake():
    assert brakable(np.inf, 0.1) == np.inf
    assert brakable(-1e-12, 0.1) == 0.0


@pytest.mark.parametrize("slow", [False, True])
def test_a_row_does_not_depend_on_the_others_nor_on_threads(states, slow):
    whole = run(states, slice(None), slow)
    for row in (0, 17, 299):
        alone = run(states, slice(row, row + 1), slow)
        assert all(np.array_equal(part[..., :1], big[..., row : row + 1]) for part, big in [(alone.found, whole.found)])
        assert np.array_equal(alone.q[0], whole.q[row]) and np.array_equal(alone.dq[0], whole.dq[row])
    before = get_num_threads()
    try:
        set_num_threads(1)
        once = run(states, slice(None), slow)
    finally:
        set_num_threads(before)
    assert np.array_equal(once.q, whole.q) and np.array_equal(once.found, whole.found)


def test_errors_are_those_of_the_coordinates_that_come_back(states):
    robot = ik_robots.load("panda")
    for single in (False, True):
        done = run(states, slice(0, 40), single=single)
        position, rotation = robot.errors(done.q, states[4][:40])
        np.testing.assert_allclose(done.found[0], position, atol=1e-13)
        np.testing.assert_allclose(done.found[1], rotation, atol=1e-8)
        assert np.array_equal(done.q, done.q.astype(np.float32)) == single


def test_a_state_that_is_not_finite_gets_no_scale(states):
    q = states[2][:3].copy()
    q[1, 4] = np.nan
    scale = run(states, slice(0, 3), q=q).found[2]
    assert np.isnan(scale).tolist() == [False, True, False]


def test_no_states(states):
    assert run(states, slice(0, 0)).q.shape == (0, 7)
