"""What is too slow for every frame: asked where the target changed, but not more often than every so many seconds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin.demos.arm.answers import asks_for_rotation
from diffkin.demos.arm.common import turned_apart
from diffkin.ik import PositionTask, solve_ik
from diffkin.robot import Robot

__all__ = ["Occasional", "spread_solutions"]

_Value = TypeVar("_Value")

_STARTS = 200  # of the search for other solutions


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


def spread_solutions(
    robot: Robot, target: Float[Tensor, "4 4"], count: int, apart: float = 0.6
) -> Float[Tensor, "n dof"]:
    """Some solutions of one target, as different from each other as there are.

    Args:
        robot: A float64 robot with a tip.
        target: (4, 4) pose of the tip.
        count: How many, at most.
        apart: How far two of them are at least, over all coordinates [rad or m].

    Returns:
        (n, dof) solutions.
    """
    starts = robot.sample(_STARTS, seed=0)
    full = asks_for_rotation(robot)
    goal = target.expand(_STARTS, 4, 4) if full else PositionTask(None, target[:3, 3].expand(_STARTS, 3))
    result = solve_ik(robot, goal, q0=starts, max_restarts=0, max_iterations=40)
    found = result.q[result.success]
    chosen: list[Tensor] = []
    away = torch.full((len(found),), math.inf, dtype=torch.float64)
    while len(found) and len(chosen) < count and float(away.max()) > apart:
        chosen.append(found[int(away.argmax())])
        away = torch.minimum(away, turned_apart(robot, found, chosen[-1]))
    return torch.stack(chosen) if chosen else found[:0]
