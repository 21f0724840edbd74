"""All solutions of six-joint arms without closed forms against what thousands of restarts find; the rules of the search."""

from __future__ import annotations

import numpy as np
import pytest

from diffkin.kernels.solutions.gather import KEPT, gather, make_gatherer
from diffkin.kernels.threads import get_num_threads, set_num_threads
from tests.kernels import ik_robots


def wrapped(difference):
    return (difference + np.pi) % (2.0 * np.pi) - np.pi


def restarted(robot, target, starts=1500):
    """Distinct solutions that descents from random starts lead to, without limits."""
    free = np.full(6, np.inf)
    program = robot.program(lower=-free, upper=free)
    q0 = np.random.default_rng(3).uniform(-np.pi, np.pi, (starts, 6))
    found = ik_robots.solve(
        program, np.repeat(target[None], starts, axis=0), q0, starts=1, position_tolerance=1e-9, rotation_tolerance=1e-9
    )
    distinct = []
    for q in found.q[found.success]:
        if all(abs(wrapped(q - other)).max() > 1e-4 for other in distinct):
            distinct.append(q)
    return np.array(distinct)


@pytest.mark.parametrize("name", ["ur5", "xarm6", "kinova"])
def test_nothing_is_missed_that_many_restarts_find(name):
    robot = ik_robots.load(name)
    targets = robot.poses(robot.sample(12, seed=2))
    found = gather(make_gatherer(robot.mechanism(), 0), targets)
    for k, target in enumerate(targets):
        mine = found.q[k, : found.number[k]]
        position, rotation = robot.errors(mine, np.repeat(target[None], len(mine), axis=0))
        assert float(position.max()) < 2e-9 and float(rotation.max()) < 2e-9
        for q in restarted(robot, target):
            assert abs(wrapped(mine - q)).max(axis=1).min() < 1e-4
        apart = abs(wrapped(mine[:, None] - mine[None])).max(-1) + 9.0 * np.eye(len(mine))
        assert len(mine) < KEPT and float(apart.min()) > 1e-4
        assert (found.seen[k, : len(mine)] >= 1).all() and (found.seen[k, len(mine) :] == 0).all()


def test_an_answer_depends_on_its_target_and_seed_alone():
    robot = ik_robots.load("xarm6")
    gatherer = make_gatherer(robot.mechanism(), 0)
    targets = robot.poses(robot.sample(40, seed=7))
    threads = get_num_threads()
    try:
        set_num_threads(3)
        together = gather(gatherer, targets)
    finally:
        set_num_threads(threads)
    backwards = gather(gatherer, np.ascontiguousarray(targets[::-1]))
    alone = gather(gatherer, targets[11:12])
    for whole, part in zip(together, alone, strict=True):
        np.testing.assert_array_equal(whole[11:12], part)
    for whole, part in zip(together, backwards, strict=True):
        np.testing.assert_array_equal(whole, part[::-1])
    other = gather(gatherer, targets, seed=5)
    assert (other.steps != together.steps).any()
    np.testing.assert_array_equal(other.number, together.number)


def test_a_target_without_solutions_and_one_with_endlessly_many():
    robot = ik_robots.load("ur5")
    gatherer = make_gatherer(robot.mechanism(), 0)
    far = np.eye(4)
    far[:3, 3] = 5.0, 0.0, 0.0
    bent = np.array(
        [[0.4, -1.2, 1.3, -0.7, 0.0, 0.6]]
    )  # the axes of the second to fourth and the last joint are parallel
    targets = np.concatenate((far[None], robot.poses(bent)))
    found = gather(gatherer, targets)
    assert found.number.tolist() == [0, KEPT] and not found.seen[0].any()
    position, rotation = robot.errors(found.q[1], np.repeat(targets[1:], KEPT, axis=0))
    assert float(position.max()) < 2e-9 and float(rotation.max()) < 2e-9


def test_what_it_does_not_serve():
    assert make_gatherer(ik_robots.load("iiwa").mechanism(), 0) is None
    robot = ik_robots.load("ur5")
    shared = np.array([0, 1, 2, 3, 4, 4])
    assert make_gatherer(robot.mechanism(coordinate=shared, dof=5), 0) is None
    assert make_gatherer(robot.mechanism(dof=7), 0) is None  # the seventh moves nothing
    assert make_gatherer(robot.mechanism(frame_joint=4), 0) is None


def test_coordinates_in_any_order_and_turning_the_other_way():
    robot = ik_robots.load("ur5")
    order = np.array([3, 0, 5, 1, 4, 2])
    backwards = np.array([1.0, -1.0, 1.0, 1.0, -1.0, -1.0])
    targets = robot.poses(robot.sample(5, seed=8))
    plain = gather(make_gatherer(robot.mechanism(), 0), targets)
    other = gather(make_gatherer(robot.mechanism(coordinate=order, multiplier=backwards), 0), targets)
    np.testing.assert_array_equal(other.number, plain.number)
    for k in range(5):
        mine, theirs = other.q[k, : other.number[k]][:, order] * backwards, plain.q[k, : plain.number[k]]
        apart = abs(wrapped(mine[:, None] - theirs[None])).max(-1)
        assert float(apart.min(0).max()) < 1e-4
