"""Ways through many solutions of each pose: layers, the best sequence by dynamic programming, and its smoothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from diffkin.ik import solve_ik

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["Targets", "best_way", "filled", "layers_of", "smoothed"]

Targets = Callable[[Tensor], Any]
"""Gives the targets of some ticks (m,), as ``solve_ik`` takes them."""

_FRESH = 256  # starts of every layer
_CARRIED = 192  # solutions of a layer followed into the next
_SUM = 1e-3  # weight of the sum of steps beside the largest
_STRIDES = (16, 8, 4, 2, 1, 1)  # of the averages, from long waves to short ones


def layers_of(
    robot: Robot, targets: Targets, ticks: Tensor, first: Tensor, last: Tensor | None, seed: int, effort: int = 1
) -> list[Tensor]:
    """Solutions at some ticks: those of random starts, and those that the neighbouring layers lead to.

    Args:
        robot: The robot.
        targets: Of the path.
        ticks: (m,) which of them.
        first: (k, dof) all that the first layer may hold.
        last: (k, dof) all that the last layer may hold; None if that is free.
        seed: Of the starts.
        effort: How many times the usual number of starts.

    Returns:
        (k, dof) solutions of each of the m layers; none where nothing was found.
    """
    generator, fresh = torch.Generator().manual_seed(seed + effort), effort * _FRESH
    starts = robot.sample(len(ticks) * fresh, seed=generator)
    found = solve_ik(robot, targets(ticks.repeat_interleave(fresh)), q0=starts, max_restarts=0, max_iterations=20)
    q, success = found.q.reshape(len(ticks), fresh, -1), found.success.reshape(len(ticks), fresh)
    layers = [q[k][success[k]] for k in range(len(ticks))]
    layers[0] = first
    if last is not None:
        layers[-1] = last
    carried = _CARRIED * min(effort, 2)
    inner = range(1, len(ticks) - (last is not None))
    forward, backward = [layers[0]], [layers[-1]]
    for k in inner:
        near = _some(torch.cat((forward[-1], layers[k - 1])), carried, generator)
        forward.append(_followed(robot, targets, ticks[k], near))
    for k in reversed(range(1, len(ticks) - 1)):
        near = _some(torch.cat((backward[-1], layers[k + 1])), carried, generator)
        backward.append(_followed(robot, targets, ticks[k], near))
    backward = [*reversed(backward)]
    for k in inner:
        more = [backward[k - 1]] if k < len(ticks) - 1 else []
        layers[k] = torch.cat([layers[k], forward[k], *more])
    return layers


def _some(q: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """At most so many of some solutions (n, dof), by chance; the first, which was followed longest, always."""
    if len(q) <= most:
        return q
    return torch.cat((q[:1], q[1 + torch.randperm(len(q) - 1, generator=generator)[: most - 1]]))


def _followed(robot: Robot, targets: Targets, tick: Tensor, q: Tensor) -> Tensor:
    """(m, dof) where solutions of a neighbouring pose lead at a tick."""
    if not len(q):
        return q
    found = solve_ik(robot, targets(tick.expand(len(q))), q0=q, max_restarts=0, max_iterations=10)
    return found.q[found.success]


def best_way(layers: list[Tensor], weights: Tensor, most: float | None = None) -> tuple[Tensor, float]:
    """The sequence of one solution a layer with the smallest largest step, then the smallest sum of steps.

    Args:
        layers: (k, dof) solutions each, none of them empty.
        weights: (dof,) factors on the coordinates of a step, which is measured by its largest.
        most: If given, first the fewest steps larger than this instead, then the smallest sum.

    Returns:
        (m, dof) the sequence, and its largest step.
    """
    cost, back = layers[0].new_zeros(len(layers[0])), []
    for before, now in zip(layers, layers[1:], strict=False):
        step = torch.cdist(now * weights, before * weights, p=torch.inf)
        if most is None:
            total = torch.maximum(cost, step) + _SUM * step
        else:
            total = cost + step + torch.where(step > most, 1e6, 0.0)
        cost, from_which = total.min(-1)
        back.append(from_which)
    at = cost.argmin()
    way = [at]
    for from_which in reversed(back):
        way.append(from_which[way[-1]])
    q = torch.stack([layer[k] for layer, k in zip(layers, reversed(way), strict=True)])
    steps = ((q[1:] - q[:-1]).abs() * weights).amax(-1)
    return q, float(steps.max()) if len(steps) else 0.0


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
    time = torch.arange(count)
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
    time = torch.arange(count)
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
