"""Which solutions are given: whole turns of each where there are few, a spread where there are many, nearest first."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from diffkin.ik.turns import nearest_turn

__all__ = ["MOST_FINITE", "choose_solutions"]

MOST_FINITE = 16
"""Solutions of six joints, unless there are infinitely many (Primrose, Mechanism and Machine Theory 21, 1986)."""

_TURN = 2.0 * torch.pi
_EDGE = 1e-8  # [rad or m] what is this little beyond a limit is on it


def choose_solutions(
    q: Float[Tensor, "n m dof"],
    count: Int[Tensor, " n"],
    near: Float[Tensor, "n dof"],
    lower: Float[Tensor, " dof"],
    upper: Float[Tensor, " dof"],
    turns: Bool[Tensor, " dof"],
    most: int,
    weights: Float[Tensor, " dof"],
) -> tuple[Float[Tensor, "n k dof"], Int[Tensor, " n"]]:
    """The solutions within limits that are nearest to where the caller is.

    Args:
        q: (n, m, dof) distinct solutions up to whole turns, those beyond the count of no meaning.
        count: (n,) how many there are. Up to ``MOST_FINITE`` all their whole turns are looked at; of more a spread is
            taken, of each the turn that is nearest.
        near: (n, dof) where to be near.
        lower: (dof,) limits.
        upper: (dof,) limits.
        turns: (dof,) which coordinates a whole turn leads back.
        most: At most so many of each problem.
        weights: (dof,) of the squared differences in the distance.

    Returns:
        (n, k, dof) solutions, nearest first, and (n,) how many of them are meant.
    """
    real = torch.arange(q.shape[1], device=q.device) < count[:, None]
    base = torch.where(turns, torch.remainder(q + torch.pi, _TURN) - torch.pi, q)
    nearest = nearest_turn(base, near[:, None].expand_as(q), lower, upper, turns, torch.inf)
    inside = ((nearest >= lower - _EDGE) & (nearest <= upper + _EDGE)).all(-1)
    distance = (weights * (nearest - near[:, None]).square()).sum(-1).where(real & inside, torch.inf)
    many, few = (count > MOST_FINITE).nonzero().flatten(), (count <= MOST_FINITE).nonzero().flatten()
    width = min(MOST_FINITE, q.shape[1])
    parts = [
        (many, *_spread(nearest[many], distance[many], turns, most)),
        (few, *_turned(base[few, :width], real[few, :width], near[few], lower, upper, turns, most, weights)),
    ]
    wide = max(part[1].shape[1] for part in parts)
    every, far = q.new_zeros(len(q), wide, q.shape[-1]), q.new_full((len(q), wide), torch.inf)
    for rows, some, distances in parts:
        every[rows, : some.shape[1]], far[rows, : some.shape[1]] = some, distances
    far, order = far.sort(dim=1, stable=True)
    every = every.gather(1, order[:, :most, None].expand(-1, -1, q.shape[-1]))
    return every, torch.isfinite(far[:, :most]).sum(-1)


def _spread(q: Tensor, distance: Tensor, turns: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Of each row the nearest, then always the one farthest from all chosen, (n, most, dof), with distances."""
    if q.shape[1] <= most or not len(q):
        return q, distance
    rows = torch.arange(len(q), device=q.device)
    chosen = distance.argmin(-1)
    picked = [chosen]
    apart = torch.full_like(distance, torch.inf).where(torch.isfinite(distance), -torch.inf)
    for _ in range(most - 1):
        gap = q - q[rows, chosen][:, None]
        gap = torch.where(turns, torch.remainder(gap + torch.pi, _TURN) - torch.pi, gap)
        apart = torch.minimum(apart, gap.square().sum(-1))
        chosen = apart.argmax(-1)
        picked.append(chosen)
    order = torch.stack(picked, dim=1)
    late = torch.arange(most, device=q.device) >= torch.isfinite(distance).sum(-1)[:, None]
    distance = distance.gather(1, order).masked_fill(late, torch.inf)
    return q.gather(1, order[..., None].expand(-1, -1, q.shape[-1])), distance


def _turned(
    q: Tensor, real: Tensor, near: Tensor, lower: Tensor, upper: Tensor, turns: Tensor, most: int, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """The whole turns of each solution within limits, the nearest of each, (n, k, dof), and their distances (n, k).

    The distance is a sum over joints, so the nearest can be chosen one joint after another.
    """
    q, cost = q[:, :, None], torch.zeros_like(q[..., :1]).masked_fill(~real[..., None], torch.inf)
    for joint in range(q.shape[-1]):
        low, high = float(lower[joint]), float(upper[joint])
        reference, own = near[:, joint, None, None, None], q[..., joint, None]
        if not len(q) or not bool(turns[joint]):
            at = own
        elif low == -torch.inf and high == torch.inf:
            at = own + _TURN * torch.round((reference - own) / _TURN)
        else:
            first = max((low - torch.pi) / _TURN, float(near[:, joint].amin()) / _TURN - most - 1)
            last = min((high + torch.pi) / _TURN, float(near[:, joint].amax()) / _TURN + most + 1)
            at = own + _TURN * torch.arange(
                math.ceil(first - _EDGE), math.floor(last + _EDGE) + 1, device=own.device
            ).to(own)
        inside = (at >= low - _EDGE) & (at <= high + _EDGE)
        each = (cost[..., None] + weights[joint] * (at - reference).square()).where(inside, torch.inf)
        finite = torch.isfinite(each).flatten(2).sum(-1)
        take = min(most, max(1, int(finite.max()) if finite.numel() else 1))
        cost, order = each.flatten(2).topk(take, dim=-1, largest=False)
        q = q.gather(2, (order // at.shape[-1])[..., None].expand(-1, -1, -1, q.shape[-1])).clone()
        q[..., joint] = at.flatten(2).gather(2, order)
    return q.flatten(1, 2), cost.flatten(1, 2)
