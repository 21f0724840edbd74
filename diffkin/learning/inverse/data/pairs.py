"""Pairs of coordinates and poses: fresh ones to learn from, and held-out ones that no training draws."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from diffkin._given import generator_of, whole
from diffkin.errors import OptionError
from diffkin.learning.sizes import check_memory
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
        if not isinstance(robot, Robot):
            raise OptionError(f"FreshPairs needs a diffkin Robot, got a {type(robot).__name__}.")
        self.robot = robot.to(dtype=torch.float32)

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        q = self.robot.sample(_count(self.robot, count, 0), seed=generator_of(generator, "generator"))
        return q, self.robot.forward_kinematics(q)


def held_out(robot: Robot, count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Coordinates and poses that no training run draws.

    Args:
        robot: The robot.
        count: How many.
        seed: Other seeds give other targets.

    Returns:
        (count, dof) and (count, 4, 4), in the robot's dtype.

    Raises:
        diffkin.errors.OptionError: No robot, no whole number above zero, or no seed.
    """
    if not isinstance(robot, Robot):
        raise OptionError(f"Held-out poses need a diffkin Robot, got a {type(robot).__name__}.")
    q = robot.sample(_count(robot, count, 1), seed=generator_of(held_out_seed(seed)))
    return q, robot.forward_kinematics(q)


def _count(robot: Robot, count: int, least: int) -> int:
    """A number of pairs that memory holds."""
    count = whole(count, "count", least)
    check_memory(2 * 8 * count * (robot.dof + 16), f"{count} pairs", "Draw fewer.")
    return count
