"""Many descents at once: each stops on its own, and those that have stopped leave the batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from diffkin.ik.problem import Problem, State

__all__ = ["Descent", "Memory", "Method", "descend"]

Memory = dict[str, Tensor]
"""What a method remembers of each descent: tensors whose first axis is the descent. ``cost`` is always there."""


class Method(Protocol):
    """A way to go downhill, for n descents side by side."""

    @property
    def max_iterations(self) -> int:
        """Steps of each descent, unless the caller says otherwise."""
        ...

    @property
    def max_restarts(self) -> int:
        """Starts after the first, unless the caller says otherwise."""
        ...

    def start(self, problem: Problem, state: State) -> Memory:
        """Evaluate the starting points."""
        ...

    def step(self, problem: Problem, state: State, memory: Memory) -> tuple[State, Memory]:
        """One step of each descent; ``memory["stalled"]`` says which can get no further."""
        ...


@dataclass(frozen=True, eq=False)
class Descent:
    """Where n descents ended.

    Attributes:
        state: The end points.
        cost: (n,) half the squared residual there.
        met: (n,) whether the tolerances are met.
        iterations: (n,) steps taken.
    """

    state: State
    cost: Tensor
    met: Tensor
    iterations: Tensor


def descend(
    method: Method,
    problem: Problem,
    state: State,
    max_iterations: int,
    watch: Callable[[Tensor, Tensor], None] | None = None,
) -> Descent:
    """Run descents until each has met its tolerances, stalls, or has used its iterations.

    Args:
        method: The way to go downhill.
        problem: The problems.
        state: n starting points.
        max_iterations: For each descent.
        watch: Called once an iteration with the problems still running and their costs.

    Returns:
        The ends, in the order of ``state``.
    """
    count = state.q.shape[0]
    memory = method.start(problem, state)
    end_q, end_cost = state.q.clone(), memory["cost"].clone()
    end_base = None if state.base is None else state.base.clone()
    met = torch.zeros(count, dtype=torch.bool, device=state.q.device)
    iterations = torch.zeros(count, dtype=torch.long, device=state.q.device)
    running = torch.arange(count, device=state.q.device)
    for iteration in range(max_iterations + 1):
        if watch is not None:
            watch(state.problem, memory["cost"])
        good = problem.met(state)
        settled = good & memory["stalled"] if problem.has_second else good
        done = settled | memory["stalled"] | ~torch.isfinite(memory["cost"])
        if iteration == max_iterations:
            done = torch.ones_like(done)
        if bool(done.any()):
            stopped, keep = done.nonzero().squeeze(-1), (~done).nonzero().squeeze(-1)
            left = running[stopped]
            end_q[left], end_cost[left] = state.q[stopped], memory["cost"][stopped]
            if end_base is not None and state.base is not None:
                end_base[left] = state.base[stopped]
            met[left], iterations[left] = good[stopped], iteration
            running, state = running[keep], state.take(keep)
            memory = {name: value[keep] for name, value in memory.items()}
        if len(running) == 0:
            break
        state, memory = method.step(problem, state, memory)
    ends = State(end_q, end_base, torch.zeros_like(iterations))
    return Descent(ends, end_cost, met, iterations)
