"""First starts are the stored samples that bring a link nearest to its target."""

from __future__ import annotations

import numpy as np
import torch

from diffkin import ik, rotations, transforms
from diffkin.kernels.ik.roberts import roberts_steps
from diffkin.kernels.lists.starts import RANKED, rank_starts
from tests.ik.tasks.differences import randn
from tests.kernels.lists.asked import ask


def samples(asked, robot, numbers):
    """Coordinates (n, dof) of samples."""
    parts, steps = asked.parts, roberts_steps(robot.dof)
    t = 0.5 + (numbers[:, None].astype(float) + 1.0) * steps
    return torch.from_numpy(parts.low + (t - np.floor(t)) * (parts.high - parts.low))


def test_starts_are_near_their_targets(iiwa):
    count = 40
    q = iiwa.sample(count, seed=1)
    base = transforms.pose(rotations.random_rotation(count, seed=2, dtype=torch.float64), randn(count, 3, seed=3))
    T = iiwa.forward_kinematics(q, base=base)
    for tasks in (
        [ik.PoseTask(None, T)],
        [ik.PositionTask(None, T[:, :3, 3])],
        [ik.OrientationTask(None, T[:, :3, :3])],
    ):
        tasks = [*tasks, ik.RayDirectionTask(None, (0.0, 0.0, 1.0), T[:, :3, 2])]
        asked = ask(iiwa, tasks, count, base)
        ranked = rank_starts(asked.call.placed, asked.targets, asked.bases, count)
        assert ranked.shape == (count, RANKED)
        near, random = [], []
        for which, found in ((0, near), (7, near), (None, random)):
            numbers = np.arange(count) if which is None else ranked[:, which]
            poses = iiwa.forward_kinematics(samples(asked, iiwa, numbers), base=base)
            away = torch.zeros(count, dtype=torch.float64)
            if isinstance(tasks[0], (ik.PoseTask, ik.PositionTask)):
                away += (poses[:, :3, 3] - T[:, :3, 3]).norm(dim=-1)
            if isinstance(tasks[0], (ik.PoseTask, ik.OrientationTask)):
                away += 0.3 * rotations.angle_between(poses[:, :3, :3], T[:, :3, :3])
            found.append(float(away.mean()))
        assert near[0] <= near[1] < 0.6 * random[0]
        assert (np.sort(ranked, axis=1)[:, 1:] != np.sort(ranked, axis=1)[:, :-1]).all()  # each once


def test_alone_or_in_a_batch(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(500, seed=1))
    asked = ask(iiwa, [ik.PoseTask(None, T), ik.PositionTask("lbr_iiwa_link_4", T[:, :3, 3])], 500)
    assert len(asked.call.placed) == 1  # the second link's joints start with the first's
    whole = rank_starts(asked.call.placed, asked.targets, asked.bases, 500)
    one = rank_starts(asked.call.placed, asked.targets[77:78].copy(), asked.bases, 1)
    assert np.array_equal(whole[77], one[0])
