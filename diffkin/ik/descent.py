"""Many descents at once: each stops on its own, and those that have stopped leave the batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from diffkin.ik.problem import Problem, State

__all__ = ["Descent", "Memory", "Method", "descend"]

MemoryT = TypeVar("MemoryT", bound="Memory")


@dataclass(frozen=True, eq=False)
class Memory:
    """What a method remembers of n descents. A method adds fields of its own, tensors whose first axis is the descent,
    and overrides the predicates by which it gives up.

    Attributes:
        cost: (n,) half the squared residual.
    """

    cost: Tensor

    @property
    def converged(self) -> Tensor:
        """(n,) which are at a minimum of the cost within the limits, whether or not it meets the tolerances."""
        return torch.zeros_like(self.cost, dtype=torch.bool)

    @property
    def stalled(self) -> Tensor:
        """(n,) which get no further."""
        return torch.zeros_like(self.cost, dtype=torch.bool)

    @property
    def diverged(self) -> Tensor:
        """(n,) whose cost is no number any more."""
        return ~torch.isfinite(self.cost)

    def take(self: MemoryT, index: Tensor) -> MemoryT:
        """That of the descents at ``index`` alone."""
        parts = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return type(self)(**{name: part[index] for name, part in parts.items()})


class Method(Protocol):
    """A way to go downhill, for n descents side by side. It may have ``early_iterations`` too: what the first starts
    get, where that is less than ``max_iterations``.
    """

    @property
    def max_iterations(self) -> int:
        """Steps of each descent, unless the caller says otherwise."""
        ...

    @property
    def max_restarts(self) -> int:
        """Starts after the first, unless the caller says otherwise."""
        ...

    def start(self, problem: Problem, state: State) -> Any:
        """Evaluate the starting points; gives a ``Memory``."""
        ...

    def step(self, problem: Problem, state: State, memory: Any) -> tuple[State, Any]:
        """One step of each descent, and the memory after it."""
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
    max_iterations: int | Tensor,
    watch: Callable[[Tensor, Tensor], None] | None = None,
    one_will_do: bool = False,
) -> Descent:
    """Run descents until each has met its tolerances, gets no further, or has used its iterations.

    Args:
        method: The way to go downhill.
        problem: The problems.
        state: n starting points.
        max_iterations: For each descent, one number or (n,).
        watch: Called once an iteration with the problems still running and their costs.
        one_will_do: Whether a descent is left where it is, not met, once one before it has met the same problem.

    Returns:
        The ends, in the order of ``state``.
    """
    count, device = state.q.shape[0], state.q.device
    most = torch.as_tensor(max_iterations, device=device).expand(count)
    memory: Memory = method.start(problem, state)
    end_q, end_cost = state.q.clone(), memory.cost.clone()
    end_base = None if state.base is None else state.base.clone()
    met = torch.zeros(count, dtype=torch.bool, device=device)
    iterations = torch.zeros(count, dtype=torch.long, device=device)
    running = torch.arange(count, device=device)
    problems = int(state.problem.max()) + 1 if one_will_do and count else 0
    won = torch.full((problems,), count, device=device)  # by problem, the first descent that met it; count: none yet
    iteration = 0
    while len(running):
        if watch is not None:
            watch(state.problem, memory.cost)
        good = problem.met(state)
        ended = memory.converged | memory.stalled | memory.diverged | (iteration >= most[running])
        done = ended if problem.has_second else good | ended  # tasks of second priority get as near as they can
        if one_will_do:
            ahead = good & done
            won = won.scatter_reduce(0, state.problem[ahead], running[ahead], "amin")
            late = running > won[state.problem]
            good, done = good & ~late, done | late
        if bool(done.any()):
            stopped, keep = done.nonzero().squeeze(-1), (~done).nonzero().squeeze(-1)
            left = running[stopped]
            end_q[left], end_cost[left] = state.q[stopped], memory.cost[stopped]
            if end_base is not None and state.base is not None:
                end_base[left] = state.base[stopped]
            met[left], iterations[left] = good[stopped], iteration
            running, state, memory = running[keep], state.take(keep), memory.take(keep)
        if len(running):
            state, memory = method.step(problem, state, memory)
        iteration += 1
    ends = State(end_q, end_base, torch.zeros_like(iterations))
    return Descent(ends, end_cost, met, iterations)
