"""What is too slow for every frame: asked where the target changed, but not more often than every so many seconds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin.demos.arm.answers import asks_for_rotation
from diffkin.ik import PositionTask, solve_all
from diffkin.ik.turns import turning
from diffkin.robot import Robot

__all__ = ["EverySolution", "Occasional", "every_solution"]

_Value = TypeVar("_Value")

_MOST_TURNS = 512  # solutions of an arm without self-motion, that differ by whole turns too
_LOST = 1e-9  # a singular value below this share of the largest is none
_SAME = 1e-3  # [rad or m] solutions nearer than this look the same


class Occasional(Generic[_Value]):
    """A slow function of the target, and its last value.

    Args:
        function: Of a (4, 4) target.
        wait: At least between two calls [s].
    """

    def __init__(self, function: Callable[[Tensor], _Value], wait: float = 0.3) -> None:
        self._function = function
        self._wait = wait
        self._target: Tensor | None = None
        self._asked = -math.inf
        self._value: _Value | None = None

    def at(self, target: Float[Tensor, "4 4"], t: float) -> _Value | None:
        """Its value for the target, or for one of just before."""
        fresh = self._target is not None and torch.equal(target, self._target)
        if not fresh and not self._asked <= t < self._asked + self._wait:
            self._value, self._target, self._asked = self._function(target), target.clone(), t
        return self._value


@dataclass(frozen=True, eq=False)
class EverySolution:
    """The solutions of one target.

    Attributes:
        q: (n, dof) those that look different, nearest first.
        count: How many there are, whole turns included.
        endless: Whether they lie on curves, of which ``q`` is a spread.
    """

    q: Float[Tensor, "n dof"]
    count: int
    endless: bool


def every_solution(robot: Robot, target: Float[Tensor, "4 4"], q0: Float[Tensor, " dof"], most: int) -> EverySolution:
    """The solutions of one target by ``solve_all``.

    Args:
        robot: A float64 robot with a tip.
        target: (4, 4) pose of the tip.
        q0: (dof,) where to be near.
        most: How many to give where they are endless.

    Returns:
        The solutions.
    """
    full = asks_for_rotation(robot)
    rows = robot.jacobian(robot.sample(8, seed=0))[:, : 6 if full else 3]
    values = torch.linalg.svdvals(rows)
    rank = int((values > _LOST * values[:, :1]).sum(-1).max())
    endless = rank < robot.dof
    goal = target if full else PositionTask(None, target[:3, 3])
    found = solve_all(robot, goal, q0=q0, max_solutions=most if endless else _MOST_TURNS)
    count = int(found.count)
    return EverySolution(_unlike(robot, found.q[:count]), count, endless)


def _unlike(robot: Robot, q: Tensor) -> Tensor:
    """Of coordinates (n, dof) that differ by whole turns alone, the first."""
    turns = turning(robot.tree, robot.lower, robot.upper)
    gap = q[:, None] - q[None]
    gap = torch.where(turns, torch.remainder(gap + math.pi, 2.0 * math.pi) - math.pi, gap)
    before = torch.ones(len(q), len(q), dtype=torch.bool, device="cpu").tril(-1)
    return q[~((gap.abs().amax(-1) < _SAME) & before).any(-1)]
