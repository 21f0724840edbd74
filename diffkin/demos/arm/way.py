"""Closed paths of the tip that the arm can reach."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from diffkin.demos.arm.answers import asks_for_rotation
from diffkin.demos.scene import Color, Line
from diffkin.ik import PositionTask, solve_ik
from diffkin.robot import Robot

__all__ = ["Way", "circle", "eight", "lissajous"]

_COLOR: Color = (0.45, 0.5, 0.6)
_CORNERS = 60  # of the line


class Way:
    """A closed path of the tip around the posture it starts from, in the plane in which it can move best.

    Args:
        robot: A float64 robot with a tip.
        q: (dof,) the posture.
        shape: Maps a phase from 0 to 1 to two numbers between -1 and 1.
        size: Wanted half of the path's width [m]; halved until the arm can reach all of it.
    """

    def __init__(self, robot: Robot, q: Tensor, shape: Callable[[float], tuple[float, float]], size: float) -> None:
        self._shape = shape
        self.start = robot.forward_kinematics(q)
        rows = robot.jacobian(q)[:3]
        self._plane = torch.linalg.svd(rows).U[:, :2]
        self.size = size
        for _ in range(6):
            if _all_reached(robot, self.poses(), q):
                break
            self.size *= 0.6

    def pose(self, phase: float) -> Tensor:
        """(4, 4) where the tip is to be; its rotation stays as it is at the start."""
        x, y = self._shape(phase)
        pose = self.start.clone()
        pose[:3, 3] += self.size * self._plane @ torch.tensor([x, y], dtype=torch.float64, device="cpu")
        return pose

    def poses(self) -> Tensor:
        """(n, 4, 4) all the way round."""
        return torch.stack([self.pose(k / _CORNERS) for k in range(_CORNERS + 1)])

    def line(self) -> Line:
        """The path itself."""
        return Line("path", self.poses()[:, :3, 3], _COLOR, 2.0)


def circle(phase: float) -> tuple[float, float]:
    """A circle that starts and ends in its middle's right."""
    angle = 2.0 * math.pi * phase
    return math.cos(angle), math.sin(angle)


def eight(phase: float) -> tuple[float, float]:
    """A lying eight that starts in its middle."""
    angle = 2.0 * math.pi * phase
    return math.sin(2.0 * angle), math.sin(angle)


def lissajous(phase: float) -> tuple[float, float]:
    """Lissajous' curve of two to three."""
    angle = 2.0 * math.pi * phase
    return math.sin(2.0 * angle), math.sin(3.0 * angle)


def _all_reached(robot: Robot, poses: Tensor, q: Tensor) -> bool:
    goal = poses if asks_for_rotation(robot) else PositionTask(None, poses[:, :3, 3])
    return bool(solve_ik(robot, goal, q0=q.expand(len(poses), -1), max_restarts=2).success.all())
