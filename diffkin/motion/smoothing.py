"""A whole path from solutions at some of its ticks: all ticks filled in, and steps made shorter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from diffkin.ik import solve_ik
from diffkin.motion.layers import Targets

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["filled", "smoothed"]

_SUM = 1e-3  # weight of the sum of steps beside the largest
_STRIDES = (16, 8, 4, 2, 1, 1)  # of the averages, from long waves to short ones


def filled(
    robot: Robot, targets: Targets, ticks: Tensor, way: Tensor, count: int, broken: Tensor
) -> tuple[Tensor, Tensor]:
    """Solutions of every tick, from the straight lines between those of some ticks.

    Args:
        robot: The robot.
        targets: Of the path.
        ticks: (m,) which ticks are known; the first is 0.
        way: (m, dof) solutions there.
        count: How many ticks there are.
        broken: (m - 1,) between which of them the way jumps: there, the earlier is followed.

    Returns:
        (count, dof) the best found and (count,) whether it is a solution.
    """
    time = torch.arange(count, device=way.device)
    after = torch.searchsorted(ticks, time, right=True).clamp(1, max(1, len(ticks) - 1))
    if len(ticks) == 1:
        guess = way.expand(count, -1)
    else:
        share = (time - ticks[after - 1]).double() / (ticks[after] - ticks[after - 1])
        share = torch.where(broken[after - 1], (share >= 1.0).double(), share.clamp(0.0, 1.0))[:, None]
        guess = (1.0 - share) * way[after - 1] + share * way[after]
    found = solve_ik(robot, targets(time), q0=guess, max_restarts=0)
    q, success = found.q.clone(), found.success.clone()
    q[ticks], success[ticks] = way, True
    return q, success


def smoothed(robot: Robot, targets: Targets, q: Tensor, fixed: Tensor, rounds: int = 4) -> Tensor:
    """The path with shorter steps, by averages of neighbours brought back onto the poses, as long as that helps.

    Args:
        robot: The robot.
        targets: Of the path.
        q: (n, dof) a solution of every tick.
        fixed: (n,) which ticks stay, and which others are not averaged across.
        rounds: How often it goes from long averages to short ones, at most.

    Returns:
        (n, dof) solutions.
    """
    count = len(q)
    time = torch.arange(count, device=q.device)
    marks = fixed.nonzero().flatten()
    place = torch.searchsorted(marks, time, right=True)
    left, right = marks[(place - 1).clamp(min=0)], marks[place.clamp(max=len(marks) - 1)]
    best = q
    for _ in range(rounds):
        before = _cost(best)
        for stride in _STRIDES:
            reach = torch.minimum(torch.full_like(time, stride), torch.minimum(time - left, right - time)).clamp(min=0)
            reach = torch.where(fixed, 0, reach)
            guess = 0.5 * (best[time - reach] + best[(time + reach).clamp(max=count - 1)])
            found = solve_ik(robot, targets(time), q0=guess, max_restarts=0, max_iterations=10)
            moved = torch.where((found.success & ~fixed)[:, None], found.q, best)
            if _cost(moved) < _cost(best):
                best = moved
        if _cost(best) > 0.98 * before:
            break
    return best


def _cost(q: Tensor) -> float:
    step = (q[1:] - q[:-1]).abs().amax(-1)
    return float(step.max() + _SUM * step.sum()) if len(step) else 0.0
