"""Solutions in the valleys of singularities against EAIK's closed forms, and what counts as one where they are endless."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import diffkin as dk
from diffkin.ik.solvers.complete import complete_of
from diffkin.kernels.solutions.gather import KEPT, gather

HALF = math.pi / 2.0
UR5 = [
    [0.0, HALF, 0.089159, 0.0], [-0.425, 0.0, 0.0, 0.0], [-0.39225, 0.0, 0.0, 0.0],
    [0.0, HALF, 0.10915, 0.0], [0.0, -HALF, 0.09465, 0.0], [0.0, 0.0, 0.0823, 0.0],
]  # fmt: skip
PUMA = [
    [0.0, HALF, 0.67, 0.0], [0.4318, 0.0, 0.0, 0.0], [0.0203, -HALF, 0.15005, 0.0],
    [0.0, HALF, 0.4318, 0.0], [0.0, -HALF, 0.0, 0.0], [0.0, 0.0, 0.2, 0.0],
]  # fmt: skip
IRB = [
    [0.32, -HALF, 0.78, 0.0], [1.075, 0.0, 0.0, 0.0], [0.2, -HALF, 0.0, 0.0],
    [0.0, HALF, 1.142, 0.0], [0.0, -HALF, 0.0, 0.0], [0.0, 0.0, 0.2, 0.0],
]  # fmt: skip
STRETCHED = {"ur5": 0.0, "puma": math.atan2(0.4318, 0.0203), "irb": math.atan2(1.142, 0.2)}  # of the third joint
ARMS = {"ur5": UR5, "puma": PUMA, "irb": IRB}


def wrapped(difference):
    return (difference + np.pi) % (2.0 * np.pi) - np.pi


def solved(rows, q):
    """Poses of some coordinates and what the kernel finds for them."""
    robot = dk.Robot.from_dh(rows)
    T = robot.forward_kinematics(torch.as_tensor(q, dtype=torch.float64)).numpy()
    return T, gather(complete_of(robot, robot.link_index(None)), np.ascontiguousarray(T))


def closed_forms(rows, pose):
    """EAIK's solutions of a pose, those alone that reach it."""
    eaik = pytest.importorskip("eaik.IK_DH")
    table = np.array(rows)
    peer = eaik.DhRobot(table[:, 1], table[:, 0], table[:, 2])
    return np.array([q for q in peer.IK(pose).Q if np.abs(np.asarray(peer.fwdKin(q)) - pose).max() < 1e-9])


def all_found(rows, q):
    T, found = solved(rows, q)
    for k, pose in enumerate(T):
        known, mine = closed_forms(rows, pose), found.q[k, : found.number[k]]
        assert len(known) >= 2 and found.number[k] < KEPT
        assert float(abs(wrapped(mine[:, None] - known[None])).max(-1).min(0).max()) < 1e-4, k
        assert float(abs(wrapped(mine[:, None] - known[None])).max(-1).min(1).max()) < 1e-4, k  # and nothing else


def test_solutions_along_a_valley_of_two_singularities():
    all_found(UR5, [[0.3686, 1.3591, 0.6293, -2.828, 3.1404, -0.9062]])  # the smallest singular values are 1e-6
    folded = [[1.5957, -0.0536, 1.6022, -1.639, 2.6236, 2.9064], [1.8105, -1.126, 1.6185, -0.0864, 1.9411, 1.6012]]
    all_found(PUMA, folded)


@pytest.mark.parametrize("name", list(ARMS))
@pytest.mark.parametrize("joint", [2, 4], ids=["elbow", "wrist"])
def test_all_are_found_near_a_singularity_of_elbow_and_wrist(name, joint):
    random = np.random.default_rng(joint)
    q = random.uniform(-np.pi, np.pi, (12, 6))
    q[:, joint] = (STRETCHED[name] if joint == 2 else 0.0) + np.logspace(-4, -1, 12)
    all_found(ARMS[name], q)


def test_two_that_have_become_one_are_one_and_a_curve_of_them_is_endless():
    stretched = [[0.4, -1.1, 0.0, 0.9, 1.2, 0.6]]
    T, found = solved(UR5, stretched)
    mine = found.q[0, : found.number[0]]
    at_it = abs(wrapped(mine - np.array(stretched[0]))).max(-1)
    assert 2 <= len(mine) < 8 and (at_it < 0.05).sum() == 1 and float(at_it.min()) < 1e-4
    _, found = solved(PUMA, [[0.4, -1.1, 0.7, 0.9, 0.0, 0.6]])  # the fourth and the sixth axis are one
    assert found.number.tolist() == [KEPT]
