"""The judge: errors in metres and radians over the axes that count, by Pinocchio."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest

from diffkin.kernels.ik.judge import judge
from diffkin.kernels.ik.layout import POSITION_ERROR, ROTATION_ERROR, new_rows
from diffkin.kernels.ik.program import errors
from tests.kernels import ik_robots


def judged(robot, q, targets, **changes):
    call = robot.program().call(ik_robots.settings(**changes))
    n, m = call.size[:2]
    found, success, rounded = np.empty((2, len(q))), np.empty(len(q), bool), q.copy()
    judge(new_rows(n, m), *call.packed[:2], targets, rounded, found, success)
    return found[POSITION_ERROR], found[ROTATION_ERROR], success, rounded


@pytest.mark.parametrize("robot", [ik_robots.load("panda"), ik_robots.random_chain(6, 3, slides=0.4)])
@pytest.mark.parametrize("count", [1, 3, 4, 30])
def test_errors_against_pinocchio(robot, count):
    q, targets = robot.sample(count, seed=1), robot.poses(robot.sample(count, seed=2))
    position, rotation, success, same = judged(robot, q, targets)
    expected = robot.errors(q, targets)
    np.testing.assert_allclose(position, expected[0], atol=1e-12)
    np.testing.assert_allclose(rotation, expected[1], rtol=1e-8, atol=1e-10)
    assert not success.any()
    assert np.array_equal(same, q)
    again = errors(robot.program().call(ik_robots.settings()), targets, q)
    assert np.array_equal(again, (position, rotation))


def test_axes_that_do_not_count():
    robot = ik_robots.load("iiwa")
    q = robot.sample(20, seed=1)
    here = robot.poses(q)
    targets = here.copy()
    targets[:, 0, 3] += 0.5
    targets[:, :3, :3] = pin.exp3(np.array([0.0, 0.0, 0.7])) @ targets[:, :3, :3]
    free = judged(robot, q, targets, weights=(0.0, 1.0, 1.0, 1.0, 1.0, 0.0))
    assert free[0].max() < 1e-12
    assert free[1].max() < 1e-12
    assert free[2].all()
    position, rotation, success, _ = judged(robot, q, targets, weights=(0.1, 0.1, 0.1, 5.0, 5.0, 5.0))
    np.testing.assert_allclose(position, 0.5, atol=1e-12)
    np.testing.assert_allclose(rotation, 0.7, atol=1e-12)
    assert not success.any()


def test_tolerances_are_those_asked_for_and_rounding_comes_first():
    robot = ik_robots.load("xarm6")
    q = robot.sample(50, seed=1)
    targets = robot.poses(q)
    targets[:, 2, 3] += 1e-4
    for tolerance, met in ((0.9999e-4, False), (1.0001e-4, True)):
        assert (judged(robot, q, targets, position_tolerance=tolerance)[2] == met).all()
    position, _, _, rounded = judged(robot, q, targets, single=True)
    assert np.array_equal(rounded, q.astype(np.float32))
    np.testing.assert_allclose(position, robot.errors(rounded, targets)[0], atol=1e-12)
