"""Closed paths that the arm can reach."""

import pytest
import torch

import diffkin as dk
from diffkin.demos.arm.common import home_of
from diffkin.demos.arm.way import Way, circle, eight, lissajous
from diffkin.ik import PositionTask


@pytest.mark.parametrize("shape", [circle, eight, lissajous])
@pytest.mark.parametrize("name", ["kuka_iiwa", "scara", "planar_2r"])
def test_paths_are_closed_and_within_reach(shape, name: str) -> None:
    robot = dk.load_robot(name)
    way = Way(robot, home_of(robot), shape, 0.2)
    poses = way.poses()
    torch.testing.assert_close(poses[0], poses[-1])
    assert float(poses[:, :3, 3].std(0).max()) > 0.02
    goal = poses if robot.dof >= 6 else PositionTask(None, poses[:, :3, 3])
    assert bool(dk.solve_ik(robot, goal).success.all())
    torch.testing.assert_close(way.line().points, poses[:, :3, 3])
