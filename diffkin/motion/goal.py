"""What a path of poses is to meet, and by what the ways to meet it are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin.ik.problem import Problem, State

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["ENOUGH", "OWN", "Goal", "largest_step"]

ENOUGH = 2.0
"""Times what the poses ask for: nothing shorter is looked for."""

OWN = 3.0
"""A step is the path's own if it is at most so many times what its poses ask for."""


@dataclass(frozen=True, eq=False)
class Goal:
    """A path to be met.

    Attributes:
        robot: The robot, float64.
        problem: The path as a batch of problems, one a tick.
        poses: (n, 4, 4), or None where the path is given by tasks.
        count: n, the number of ticks.
        weights: (dof,) factors on the joints' steps in their sum.
        limit_weight: Of ``nearness`` beside the sum of steps [rad or m].
        closed: Whether the last coordinates are to be the first.
        seed: Of all random starts.
    """

    robot: Robot
    problem: Problem
    poses: Tensor | None
    count: int
    weights: Tensor
    limit_weight: float
    closed: bool
    seed: int

    @property
    def chooses(self) -> bool:
        """Whether weights make some ways better than others that are as smooth."""
        return self.limit_weight > 0 or bool((self.weights != self.weights[:1]).any())

    def targets(self, ticks: Tensor) -> Any:
        """The targets of some ticks (m,), as ``solve_ik`` takes them."""
        return [task.exact_at(ticks) for task in self.problem.tasks] if self.poses is None else self.poses[ticks]

    def asked(self, q: Float[Tensor, "m dof"], ticks: Tensor | None = None) -> float:
        """How long steps must be: the 90 % quantile over the largest coordinates of the least steps ``J^+ r``.

        Args:
            q: (m, dof) coordinates at some ticks.
            ticks: (m,) which; all if None.

        Returns:
            [rad or m], 0 for one tick.
        """
        if len(q) < 2:
            return 0.0
        ticks = torch.arange(len(q), device=q.device) if ticks is None else ticks
        residual, jacobian = self.problem.linearize(State(q[:-1], None, ticks[1:]))
        step = (torch.linalg.pinv(jacobian, rtol=1e-3) @ residual[..., None]).squeeze(-1)
        return float(step.abs().amax(-1).quantile(0.9))

    def nearness(self, q: Float[Tensor, "m dof"]) -> Float[Tensor, " m"]:
        """How near coordinates are to limits: 0 in the middle, 1 where some joint is on a limit."""
        half = 0.5 * (self.robot.upper - self.robot.lower)
        middle = (0.5 * (self.robot.upper + self.robot.lower)).where(torch.isfinite(half), 0.0)
        share = (q - middle).abs() / half
        return share.where(half > 0, 0.0).amax(-1)


def largest_step(q: Float[Tensor, "n dof"]) -> float:
    """Of all joints between all neighbours; 0 where there is one tick."""
    return float(q.diff(dim=0).abs().max()) if len(q) > 1 else 0.0
