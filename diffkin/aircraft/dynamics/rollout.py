"""Repeating a step many times, with gradients in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from diffkin._gate import is_transformed

__all__ = ["CHECKPOINT_FROM", "rollout"]

CHECKPOINT_FROM = 256
"""Number of steps from which a rollout that needs gradients keeps only the states between segments."""

State = tuple[Tensor, ...]
Step = Callable[..., State]


def rollout(step: Step, state: State, steps: int, segments: bool | None = None) -> State:
    """Apply ``state <- step(k, *state)`` for k = 0 ... steps - 1 and stack all states along a new first axis.

    With segments, a backward pass keeps the graph of one segment of ``sqrt(steps)`` steps at a time and runs the steps
    of a segment once more when it gets there: memory grows with ``sqrt(steps)``, beside the states themselves.

    Args:
        step: A function of the step number and the state; in a backward pass through segments it is called again.
        state: Tensors that make up the state.
        steps: Number of steps, zero or more.
        segments: Whether to work in segments; None means where a gradient is needed and there are many steps.

    Returns:
        For each tensor of the state (steps + 1, *shape), the start included.
    """
    if segments is None:
        segments = steps >= CHECKPOINT_FROM
    if not segments or is_transformed() or torch.compiler.is_compiling() or not torch.is_grad_enabled():
        pieces = [tuple(part.unsqueeze(0) for part in state), *_run(step, 0, steps, state)]
        return tuple(torch.cat(parts) for parts in zip(*pieces, strict=True))
    length = math.isqrt(max(steps - 1, 0)) + 1
    pieces = [tuple(part.unsqueeze(0) for part in state)]
    for first in range(0, steps, length):
        count = min(length, steps - first)
        piece = checkpoint(_stacked, step, first, count, *state, use_reentrant=False)
        state = tuple(part[-1] for part in piece)
        pieces.append(piece)
    return tuple(torch.cat(parts) for parts in zip(*pieces, strict=True))


def _run(step: Step, first: int, count: int, state: State) -> list[State]:
    pieces = []
    for k in range(first, first + count):
        state = step(k, *state)
        pieces.append(tuple(part.unsqueeze(0) for part in state))
    return pieces


def _stacked(step: Step, first: int, count: int, *state: Tensor) -> State:
    return tuple(torch.cat(parts) for parts in zip(*_run(step, first, count, state), strict=True))
