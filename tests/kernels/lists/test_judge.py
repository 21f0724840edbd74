"""The judge says what the tasks in torch say, rounding included."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from diffkin import ik, rotations, transforms
from diffkin.kernels.lists.program import judge_all
from tests.ik.tasks.differences import randn
from tests.kernels.lists.asked import ask

COUNT = 30
BASE = transforms.pose(rotations.random_rotation(COUNT, seed=2, dtype=torch.float64), 100.0 * randn(COUNT, 3, seed=3))


def listed(robot, q):
    T = robot.forward_kinematics(q, links=["hand", "e"], base=BASE)
    return [ik.PoseTask("hand", T[:, 0]), ik.PositionTask("e", T[:, 1, :3, 3])]


def test_errors_and_claims_are_those_of_torch(mixed):
    q = mixed.sample(COUNT, seed=1)
    tasks = listed(mixed, q)
    q = q + 10.0 ** torch.linspace(-16, -1, COUNT, dtype=torch.float64)[:, None]
    for tolerance in (1e-15, 1e-13, 1e-9, 1e-4):
        asked = ask(mixed, tasks, COUNT, BASE, position_tolerance=tolerance, rotation_tolerance=tolerance)
        problem = dataclasses.replace(asked.problem, position_tolerance=tolerance, rotation_tolerance=tolerance)
        errors, success = judge_all(asked.call, asked.targets, asked.bases, q.numpy().copy())
        expected = torch.stack(problem.errors(asked.state(q))).numpy()
        np.testing.assert_allclose(errors, expected, rtol=1e-6, atol=3e-14 * 100.0)
        clear = np.abs(np.log10(np.maximum(expected.max(axis=0), 1e-300) / tolerance)) > 0.1
        assert np.array_equal(success[clear], problem.met(asked.state(q)).numpy()[clear])
    assert not success.all()
    assert success.any()


def test_what_rounding_may_hide_is_no_success(mixed):
    q = mixed.sample(COUNT, seed=1)
    tasks = listed(mixed, q)
    asked = ask(mixed, tasks, COUNT, BASE, position_tolerance=1e-16, rotation_tolerance=1e-16)
    _, success = judge_all(asked.call, asked.targets, asked.bases, q.numpy().copy())
    assert not success.any()


def test_float32_is_judged_as_it_will_be_returned(mixed):
    q = mixed.sample(COUNT, seed=1)
    asked = ask(mixed, listed(mixed, q), COUNT, BASE, single=True)
    rounded = q.numpy().copy()
    judge_all(asked.call, asked.targets, asked.bases, rounded)
    assert np.array_equal(rounded, q.numpy().astype(np.float32))
