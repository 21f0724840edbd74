"""Many solutions at some ticks of a path, and the best sequence through them by dynamic programming."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from diffkin._gate import array, kernel, kernels_apply
from diffkin.ik import solve_ik

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["Targets", "best_way", "layers_of", "narrowest_step"]

Targets = Callable[[Tensor], Any]
"""Gives the targets of some ticks (m,), as ``solve_ik`` takes them."""

_FRESH = 256  # starts of every layer
_CARRIED = 192  # solutions of a layer followed into the next
_JUMP = 1e6  # what a step that counts as a jump costs, as in the kernel


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
    return torch.cat((q[:1], q[1 + torch.randperm(len(q) - 1, generator=generator, device="cpu")[: most - 1]]))


def _followed(robot: Robot, targets: Targets, tick: Tensor, q: Tensor) -> Tensor:
    """(m, dof) where solutions of a neighbouring pose lead at a tick."""
    if not len(q):
        return q
    found = solve_ik(robot, targets(tick.expand(len(q))), q0=q, max_restarts=0, max_iterations=10)
    return found.q[found.success]


def best_way(
    layers: list[Tensor],
    weights: Tensor,
    most: float | None = None,
    slack: float = 0.0,
    extra: list[Tensor] | None = None,
) -> tuple[Tensor, float]:
    """The sequence of one solution a layer with the smallest largest step, then the smallest sum of steps.

    Args:
        layers: (k, dof) solutions each, none of them empty.
        weights: (dof,) factors on the coordinates of a step in the sum. A step is as long as its largest coordinate.
        most: If given, first the fewest steps larger than this instead, then the smallest sum.
        slack: Steps up to this are as good as smaller ones; in the sum they count.
        extra: (k,) each, what a solution costs by itself, in the sum; nothing if None.

    Returns:
        (m, dof) the sequence, and its largest step.
    """
    bounds = torch.tensor([0, *(len(layer) for layer in layers)], device=layers[0].device).cumsum(0)
    q = torch.cat(layers)
    cost = q.new_zeros(len(q)) if extra is None else torch.cat(extra)
    cheapest = _by_kernel if kernels_apply(q) else _by_torch
    if most is None:
        _, least = cheapest(q, bounds, weights, torch.inf, torch.inf, None)
        rows, _ = cheapest(q, bounds, weights, max(least, slack), torch.inf, cost)
    else:
        rows, _ = cheapest(q, bounds, weights, torch.inf, most, cost)
    steps = q[rows].diff(dim=0).abs().amax(-1)
    return q[rows], float(steps.max()) if len(steps) else 0.0


def narrowest_step(layers: list[Tensor], reach: float = torch.inf) -> float:
    """The smallest largest step of any sequence of one solution a layer, (k, dof) each; infinite if above ``reach``."""
    bounds = torch.tensor([0, *(len(layer) for layer in layers)], device=layers[0].device).cumsum(0)
    q = torch.cat(layers)
    cheapest = _by_kernel if kernels_apply(q) else _by_torch
    return cheapest(q, bounds, torch.ones_like(q[0]), reach, torch.inf, None)[1]


def _by_kernel(
    q: Tensor, bounds: Tensor, weights: Tensor, reach: float, jump: float, cost: Tensor | None
) -> tuple[Tensor | None, float]:
    extra = None if cost is None else array(cost)
    way = kernel("ways.cheapest_way")
    rows, least = way(array(q), bounds.numpy(), array(weights), jump, extra is not None, extra, reach)
    return None if rows is None else torch.from_numpy(rows), least


def _by_torch(
    q: Tensor, bounds: Tensor, weights: Tensor, reach: float, jump: float, cost: Tensor | None
) -> tuple[Tensor, float]:
    """As ``diffkin.kernels.ways.cheapest_way``, summed where ``cost`` is given."""
    parts = [slice(first, end) for first, end in itertools.pairwise(bounds.tolist())]
    best, back = q.new_zeros(parts[0].stop) if cost is None else cost[parts[0]], []
    for before, now in itertools.pairwise(parts):
        step = torch.cdist(q[now], q[before], p=torch.inf)
        if cost is None:
            total = torch.maximum(step, best)
        else:
            weighed = torch.cdist(weights * q[now], weights * q[before], p=torch.inf)
            total = weighed + best + torch.where(step > jump, _JUMP, 0.0)
        best, from_which = total.where(step <= reach, torch.inf).min(-1)
        best = best if cost is None else best + cost[now]
        back.append(from_which)
    way = [int(best.argmin())]
    for from_which in reversed(back):
        way.append(int(from_which[way[-1]]))
    rows = torch.tensor([part.start + k for part, k in zip(parts, reversed(way), strict=True)], device=q.device)
    return rows, float(best.min())
