"""Linear least squares with bounds on the unknowns, for many problems at once, with gradients."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import apply, inverse, matmul, promote
from diffkin._checks import broadcast, check_finite, check_floating, check_last, has_values
from diffkin.aircraft._inputs import check_same_device, whole
from diffkin.errors import NonFiniteError, OptionError, ShapeError

__all__ = ["bounded_least_squares"]


def bounded_least_squares(
    matrix: Float[Tensor, "*batch m n"],
    target: Float[Tensor, "*batch m"],
    lower: Float[Tensor, "*batch n"],
    upper: Float[Tensor, "*batch n"],
    *,
    max_iterations: int = 100,
) -> Float[Tensor, "*batch n"]:
    """The x within bounds that minimises ``|A x - b|^2``, for many problems at once.

    A primal active-set method (Lawson and Hanson, "Solving Least Squares Problems", 1974; Stark and Parker, 1995):
    solve among the free variables, stop at the first bound in the way and hold that variable, and at the best point let
    go of the variable that pushes inwards most. It ends at the exact solution; one solve there carries the gradients.

    Args:
        matrix: (*batch, m, n), of full column rank.
        target: (*batch, m).
        lower: (*batch, n).
        upper: (*batch, n). Leading axes broadcast.
        max_iterations: Changes of the held set at most.

    Returns:
        (*batch, n).

    Raises:
        ShapeError: Shapes do not fit.
        NonFiniteError: ``matrix`` or ``target`` holds NaN or infinity, or a bound NaN.
        OptionError: A lower bound exceeds the upper one, or ``matrix`` has columns that depend on each other.
    """
    check_floating(matrix, "matrix")
    if matrix.ndim < 2:
        raise ShapeError(f"matrix must have shape (*batch, m, n), got {tuple(matrix.shape)}.")
    rows, columns = matrix.shape[-2:]
    check_last(target, (rows,), "target")
    for name, bound in {"lower": lower, "upper": upper}.items():
        check_last(bound, (columns,), name)
    check_finite(matrix, "matrix")
    check_finite(target, "target")
    max_iterations = whole(max_iterations, "max_iterations")
    check_same_device(matrix=matrix, target=target, lower=lower, upper=upper)
    broadcast(lower=lower.shape[:-1], upper=upper.shape[:-1])
    if has_values(lower, upper):
        if bool((lower.isnan() | upper.isnan()).any()):
            raise NonFiniteError("A bound is NaN. Give an infinite one where there is none.")
        if bool((lower > upper).any()):
            raise OptionError("A lower bound exceeds its upper bound.")
    batch = broadcast(
        matrix=matrix.shape[:-2], target=target.shape[:-1], lower=lower.shape[:-1], upper=upper.shape[:-1]
    )
    matrix, target = promote(matrix, target)
    hessian = matmul(matrix.mT, matrix)
    slope = apply(matrix.mT, target)
    if has_values(hessian) and not bool(inverse(hessian.detach())[1].all()):
        raise OptionError(
            "matrix has columns that depend on each other, so many x are as good. Give it full column rank."
        )
    lower, upper = lower.to(matrix.dtype).expand(*batch, columns), upper.to(matrix.dtype).expand(*batch, columns)
    with torch.no_grad():
        held = _active_set(hessian.detach(), slope.detach(), lower.detach(), upper.detach(), max_iterations)
    at_lower, at_upper = held < 0, held > 0
    free = held == 0
    x = torch.where(at_lower, lower, torch.where(at_upper, upper, 0.0))
    rest = torch.where(free, slope - apply(hessian, x), 0.0)
    x = x + _solve_free(hessian, rest, free)
    return torch.minimum(torch.maximum(x, lower), upper)


def _solve_free(hessian: Tensor, right: Tensor, free: Tensor) -> Tensor:
    """Solve among the free variables; zero for the others."""
    both = free.unsqueeze(-1) & free.unsqueeze(-2)
    eye = torch.eye(free.shape[-1], dtype=hessian.dtype, device=hessian.device)
    return apply(inverse(torch.where(both, hessian, eye))[0], right)


def _active_set(hessian: Tensor, slope: Tensor, lower: Tensor, upper: Tensor, max_iterations: int) -> Tensor:
    """-1 where the lower bound holds the solution, 1 where the upper does, 0 where it is free."""
    x = apply(inverse(hessian)[0], slope)
    held = (x > upper).to(x.dtype) - (x < lower).to(x.dtype)
    fixed = lower == upper
    held = torch.where(fixed, -1.0, held)
    x = torch.minimum(torch.maximum(x, lower), upper)
    tolerance = 64 * torch.finfo(x.dtype).eps * (slope.abs() + apply(hessian.abs(), x.abs())).amax(-1, keepdim=True)
    for _ in range(max_iterations):
        step = _solve_free(hessian, torch.where(held == 0, slope - apply(hessian, x), 0.0), held == 0)
        wall = torch.where(step > 0, upper, lower)
        share = torch.where(step == 0, torch.inf, (wall - x) / torch.where(step == 0, 1.0, step)).clamp(min=0.0)
        part, first = share.min(-1, keepdim=True)
        blocked = part < 1
        x = torch.minimum(torch.maximum(x + part.clamp(max=1.0) * step, lower), upper)
        hit = torch.zeros_like(fixed).scatter(-1, first, blocked)
        held = torch.where(hit, torch.sign(step), held)
        x = torch.where(hit, wall, x)
        # at the best point with these held: let go of the one that is held against its will most
        pull = (slope - apply(hessian, x)) * -held  # positive: away from the bound, into the range
        worst, which = torch.where((held == 0) | fixed, -torch.inf, pull).max(-1, keepdim=True)
        release = ~blocked & (worst > tolerance)
        held = torch.where(torch.zeros_like(fixed).scatter(-1, which, release), 0.0, held)
        if has_values(x) and not bool((blocked | release).any()):
            break
    return held
