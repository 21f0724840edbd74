"""Starts by rank: the caller's, the nearest samples, the sequence; and how much time each gets."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import cKDTree

import diffkin as dk
from diffkin import ik
from diffkin.ik.options import GRACE, make_options
from diffkin.ik.problem import make_problem
from diffkin.ik.starts import Starts, roberts
from diffkin.kinematics.ranges import sampling_range

COUNT = 5


def starts_of(robot, tasks, q0=None, base=None, free_base=None, movable=None, **options):
    movable = torch.ones(robot.dof, dtype=torch.bool) if movable is None else movable
    problem = make_problem(robot, tasks, torch.Size((COUNT,)), movable, free_base)
    return Starts(problem, make_options(robot.dtype, **options), q0, base, COUNT)


def targets(robot, seed=1):
    return robot.forward_kinematics(robot.sample(COUNT, seed=seed))


EVERY = torch.arange(COUNT)


def test_roberts_sequence_against_its_definition():
    points = roberts(3, 50, 2, torch.tensor([0.1, 0.7], dtype=torch.float64)).numpy()
    plastic = float(np.real(np.roots([1, 0, -1, -1])[0]))  # g^3 = g + 1
    k = np.arange(4, 54)[:, None]
    expected = (0.5 + np.array([0.1, 0.7]) + k * plastic ** -np.array([1.0, 2.0])) % 1
    np.testing.assert_allclose(points, expected, atol=1e-12)


def test_the_callers_start_comes_first_and_has_all_the_time(iiwa):
    q0 = iiwa.sample(COUNT, seed=4)
    starts = starts_of(iiwa, [ik.PoseTask(None, targets(iiwa))], q0, max_iterations=40)
    first = starts.at(0, EVERY[2:])
    assert torch.equal(first.q, q0[2:])
    assert torch.equal(first.problem, EVERY[2:])
    assert first.grace.tolist() == [40.0] * 3
    assert starts.at(6, EVERY).grace.tolist() == [6 * GRACE] * COUNT
    without = starts_of(iiwa, [ik.PoseTask(None, targets(iiwa))])
    assert without.at(0, EVERY).grace.tolist() == [0.0] * COUNT
    assert torch.equal(without.at(3, EVERY).q, starts.at(4, EVERY).q)


def test_then_the_samples_nearest_to_the_target(iiwa):
    T = targets(iiwa)
    for task in (ik.PositionTask(None, T[:, :3, 3]), ik.PoseTask(None, T)):
        starts = starts_of(iiwa, [task])
        low, high = sampling_range(iiwa.tree, iiwa.lower, iiwa.upper)
        shift = torch.zeros(7, dtype=torch.float64)
        samples = low + roberts(0, 16384, 7, shift) * (high - low)
        poses = iiwa.forward_kinematics(samples)
        reach = poses[:, :3, 3].norm(dim=-1).max()

        def features(pose, reach=reach, task=task):
            position = pose[:, :3, 3] / reach
            turned = 0.3 * pose[:, :3, :3].flatten(1)
            return (position if task.rows == 3 else torch.cat((position, turned), dim=1)).numpy()

        _, index = cKDTree(features(poses)).query(features(T), k=8)
        for rank in range(8):
            torch.testing.assert_close(starts.at(rank, EVERY).q, samples[index[:, rank]], rtol=0, atol=1e-12)


def test_the_first_task_that_places_a_link_is_asked_as_seen_from_the_base(iiwa):
    T = targets(iiwa)
    base = dk.transforms.pose(dk.rotations.random_rotation(COUNT, seed=2, dtype=torch.float64), T[:, :3, 3])
    alone = starts_of(iiwa, [ik.PoseTask(None, T)])
    ray = ik.RayDirectionTask("lbr_iiwa_link_7", (1.0, 0.0, 0.0), torch.ones(3).double())
    later = ik.PoseTask(None, targets(iiwa, 9), priority=1)
    placed = starts_of(iiwa, [ray, later, ik.PoseTask(None, base @ T)], base=base)
    for rank in range(8):
        torch.testing.assert_close(placed.at(rank, EVERY).q, alone.at(rank, EVERY).q, rtol=0, atol=1e-12)
    assert starts_of(iiwa, [ray]).nearest is None
    assert starts_of(iiwa, [ik.PoseTask(None, T)], base=base, free_base="pose").nearest is None


def test_seeds_move_the_sequence_alone_and_locked_joints_stay(iiwa):
    task, q0 = ik.PoseTask(None, targets(iiwa)), iiwa.sample(COUNT, seed=4)
    movable = torch.tensor([False, True, True, True, True, True, False])
    first, second = (starts_of(iiwa, [task], q0, movable=movable, seed=seed) for seed in (0, 1))
    for rank in range(1, 14):
        a, b = first.at(rank, EVERY).q, second.at(rank, EVERY).q
        assert torch.equal(a, b) == (rank <= 8)
        assert torch.equal(a[:, ~movable], q0[:, ~movable])
        assert ((a >= iiwa.lower) & (a <= iiwa.upper)).all()


def test_a_free_base_is_turned_but_stays_in_place(iiwa):
    base = dk.transforms.pose(
        dk.rotations.random_rotation(COUNT, seed=2, dtype=torch.float64), torch.rand(COUNT, 3).double()
    )
    starts = starts_of(iiwa, [ik.PoseTask(None, targets(iiwa))], base=base, free_base="rotation")
    assert torch.equal(starts.at(0, EVERY).base, base)
    for rank in (1, 2):
        turned = starts.at(rank, EVERY).base
        torch.testing.assert_close(turned[:, :3, 3], base[:, :3, 3], rtol=0, atol=1e-12)
        assert dk.rotations.angle_between(turned[:, :3, :3], base[:, :3, :3]).min() > 0.1
        dk._checks.check_pose(turned, "turned")


def test_a_body_without_joints_has_starts_too():
    body = dk.Robot.from_urdf('<robot name="brick"><link name="body"/></robot>')
    assert body.dof == 0
    base = torch.eye(4, dtype=torch.float64).expand(COUNT, 4, 4)
    ray = ik.RayDirectionTask(body.base, (1.0, 0.0, 0.0), torch.tensor([0.0, 0.0, 1.0]).double())
    starts = starts_of(body, [ray], base=base, free_base="rotation")
    assert starts.at(3, EVERY).grace.tolist() == [3 * GRACE] * COUNT
    T = torch.eye(4, dtype=torch.float64)
    found = dk.solve_ik(body, ray, base=T, free_base="rotation")
    assert found.success
    torch.testing.assert_close(found.base[:3, 0], T[2, :3], rtol=0, atol=1e-6)
