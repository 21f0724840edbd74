"""Lists of tasks in the terms of the kernel, beside the same in torch, for the tests of its parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit

import diffkin as dk
from diffkin import ik
from diffkin.ik import list_route
from diffkin.ik.problem import Problem, State, make_problem
from diffkin.kernels.lists import layout, program
from diffkin.kernels.lists.layout import new_rows, open_block, open_call
from diffkin.kernels.lists.program import ListCall
from diffkin.kernels.lists.rows import evaluate, jacobian
from diffkin.kernels.vectors.strict import W
from tests.kernels.ik_robots import settings

NOTHING = np.zeros((0, 0))


class Asked(NamedTuple):
    """A list of tasks, its targets (count, ...), in torch and as arrays."""

    problem: Problem
    call: ListCall
    targets: np.ndarray
    bases: np.ndarray
    base: torch.Tensor | None

    @property
    def parts(self) -> layout.Call:
        return open_call(self.call.reals, self.call.integers)

    def state(self, q: torch.Tensor) -> State:
        return State(q, self.base, torch.arange(len(q)))


def ask(
    robot: dk.Robot,
    tasks: Sequence[ik.Task],
    count: int,
    base: torch.Tensor | None = None,
    free_base: str | None = None,
    movable: torch.Tensor | None = None,
    every: bool = False,
    **changes: Any,
) -> Asked:
    """A list of tasks for ``count`` problems, with the defaults of the solver, some settings changed; of ``every`` priority,
    or of 0 alone.
    """
    movable = torch.ones(robot.dof, dtype=torch.bool) if movable is None else movable
    problem = make_problem(robot, tasks, torch.Size((count,)), movable, free_base)
    ready = list_route._make_ready(robot, problem, base is not None)
    call = (ready.every if every else ready.whole).call(settings(**changes))
    numbers = [task.kernel_numbers().double() for task in problem.tasks]
    targets = np.concatenate([part.expand(count, part.shape[-1]).numpy() for part in numbers], axis=-1)
    program.ready(call, targets)
    bases = NOTHING if base is None else np.ascontiguousarray(list_route._columns(base.numpy()))
    return Asked(problem, call, targets, bases, base)


@njit
def _evaluate(reals, integers, rows):
    evaluate(reals, integers, rows)
    call = open_call(reals, integers)
    block = open_block(rows, call.sizes)
    jacobian(call, block, block.jac)


def evaluated(asked: Asked, q: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weighted residual (n, rows), its Jacobian (n, rows, columns), and squared errors (n, 2), by the kernel."""
    parts = asked.parts
    rows, columns = parts.sizes[layout.ROWS], parts.sizes[layout.FREE] + parts.sizes[layout.BASE]
    kept = sum(int((parts.pieces[:, layout.ROW0 + i] >= 0).sum()) for i in range(3))
    residual, derivative, errors = [], [], []
    for start in range(0, len(q), W):
        memory = new_rows(parts.sizes)
        block = open_block(memory, parts.sizes)
        lanes = min(W, len(q) - start)
        for l in range(lanes):
            block.target[:, l] = asked.targets[start + l]
            block.trial[:, l] = q[start + l, [*parts.moving, *parts.held]]
            block.placed[:, l] = asked.bases[start + l] if len(asked.bases) else np.eye(4)[:, :3].reshape(-1)
        _evaluate(asked.call.reals, asked.call.integers, memory)
        residual.append(-block.new[:kept, :lanes].T)
        derivative.append(block.jac.reshape(columns, rows, W)[:, :kept, :lanes].transpose(2, 1, 0))
        errors.append(block.state[[layout.TRIED_P, layout.TRIED_R], :lanes].T)
        assert not block.new[kept:].any()
    return np.concatenate(residual), np.concatenate(derivative), np.concatenate(errors)
