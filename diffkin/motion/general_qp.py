"""Least squares with bounds and linear inequalities, one problem after another by the solver daqp."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from diffkin.errors import MissingDependencyError

__all__ = ["solve_general_least_squares"]

_SETTINGS: dict[str, float] = {"primal_tol": 1e-12, "dual_tol": 1e-12, "iter_limit": 10_000}
_NONE = 1e30  # what daqp takes for infinity
_LEAST = 1e-8  # weight of a short motion beside that of broken inequalities, squared
_ROOM = 1e-9  # given to inequalities that cannot all be kept, beside the least by which they are broken

Floats = np.ndarray[Any, Any]


def solve_general_least_squares(
    matrix: Float[Tensor, "n rows k"],
    given: Float[Tensor, "n rows"],
    weight: Float[Tensor, "n k"],
    wanted: Float[Tensor, "n k"],
    lower: Float[Tensor, "n k"],
    upper: Float[Tensor, "n k"],
    left: Float[Tensor, "n m k"],
    right: Float[Tensor, "n m"],
) -> Float[Tensor, "n k"]:
    """Minimise ``|A x + b|^2 + sum_i w_i (x_i - e_i)^2`` with ``lower <= x <= upper`` and ``G x <= h``.

    By the dual active-set method of daqp (Arnstrom, Bemporad & Axehill, IEEE Trans. Automatic Control 67, 2022). Where the
    bounds leave no x with ``G x <= h``, the bounds are kept and the sum of the squares of what is broken is least.

    Args:
        matrix: (n, rows, k) A.
        given: (n, rows) b.
        weight: (n, k) w above 0.
        wanted: (n, k) e.
        lower: (n, k), -inf where there is none.
        upper: (n, k) at least ``lower``, inf where there is none.
        left: (n, m, k) G.
        right: (n, m) h, inf where there is none.

    Returns:
        (n, k) the minimisers, within the bounds to the bit.

    Raises:
        diffkin.errors.MissingDependencyError: The package daqp is not installed.
    """
    _daqp()
    hessian = matrix.mT @ matrix + torch.diag_embed(weight)
    gradient = (matrix.mT @ given[..., None]).squeeze(-1) - weight * wanted
    arrays = [part.cpu().numpy() for part in (hessian, gradient, lower, upper, left, right)]
    rows = [_solve(*(np.ascontiguousarray(part[row]) for part in arrays)) for row in range(len(matrix))]
    found = torch.from_numpy(np.stack(rows)).to(matrix.device) if rows else torch.zeros_like(lower)
    return torch.minimum(torch.maximum(found, lower), upper)


def _solve(hessian: Floats, gradient: Floats, lower: Floats, upper: Floats, left: Floats, right: Floats) -> Floats:
    x = _program(hessian, gradient, lower, upper, left, right)
    if x is not None:
        return x
    nearest = _least_broken(lower, upper, left, right)
    x = _program(hessian, gradient, lower, upper, left, np.maximum(right, left @ nearest) + _ROOM)
    return nearest if x is None else x


def _least_broken(lower: Floats, upper: Floats, left: Floats, right: Floats) -> Floats:
    """The x within bounds that breaks ``left x <= right`` least, by one more variable for each row."""
    k, m = len(lower), len(right)
    hessian = np.diag(np.concatenate([np.full(k, _LEAST), np.ones(m)]))
    bounds = np.concatenate([lower, np.zeros(m)]), np.concatenate([upper, np.full(m, np.inf)])
    x = _program(hessian, np.zeros(k + m), *bounds, np.hstack([left, -np.eye(m)]), right)
    return np.clip(0.0, lower, upper) if x is None else np.clip(x[:k], lower, upper)


def _program(
    hessian: Floats, gradient: Floats, lower: Floats, upper: Floats, left: Floats, right: Floats
) -> Floats | None:
    """The minimiser of ``x^T H x / 2 + g^T x`` within bounds and inequalities; None if there is none."""
    k, m = len(gradient), len(right)
    high = np.minimum(np.concatenate([upper, right]), _NONE)
    low = np.maximum(np.concatenate([lower, np.full(m, -np.inf)]), -_NONE)
    sense = np.zeros(k + m, np.intc)
    x, _, flag, _ = _daqp().solve(hessian, gradient, np.ascontiguousarray(left), high, low, sense, **_SETTINGS)
    return np.array(x) if flag > 0 else None


def _daqp() -> Any:
    try:
        import daqp
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "inequalities are solved by daqp, which is not installed. Install it with `pip install 'diffkin[servo]'`."
        ) from error
    return daqp
