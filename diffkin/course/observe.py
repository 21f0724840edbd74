"""Call an answer and write down what it does: value, gradients, errors. Nothing is judged here.

The same code runs in the student's own Python and in the process that grades, so it knows torch and not diffkin.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

__all__ = ["Observation", "fresh", "observe"]


class Observation(NamedTuple):
    """What one call of an answer did."""

    value: Any = None
    """What it returned; tensors detached."""
    again: Any = None
    """What it returned when called once more with the same objects."""
    error: str = ""
    """Name of the exception type, empty where there was none."""
    message: str = ""
    """What the exception said."""
    touched: bool = False
    """Whether it changed one of its inputs."""
    attached: bool = True
    """Whether its value has a graph back to its inputs; True where nobody asked."""
    gradients: Any = None
    """Gradients of a weighted sum of the value to each floating input; None where nobody asked."""


def fresh(value: Any, gradient: bool = False) -> Any:
    """A copy of an argument that shares nothing with it; floating tensors require gradients if asked."""
    if isinstance(value, torch.Tensor):
        copy = value.detach().clone()
        return copy.requires_grad_() if gradient and copy.is_floating_point() else copy
    if isinstance(value, (list, tuple)):
        return type(value)(fresh(each, gradient) for each in value)
    if isinstance(value, functools.partial):
        return functools.partial(
            value.func, *map(fresh, value.args), **{k: fresh(v) for k, v in value.keywords.items()}
        )
    return value


def observe(answer: Callable[..., Any], arguments: tuple[Any, ...], gradient: bool = False) -> Observation:
    """Call an answer twice with the same arguments and write down what it does.

    Args:
        answer: The student's function.
        arguments: What it is called with; it gets copies.
        gradient: Whether gradients from its value to its inputs are asked for.

    Returns:
        What was seen. Every exception of the answer is one of the things that can be seen.
    """
    given = fresh(arguments, gradient)
    try:
        first = answer(*given)
        value = _kept(first)
        touched = not all(_same(a, b) for a, b in zip(given, arguments))
        attached, gradients = _gradients(first, given) if gradient else (True, None)
        again = _kept(answer(*given))
    except Exception as error:  # whatever a student's function raises is an observation
        return Observation(error=type(error).__name__, message=str(error)[:2000])
    return Observation(value, again, "", "", touched, attached, gradients)


def _kept(value: Any) -> Any:
    """A value as it is now, whatever happens to the object later."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, (list, tuple)):
        return [_kept(each) for each in value]
    return value


def _same(given: Any, original: Any) -> bool:
    if isinstance(original, torch.Tensor):
        return given.shape == original.shape and torch.equal(given.detach(), original.detach())
    if isinstance(original, (list, tuple)):
        return len(given) == len(original) and all(_same(a, b) for a, b in zip(given, original))
    return True


def _gradients(value: Any, given: tuple[Any, ...]) -> tuple[bool, list[torch.Tensor] | None]:
    """Gradients of the sum of the value's entries with weights 1 to 2, to each floating tensor given."""
    inputs = [each for each in given if isinstance(each, torch.Tensor) and each.is_floating_point()]
    if isinstance(value, (list, tuple)) and value and all(isinstance(each, torch.Tensor) for each in value):
        value = torch.stack(list(value))
    if not isinstance(value, torch.Tensor) or not value.requires_grad:
        return False, None
    weights = torch.linspace(1, 2, value.numel(), dtype=value.dtype).reshape(value.shape)
    found = torch.autograd.grad(value, inputs, weights, allow_unused=True)
    return True, [torch.zeros_like(x) if g is None else g.detach() for g, x in zip(found, inputs)]
