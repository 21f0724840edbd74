"""Jacobians and Hessians of any function from backward seeds, reverse mode and forward mode.

A backward pass with the seed ``v`` gives ``v^T J``: one unit seed gives one row of the Jacobian J. Nothing here knows
of robots.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from diffkin._checks import check_floating
from diffkin._gate import is_transformed
from diffkin.errors import ShapeError, closest

__all__ = ["METHODS", "backward_seeds", "hessian", "jacobian", "unit_seeds"]

METHODS = ("backward_seeds", "reverse", "forward")


def unit_seeds(y: Tensor) -> Tensor:
    """All unit seeds of an output: one row for each of its entries, 1 there and 0 elsewhere.

    Args:
        y: Output of any shape.

    Returns:
        (y.numel(), *y.shape) seeds.
    """
    count = y.numel()
    return torch.eye(count, dtype=y.dtype, device=y.device).reshape(count, *y.shape)


def backward_seeds(y: Tensor, x: Tensor, seeds: Tensor, create_graph: bool = False) -> Tensor:
    """Push seeds backward through a graph, one after another: row ``k`` is ``seeds[k]^T dy/dx``.

    The graph is kept for the next seed, and the rows are returned instead of being added up in ``x.grad``.

    Args:
        y: Output computed from ``x``, of any shape.
        x: Input that the graph of ``y`` starts from, of any shape.
        seeds: (rows, *y.shape) seeds.
        create_graph: Whether the rows themselves can be differentiated.

    Returns:
        (rows, *x.shape) rows; zero where ``y`` does not depend on ``x``.

    Raises:
        diffkin.errors.ShapeError: The seeds do not have the shape of ``y``.
    """
    if seeds.ndim != y.ndim + 1 or seeds.shape[1:] != y.shape:
        raise ShapeError(f"seeds must have shape (rows, *{tuple(y.shape)}), got {tuple(seeds.shape)}.")
    if not y.requires_grad or len(seeds) == 0:  # a constant
        return x.new_zeros(len(seeds), *x.shape)
    rows = []
    for seed in seeds:
        (row,) = torch.autograd.grad(
            y, x, grad_outputs=seed, retain_graph=True, create_graph=create_graph, allow_unused=True
        )
        rows.append(torch.zeros_like(x) if row is None else row)
    return torch.stack(rows)


def jacobian(
    f: Callable[[Tensor], Tensor], x: Tensor, method: str = "backward_seeds", create_graph: bool = False
) -> Tensor:
    """Jacobian of any function at ``x``.

    Args:
        f: Function of one tensor that returns one tensor; any shapes.
        x: Where to differentiate, floating point; its ``grad`` is left alone.
        method: "backward_seeds" (one backward pass a row, the graph retained), "reverse" (all rows at once,
            vectorised) or "forward" (all columns at once). The three agree.
        create_graph: Whether the result can be differentiated further, to ``x`` and to whatever else ``f`` uses.

    Returns:
        Tensor of shape ``f(x).shape + x.shape``, as ``torch.func.jacrev`` gives.

    Raises:
        diffkin.errors.UnknownNameError: Unknown method.
        diffkin.errors.DtypeError: ``x`` is not floating point.
    """
    check_floating(x, "x")
    if method not in METHODS:
        raise closest(method, METHODS, "method")
    if method == "reverse":
        return _with_graph(torch.func.jacrev(f), x, create_graph)
    if method == "forward":
        return _with_graph(torch.func.jacfwd(f), x, create_graph)
    if is_transformed():  # a graph inside a torch.func transform is torch.func's own
        y, pull = torch.func.vjp(f, x)  # type: ignore[misc]
        rows = [pull(seed)[0] for seed in unit_seeds(y)]
        return torch.stack(rows).reshape(*y.shape, *x.shape) if rows else x.new_zeros(*y.shape, *x.shape)
    with torch.enable_grad():
        start = x.view_as(x) if create_graph and x.requires_grad else x.detach().requires_grad_()
        y = f(start)
        rows_ = backward_seeds(y, start, unit_seeds(y), create_graph=create_graph)
    return rows_.reshape(*y.shape, *x.shape)


def hessian(f: Callable[[Tensor], Tensor], x: Tensor, create_graph: bool = False) -> Tensor:
    """Second derivatives of any function at ``x``: forward mode over reverse mode.

    Args:
        f: Function of one tensor that returns one tensor; any shapes.
        x: Where to differentiate, floating point.
        create_graph: Whether the result can be differentiated further.

    Returns:
        Tensor of shape ``f(x).shape + x.shape + x.shape``.

    Raises:
        diffkin.errors.DtypeError: ``x`` is not floating point.
    """
    check_floating(x, "x")
    return _with_graph(torch.func.jacfwd(torch.func.jacrev(f)), x, create_graph)


def _with_graph(g: Callable[[Tensor], Tensor], x: Tensor, create_graph: bool) -> Tensor:
    return g(x) if create_graph else g(x.detach()).detach()
