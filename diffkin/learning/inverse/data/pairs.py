"""Pairs of coordinates and poses: fresh ones to learn from, and held-out ones that no training draws."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from diffkin.learning.training.seeds import held_out_seed
from diffkin.robot import Robot

__all__ = ["FreshPairs", "Pairs", "held_out"]


class Pairs(Protocol):
    """A source of training data: fresh, or read from files."""

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(count, dof) coordinates and (count, 4, 4) their poses, float32."""


class FreshPairs:
    """Coordinates uniform within the limits and their poses by forward kinematics, never the same twice."""

    def __init__(self, robot: Robot) -> None:
        self.robot = robot.to(dtype=torch.float32)

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        q = self.robot.sample(count, seed=generator)
        return q, self.robot.forward_kinematics(q)


def held_out(robot: Robot, count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Coordinates and poses that no training run draws.

    Args:
        robot: The robot.
        count: How many.
        seed: Other seeds give other targets.

    Returns:
        (count, dof) and (count, 4, 4), in the robot's dtype.
    """
    q = robot.sample(count, seed=held_out_seed(seed))
    return q, robot.forward_kinematics(q)
