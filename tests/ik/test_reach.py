"""Out of reach is only what no sample comes near to."""

from __future__ import annotations

import pytest
import torch

import diffkin as dk
from diffkin import transforms
from diffkin.ik.reach import out_of_reach, reach


@pytest.mark.parametrize("name", ["kuka_iiwa", "scara", "planar_3r"])
def test_samples_are_within_reach_and_the_stretched_arm_nearly_is_it(name):
    robot = dk.load_robot(name)
    farthest = robot.forward_kinematics(robot.sample(20000))[:, :3, 3].norm(dim=-1).max()
    most = reach(robot, robot.link_index(None))
    assert 0.5 * most < farthest <= most


def test_what_is_told_of_tasks(iiwa):
    points = torch.tensor([[0.3, 0.2, 0.5], [3.0, 0.0, 0.0]], dtype=torch.float64)
    batch = torch.Size((2,))
    task = dk.ik.PositionTask(None, points)
    assert out_of_reach(iiwa, [task], None, batch).tolist() == [False, True]
    away = transforms.pose(torch.eye(3, dtype=torch.float64), torch.tensor([3.0, 0.0, 0.0], dtype=torch.float64))
    assert out_of_reach(iiwa, [task], away, batch).tolist() == [True, False]
    for told in ({"weight": [0.0, 1.0, 1.0]}, {"priority": 1}):
        assert not out_of_reach(iiwa, [dk.ik.PositionTask(None, points, **told)], None, batch).any()
