"""Restarts: descents from one start after another until a problem is solved, for all problems of a batch."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from diffkin.ik.descent import Descent, descend
from diffkin.ik.options import Options
from diffkin.ik.problem import Problem, State
from diffkin.ik.solvers.priority import SelfMotion
from diffkin.ik.starts import Starts
from diffkin.kernels.ik.hope import HOPE, PROVEN_STARTS, ROUND, hopeless

__all__ = ["Found", "Progress", "joined", "search"]

Progress = Callable[[int, int], None]
"""Called with how many problems are finished (solved, or given up) and how many there are."""

_BATCH = 512  # descents worth running side by side: few unsolved problems try several starts at once
_HARD_BATCH = 4096  # likewise of problems that ``ROUND`` starts have not solved, most of which will need all of them


@dataclass(frozen=True, eq=False)
class Found:
    """The best end point of each problem: (count, dof), (count, 4, 4) or None, then (count,) each."""

    q: Tensor
    base: Tensor | None
    met: Tensor
    iterations: Tensor
    restarts: Tensor
    history: Tensor | None


def search(
    problem: Problem,
    options: Options,
    starts: Starts,
    count: int,
    progress: Progress | None = None,
    deadline: float = math.inf,
    proven: Tensor | None = None,
) -> Found:
    """Solve ``count`` problems, each from its own starts in the order of their rank.

    A problem's answer is that of its lowest-ranked start that succeeds; with ``nearest_of`` k > 1 it is, of its first k
    successes, the one nearest to its first start. Without any success a last start goes on from the end point of
    lowest cost, with all the time there is, and the answer is where that ends.

    Args:
        problem: The problems.
        options: How to go downhill, for how long, how many starts, and what to record.
        starts: Where from.
        count: How many problems.
        progress: Called after each round of starts.
        deadline: When ``time.monotonic()`` is past it, no further round is begun.
        proven: (count,) which are known to have no solution: these get few starts. None for not known.

    Returns:
        The best of each problem.
    """
    max_restarts, nearest_of = options.max_restarts, options.nearest_of
    every = torch.arange(count, device=problem.tree.device)
    first = starts.at(0, every)
    best = State(first.q.clone(), None if first.base is None else first.base.clone(), every)
    cost = torch.full((count,), torch.inf, dtype=first.q.dtype, device=first.q.device)
    rank_of, hits, spent = (torch.zeros_like(every) for _ in range(3))
    near = cost.clone()
    hope2 = _hope2(problem) if options.gives_up else math.inf
    tried = torch.full_like(every, max_restarts + 1)
    weights = first.q.new_tensor(options.joint_weights or [1.0] * first.q.shape[-1])
    trace: list[Tensor] = []
    pending, rank = every, 0
    while len(pending) and rank <= max_restarts:
        together = (_BATCH if rank < ROUND else _HARD_BATCH) // len(pending)
        side = max(1, min(together, 16, max_restarts + 1 - rank)) if rank or count == 1 else 1
        parts = [starts.at(rank + k, pending) for k in range(side)]
        state = _join(parts)
        watch = _watcher(trace, count) if options.history else None
        end = _run(options, problem, state, watch, one_will_do=side > 1 and nearest_of == 1)
        for k in range(side):  # in the order of rank: the answer is that of the lowest
            rows = slice(k * len(pending), (k + 1) * len(pending))
            open_ = (hits[pending] < nearest_of) & (rank + k < tried[pending])
            q, met, value = end.state.q[rows], end.met[rows], end.cost[rows]
            away = (weights * (problem.near(q, first.q[pending]) - first.q[pending]).square()).sum(-1)
            if nearest_of > 1:
                improved = torch.where(met, away < near[pending], (hits[pending] == 0) & (value < cost[pending]))
            else:
                improved = met | (value < cost[pending])
            taken = pending[open_ & improved]
            chosen = (open_ & improved).nonzero().squeeze(-1)
            spent[pending] += torch.where(open_, end.iterations[rows], 0)
            best.q[taken] = q[chosen]
            if best.base is not None and end.state.base is not None:
                best.base[taken] = end.state.base[rows][chosen]
            cost[taken], rank_of[taken] = value[chosen], rank + k
            near[taken] = torch.where(met[chosen], away[chosen], near[taken])
            hits[pending] += (open_ & met).long()
            lost = hopeless(rank + k + 1, 2.0 * cost[pending], hope2)
            if proven is not None and rank + k + 1 == PROVEN_STARTS:
                lost = lost | proven[pending]
            tried[pending[open_ & lost & (hits[pending] == 0)]] = rank + k + 1
        rank += side
        pending = pending[(hits[pending] < nearest_of) & (tried[pending] > rank)]
        if progress is not None:
            progress(count - len(pending), count)
        if time.monotonic() > deadline:
            break
    lost = (hits == 0).nonzero().squeeze(-1)
    if len(lost) and time.monotonic() <= deadline:
        state = dataclasses.replace(best.take(lost), grace=torch.full_like(cost[lost], torch.inf))
        end = _run(options, problem, state, _watcher(trace, count) if options.history else None)
        better = end.met | (end.cost < cost[lost])
        chosen = lost[better]
        best.q[chosen], spent[lost] = end.state.q[better], spent[lost] + end.iterations
        if best.base is not None and end.state.base is not None:
            best.base[chosen] = end.state.base[better]
        rank_of[chosen] = tried[chosen] - 1 + end.met[better].long()
        hits[lost] += end.met.long()
    if progress is not None:
        progress(count, count)
    history = torch.cummin(torch.stack(trace), dim=0).values if trace else None
    return Found(best.q, best.base, hits > 0, spent, rank_of, history)


def joined(parts: Sequence[Found], uses: Sequence[Tensor]) -> Found:
    """The ends of problems solved by themselves as one: each gives the coordinates (dof,) that it used.

    Iterations add up; of restarts the most count.
    """
    q, met = parts[0].q, parts[0].met
    for part, used in zip(parts[1:], uses[1:], strict=True):
        q, met = torch.where(used, part.q, q), met & part.met
    iterations = torch.stack([part.iterations for part in parts]).sum(0)
    restarts = torch.stack([part.restarts for part in parts]).amax(0)
    return Found(q, parts[0].base, met, iterations, restarts, None)


def _hope2(problem: Problem) -> float:
    """The square of ``HOPE`` in the units of the cost: a problem of many tasks, great weights or lengths ends farther off."""
    tasks = [task for task in problem.tasks if task.priority == 0]
    heaviest = max(float(torch.as_tensor(task.weight, device="cpu").max()) for task in tasks)
    extent = problem.rounding.length + float((problem.upper - problem.lower)[problem.slides].sum())
    return len(tasks) * (HOPE * max(1.0, heaviest) * max(1.0, extent)) ** 2


def _run(
    options: Options,
    problem: Problem,
    state: State,
    watch: Callable[[Tensor, Tensor], None] | None,
    one_will_do: bool = False,
) -> Descent:
    """One descent a start for the tasks of priority 0, then one along their solutions for each priority above."""
    grace = 0.0 if state.grace is None else state.grace
    most = torch.as_tensor(options.early_iterations + grace, device=state.q.device).clamp(max=options.max_iterations)
    end = descend(options.method, problem.only(0), state, most, watch, one_will_do)
    if not problem.has_second:
        return end
    met = end.met.nonzero().squeeze(-1)
    last = State(end.state.q, end.state.base, state.problem).take(met)
    for level in problem.levels:
        if level > 0:
            method = SelfMotion(level=level)
            below = descend(method, problem, last, method.max_iterations)
            last = State(below.state.q, below.state.base, last.problem)
            end.iterations[met] += below.iterations
    end.state.q[met] = last.q
    if end.state.base is not None and last.base is not None:
        end.state.base[met] = last.base
    return end


def _join(parts: list[State]) -> State:
    bases = [part.base for part in parts if part.base is not None]
    graces = [part.grace for part in parts if part.grace is not None]
    return State(
        torch.cat([part.q for part in parts]),
        torch.cat(bases) if bases else None,
        torch.cat([part.problem for part in parts]),
        torch.cat(graces) if graces else None,
    )


def _watcher(trace: list[Tensor], count: int) -> Callable[[Tensor, Tensor], None]:
    def watch(problem: Tensor, cost: Tensor) -> None:
        row = trace[-1].clone() if trace else torch.full((count,), torch.inf, dtype=cost.dtype, device=cost.device)
        trace.append(row.scatter_reduce(0, problem, (2.0 * cost).sqrt(), "amin"))

    return watch
