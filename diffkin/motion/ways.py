"""Ways along a whole path: followed from tick to tick, or chosen among many solutions, filled in and smoothed."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin.ik import solve_ik
from diffkin.ik.kernel_route import solve_in_turn
from diffkin.ik.options import make_options
from diffkin.motion.goal import ENOUGH, OWN, Goal, largest_step
from diffkin.motion.layers import best_way, layers_of, narrowest_step
from diffkin.motion.smoothing import filled, smoothed

__all__ = ["chosen_way", "followed_way", "straightened"]

_LAYERS = 100
_REPAIRS = 4
_AROUND = 16  # ticks before and behind a step that is repaired
_STARTS = 16  # of a closed path without a start: so many ends are tried


def followed_way(goal: Goal, firsts: Float[Tensor, "k dof"]) -> Float[Tensor, "n dof"] | None:
    """Every tick solved from the last, from the start of which the largest step is least; None if all fail."""
    path, met = _in_turn(goal, firsts)
    good = met.all(0)
    if len(path) < goal.count or not bool(good.any()):
        return None
    if goal.closed:
        good &= (path[-1] - path[0]).abs().amax(-1) < 1e-4
        if not bool(good.any()):
            return None
    longest = path.diff(dim=0).abs().amax(-1).amax(0) if goal.count > 1 else torch.zeros_like(path[0, :, 0])
    whole = path[:, int(longest.where(good, torch.inf).argmin())].clone()
    if goal.closed:
        whole[-1] = whole[0]
    return whole


def _in_turn(goal: Goal, firsts: Tensor) -> tuple[Tensor, Tensor]:
    """Ticks solved one from the other: coordinates (m, k, dof), and where they meet them (m, k), until none does."""
    if goal.poses is not None:
        found = solve_in_turn(make_options(torch.float64, max_restarts=0), goal.robot, goal.poses, firsts)
        if found is not None:
            return found
    q, path, met = firsts, [], []
    for tick in range(goal.count):
        each = goal.targets(torch.full((len(q),), tick, device=q.device))
        result = solve_ik(goal.robot, each, q0=q, max_restarts=0)
        q = result.q
        path.append(q)
        met.append(result.success)
        if not bool(result.success.any()):
            break
    return torch.stack(path), torch.stack(met)


def straightened(goal: Goal, q: Float[Tensor, "n dof"]) -> Float[Tensor, "n dof"]:
    """A way between its two ends with shorter steps."""
    fixed = torch.zeros(len(q), dtype=torch.bool, device=q.device)
    fixed[0] = fixed[-1] = True
    return smoothed(goal.robot, goal.targets, q, fixed)


def chosen_way(
    goal: Goal, firsts: Float[Tensor, "k dof"], known: Float[Tensor, "n dof"] | None, fewest: bool, effort: int
) -> Float[Tensor, "n dof"] | None:
    """The best sequence through layers of solutions at some ticks, filled in, smoothed and repaired.

    Args:
        goal: The path.
        firsts: (k, dof) where it may begin.
        known: (n, dof) a way that is among those chosen from; None if there is none.
        fewest: Whether, where it jumps, it is to jump as rarely as can be.
        effort: How many times the usual number of solutions.

    Returns:
        (n, dof) coordinates; None where the first tick has no solution.
    """
    ticks = torch.linspace(0, goal.count - 1, min(goal.count, _LAYERS), device=firsts.device).round().long().unique()
    found = solve_ik(
        goal.robot,
        goal.targets(torch.zeros(len(firsts), dtype=torch.long, device=firsts.device)),
        q0=firsts,
        max_restarts=0,
    )
    first = found.q[found.success]
    if not len(first):
        return None
    ends = first[:: -(-len(first) // _STARTS)] if goal.closed and goal.count > 1 else None
    layers = layers_of(goal.robot, goal.targets, ticks, first if ends is None else ends, ends, goal.seed, effort)
    if known is not None:
        inner = range(1, len(ticks) - (ends is not None))
        layers = [torch.cat((layer, known[ticks[k]][None])) if k in inner else layer for k, layer in enumerate(layers)]
    if ends is not None:
        layers[0] = layers[-1] = _best_end(layers, ends)
    return _through(goal, layers, ticks, fewest, effort)


def _best_end(layers: list[Tensor], ends: Tensor) -> Tensor:
    """(1, dof) the one of some ends (k, dof) from which a closed way through layers takes the smallest largest step."""
    inner, least, best = [layer for layer in layers[1:-1] if len(layer)], torch.inf, ends[:1]
    for end in ends.split(1):
        step = narrowest_step([end, *inner, end], least)
        if step < least:
            least, best = step, end
    return best


def _through(goal: Goal, layers: list[Tensor], ticks: Tensor, fewest: bool, effort: int) -> Tensor:
    """(n, dof) the best sequence through some layers, with all ticks between."""
    there = [k for k, layer in enumerate(layers) if len(layer)]
    kept, at = [layers[k] for k in there], ticks[there]
    way, _ = best_way(kept, goal.weights)
    asked = goal.asked(way, at)
    most = max(0.3, 2.0 * OWN * asked)  # beyond it, a step between waypoints must be a jump
    jumps = bool((way.diff(dim=0).abs().amax(-1) > most).any())
    if goal.chooses or (fewest and jumps):
        extra = [goal.limit_weight * goal.nearness(layer) for layer in kept]
        way, _ = best_way(kept, goal.weights, most if fewest and jumps else None, ENOUGH * asked, extra)
    broken = way.diff(dim=0).abs().amax(-1) > most
    q, good = filled(goal.robot, goal.targets, at, way, goal.count, broken)
    fixed = ~good
    fixed[0] = fixed[-1] = True
    edges = at[1:][broken]
    fixed[edges] = fixed[(edges - 1).clamp(min=0)] = True
    return _repaired(goal, smoothed(goal.robot, goal.targets, q, fixed), fixed, effort)


def _repaired(goal: Goal, q: Tensor, fixed: Tensor, effort: int) -> Tensor:
    """The path with its longest steps gone through anew, a layer at every tick around them."""
    bound = ENOUGH * goal.asked(q)
    for _ in range(_REPAIRS):
        step = q.diff(dim=0).abs().amax(-1)
        worst = int(step.argmax()) if len(step) else 0
        if not len(step) or float(step[worst]) <= bound:
            break
        ticks = torch.arange(max(0, worst - _AROUND), min(len(q), worst + 2 + _AROUND), device=q.device)
        layers = layers_of(goal.robot, goal.targets, ticks, q[ticks[:1]], q[ticks[-1:]], goal.seed, effort)
        known = [torch.cat((layer, q[tick][None])) for layer, tick in zip(layers, ticks, strict=True)]
        way, _ = best_way(known, goal.weights)
        tried = q.clone()
        tried[ticks[1:-1]] = way[1:-1]
        tried = smoothed(goal.robot, goal.targets, tried, fixed, rounds=2)
        if largest_step(tried) >= float(step[worst]):
            break
        q = tried
    return q
