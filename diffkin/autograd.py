"""Jacobians and Hessians of any function from backward seeds, reverse mode and forward mode.

A backward pass with the seed ``v`` gives ``v^T J``: one unit seed gives one row of the Jacobian J. Nothing here knows
of robots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from diffkin._checks import as_tensor, check_floating, is_inference, ordinary, outside_inference
from diffkin._gate import is_transformed
from diffkin.errors import DtypeError, GradientError, OptionError, ShapeError, closest

__all__ = ["METHODS", "backward_seeds", "hessian", "jacobian", "recording", "unit_seeds"]

METHODS = ("backward_seeds", "reverse", "forward")


@contextmanager
def recording() -> Iterator[None]:
    """Graphs are recorded inside, whatever the caller has switched off: gradients, or more by inference mode."""
    with outside_inference(), torch.enable_grad():
        yield


def unit_seeds(y: Tensor) -> Tensor:
    """All unit seeds of an output: one row for each of its entries, 1 there and 0 elsewhere.

    Args:
        y: Output of any shape.

    Returns:
        (y.numel(), *y.shape) seeds.

    Raises:
        diffkin.errors.DtypeError: ``y`` is not floating point.
    """
    y = as_tensor(y, "y")
    check_floating(y, "y")
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
        diffkin.errors.DtypeError: One of the tensors is not floating point.
        diffkin.errors.GradientError: ``x`` does not require gradients, or they were switched off when ``y`` was computed
            or still are, so that nobody can tell whether ``y`` depends on ``x``.
    """
    for tensor, name in ((y, "y"), (x, "x")):
        if not isinstance(tensor, Tensor):
            raise DtypeError(f"{name} must be a torch.Tensor with its graph, got {type(tensor).__name__}.")
        check_floating(tensor, name)
    seeds = as_tensor(seeds, "seeds", y.dtype, y.device)
    check_floating(seeds, "seeds")
    if seeds.ndim != y.ndim + 1 or seeds.shape[1:] != y.shape:
        raise ShapeError(f"seeds must have shape (rows, *{tuple(y.shape)}), got {tuple(seeds.shape)}.")
    if not x.requires_grad:
        raise GradientError("x does not require gradients. Call x.requires_grad_() before y is computed from it.")
    _check_graph(y)
    if not y.requires_grad and not torch.is_grad_enabled():
        raise GradientError(
            "y has no graph and gradients are switched off here: either it does not depend on x, or its graph was not "
            "recorded. Compute it outside of torch.no_grad(), or call diffkin.autograd.jacobian(f, x)."
        )
    if not y.requires_grad or len(seeds) == 0:  # a constant
        return x.new_zeros(len(seeds), *x.shape)
    rows = []
    for seed in seeds:
        (row,) = torch.autograd.grad(
            y, x, grad_outputs=seed, retain_graph=True, create_graph=create_graph, allow_unused=True
        )
        rows.append(torch.zeros_like(x) if row is None else row)
    return torch.stack(rows)


def _check_graph(y: Tensor) -> None:
    """Raise if ``y`` cannot have a graph, so that it would pass for a constant."""
    if is_inference(y):
        raise GradientError(
            "y was computed under torch.inference_mode(), which records no graph: its derivatives are unknown. "
            "Compute it outside of it, or with torch.no_grad() if it is to be a constant."
        )


def _checked(f: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The same function; what it gives must be one tensor with derivatives."""
    if not callable(f):
        raise OptionError(f"f must be a function of one tensor, got {type(f).__name__}.")

    def checked(x: Tensor) -> Tensor:
        y = f(x)
        if not isinstance(y, Tensor):
            raise DtypeError(f"f must return one torch.Tensor, got {type(y).__name__}. Stack what it returns into one.")
        check_floating(y, "What f returns")
        _check_graph(y)
        return y

    return checked


def _start(x: Tensor) -> Tensor:
    x = as_tensor(x, "x")
    check_floating(x, "x")
    return ordinary(x)


def jacobian(
    f: Callable[[Tensor], Tensor], x: Tensor, method: str = "backward_seeds", create_graph: bool = False
) -> Tensor:
    """Jacobian of any function at ``x``, under ``torch.no_grad()`` and ``torch.inference_mode()`` too.

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
        diffkin.errors.DtypeError: ``x`` or ``f(x)`` is not floating point.
        diffkin.errors.GradientError: ``f`` computes under inference mode itself, so that its derivatives are unknown.
    """
    f, x = _checked(f), _start(x)
    if method not in METHODS:
        raise closest(method, METHODS, "method")
    if x.numel() == 0:
        return _empty(f, x, x.shape)
    if method == "reverse":
        return _with_graph(torch.func.jacrev(f), x, create_graph)
    if method == "forward":
        return _with_graph(torch.func.jacfwd(f), x, create_graph)
    if is_transformed():  # a graph inside a torch.func transform is torch.func's own
        y, pull = torch.func.vjp(f, x)  # type: ignore[misc]
        rows = [pull(seed)[0] for seed in unit_seeds(y)]
        return torch.stack(rows).reshape((*y.shape, *x.shape)) if rows else x.new_zeros(*y.shape, *x.shape)
    with recording():
        start = x.view_as(x) if create_graph and x.requires_grad else x.detach().requires_grad_()
        y = f(start)
        rows_ = backward_seeds(y, start, unit_seeds(y), create_graph=create_graph)
    return rows_.reshape((*y.shape, *x.shape))


def hessian(f: Callable[[Tensor], Tensor], x: Tensor, create_graph: bool = False) -> Tensor:
    """Second derivatives of any function at ``x``: forward mode over reverse mode.

    Args:
        f: Function of one tensor that returns one tensor; any shapes.
        x: Where to differentiate, floating point.
        create_graph: Whether the result can be differentiated further.

    Returns:
        Tensor of shape ``f(x).shape + x.shape + x.shape``.

    Raises:
        diffkin.errors.DtypeError: ``x`` or ``f(x)`` is not floating point.
        diffkin.errors.GradientError: ``f`` computes under inference mode itself, so that its derivatives are unknown.
    """
    f, x = _checked(f), _start(x)
    if x.numel() == 0:
        return _empty(f, x, (*x.shape, *x.shape))
    return _with_graph(torch.func.jacfwd(torch.func.jacrev(f)), x, create_graph)


def _empty(f: Callable[[Tensor], Tensor], x: Tensor, axes: Sequence[int]) -> Tensor:
    """Derivatives to no numbers, which torch's forward mode does not take."""
    with outside_inference():
        y = f(x.detach())
    return y.new_zeros(*y.shape, *axes)


def _with_graph(g: Callable[[Tensor], Tensor], x: Tensor, create_graph: bool) -> Tensor:
    x = x.contiguous()  # forward mode takes no expanded tensor
    if create_graph:
        with recording():
            return g(x)
    with outside_inference():
        return g(x.detach()).detach()
