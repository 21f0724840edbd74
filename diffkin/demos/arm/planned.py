"""A closed path of the tip, solved as a whole before it is gone along: no joint jumps where none has to."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin.demos.arm.answers import asks_for_rotation
from diffkin.ik import PositionTask
from diffkin.motion import PathResult, solve_path
from diffkin.robot import Robot

__all__ = ["Plan", "plan_round"]

_TICKS = 240  # of one round


@dataclass(frozen=True, eq=False)
class Plan:
    """Coordinates for one round of a closed path.

    Attributes:
        path: At ticks that share the round evenly; the last is the first.
        seconds: How long it took to find.
    """

    path: PathResult
    seconds: float

    @property
    def jumps(self) -> tuple[float, ...]:
        """Phases, from 0 to 1, before which the arm jumps; empty where the answer is continuous."""
        return tuple((tick + 1) / (len(self.path.q) - 1) for tick in self.path.reconfigurations)

    def at(self, phase: float) -> Float[Tensor, " dof"]:
        """(dof,) coordinates at a phase from 0 to 1: on the line between two ticks, or at the nearer where it jumps."""
        place = phase % 1.0 * (len(self.path.q) - 1)
        tick = min(int(place), len(self.path.q) - 2)
        share = place - tick
        if tick in self.path.reconfigurations:
            share = float(share > 0.5)
        return torch.lerp(self.path.q[tick], self.path.q[tick + 1], share)


def plan_round(robot: Robot, pose: Callable[[float], Tensor], q_start: Float[Tensor, " dof"]) -> Plan:
    """Solve a whole round beforehand, so that it ends where it begins.

    Args:
        robot: A float64 robot with a tip.
        pose: (4, 4) pose of the tip for a phase from 0 to 1, which ends where it began.
        q_start: (dof,) where the arm would like to start. An arm without self-motion, which cannot turn its elbow on the
            way, starts elsewhere where that gives no continuous answer.

    Returns:
        The plan; the one with the fewest jumps where no continuous answer was found.
    """
    began = time.perf_counter()
    poses = torch.stack([pose(k / _TICKS) for k in range(_TICKS)] + [pose(0.0)])
    goal = poses if asks_for_rotation(robot) else PositionTask(None, poses[:, :3, 3])
    path = solve_path(robot, goal, q_start=q_start, closed=True, allow_reconfigurations=True)
    if not path.success and robot.dof <= (6 if asks_for_rotation(robot) else 3):
        free = solve_path(robot, goal, closed=True, allow_reconfigurations=True)
        if free.success or len(free.reconfigurations) < len(path.reconfigurations):
            path = free
    return Plan(path, time.perf_counter() - began)
