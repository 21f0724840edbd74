"""Quadratic programs with bounds on each variable, exactly solved for a whole batch by an active set."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["solve_box_least_squares", "solve_box_qp"]

_TRIES = 8  # exchanges of all at once that may fail to help before they go one by one
_TOLERANCE = 1e-12


def solve_box_qp(
    hessian: Float[Tensor, "n k k"],
    gradient: Float[Tensor, "n k"],
    lower: Float[Tensor, "n k"],
    upper: Float[Tensor, "n k"],
) -> Float[Tensor, "n k"]:
    """Minimise ``x^T H x / 2 + g^T x`` with ``lower <= x <= upper``.

    Block principal pivoting: guess which variables are on which bound, solve for the others, and exchange all that are
    wrong; where that does not make fewer of them wrong, the last one alone, which ends for certain (Judice & Pires,
    Computers & Operations Research 21, 1994).

    Args:
        hessian: (n, k, k) symmetric and positive definite.
        gradient: (n, k).
        lower: (n, k), -inf where there is none.
        upper: (n, k) at least ``lower``, inf where there is none.

    Returns:
        (n, k) the minimisers, within the bounds to the bit.
    """
    n, k = gradient.shape
    result = torch.zeros_like(gradient)
    rows = torch.arange(n, device=gradient.device)
    side = torch.zeros(n, k, dtype=torch.long, device=gradient.device)  # -1 on the lower bound, 1 on the upper
    side = torch.where(lower == upper, -1, side)
    best, left = torch.full((n,), k + 1, device=side.device), torch.full((n,), _TRIES, device=side.device)
    scale = hessian.diagonal(dim1=-2, dim2=-1).amax(-1, keepdim=True)
    for _ in range(4 * 2**k + 64):
        h, g, low, high = hessian[rows], gradient[rows], lower[rows], upper[rows]
        bound = torch.where(side < 0, low, high).where(side != 0, 0.0)
        free = (side == 0).to(h.dtype)
        inner = h * free[:, :, None] * free[:, None] + torch.diag_embed(1.0 - free)
        x = torch.linalg.solve(inner, -free * (g + (h @ bound[..., None]).squeeze(-1))) + bound
        slope = (h @ x[..., None]).squeeze(-1) + g
        slack = _TOLERANCE * scale[rows] * (1.0 + x.abs().amax(-1, keepdim=True))
        room = _TOLERANCE * (1.0 + x.abs())
        fixed = low == high
        to_low, to_high = (side == 0) & (x < low - room), (side == 0) & (x > high + room)
        off = (((side < 0) & (slope < -slack)) | ((side > 0) & (slope > slack))) & ~fixed
        wrong = to_low | to_high | off
        number = wrong.sum(-1)
        done = number == 0
        result[rows[done]] = x[done]
        if bool(done.all()):
            break
        better = number < best
        best, left = torch.minimum(best, number), torch.where(better, _TRIES, left - 1)
        last = torch.nn.functional.one_hot(k - 1 - wrong.flip(-1).long().argmax(-1), k).bool()
        change = torch.where((left >= 0)[:, None], wrong, wrong & last)
        moved = torch.where(to_low, -1, torch.where(to_high, 1, 0))
        side = torch.where(change, moved, side)
        rows, side, best, left = rows[~done], side[~done], best[~done], left[~done]
    return torch.minimum(torch.maximum(result, lower), upper)


def solve_box_least_squares(
    matrix: Float[Tensor, "n rows k"],
    given: Float[Tensor, "n rows"],
    weight: Float[Tensor, "n k"],
    wanted: Float[Tensor, "n k"],
    lower: Float[Tensor, "n k"],
    upper: Float[Tensor, "n k"],
) -> Float[Tensor, "n k"]:
    """Minimise ``|A x + b|^2 + sum_i w_i (x_i - e_i)^2`` with ``lower <= x <= upper``.

    As ``solve_box_qp`` of the normal equations, and then once more by orthogonal factors for the variables between their
    bounds: where weights are small, normal equations lose what lies in the null space of the matrix.

    Args:
        matrix: (n, rows, k) A.
        given: (n, rows) b.
        weight: (n, k) w above 0.
        wanted: (n, k) e.
        lower: (n, k), -inf where there is none.
        upper: (n, k) at least ``lower``, inf where there is none.

    Returns:
        (n, k) the minimisers, within the bounds to the bit.
    """
    gradient = (matrix.mT @ given[..., None]).squeeze(-1) - weight * wanted
    x = solve_box_qp(matrix.mT @ matrix + torch.diag_embed(weight), gradient, lower, upper)
    free = (x > lower) & (x < upper)
    start = torch.where(free, wanted, x)
    left = given + (matrix @ start[..., None]).squeeze(-1)
    stacked = torch.cat((matrix * free[:, None], torch.diag_embed(weight.sqrt())), dim=-2)
    q, r = torch.linalg.qr(stacked)
    turned = q[:, : matrix.shape[-2]].mT @ left[..., None]
    x = start - torch.linalg.solve_triangular(r, turned, upper=True).squeeze(-1).where(free, 0.0)
    return torch.minimum(torch.maximum(x, lower), upper)
