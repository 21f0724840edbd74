"""One harness for the derivatives of all tasks: closed forms against differences and against autograd."""

from __future__ import annotations

import dataclasses

import torch

import diffkin as dk
from diffkin import ik, rotations, transforms
from diffkin.ik.problem import FREE_BASE, Problem, State, make_problem

__all__ = ["COUNT", "check_derivatives", "randn"]

COUNT = 5  # problems in a batch
_STEP = 1e-6


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    """Normal numbers in float64."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def check_derivatives(robot: dk.Robot, task: ik.Task, q: torch.Tensor | None = None) -> None:
    """Compare a task's Jacobian with central differences and with autograd, for every kind of free base.

    Args:
        robot: The robot.
        task: The task, its targets single or (COUNT, ...).
        q: (COUNT, dof) where; samples within the limits if None.
    """
    q = robot.sample(COUNT, seed=1) if q is None else q
    base = transforms.pose(rotations.random_rotation(COUNT, seed=2, dtype=torch.float64), randn(COUNT, 3, seed=3))
    assert task.jacobian.__func__ is not ik.Task.jacobian  # type: ignore[attr-defined]
    for free_base, more in FREE_BASE.items():
        state = State(q, base if free_base else None, torch.arange(COUNT))
        problem, bare = _problem(robot, task, free_base), _without_jacobian(_problem(robot, task, free_base))
        residual, derivative = problem.linearize(state)
        assert derivative.shape == (COUNT, residual.shape[1], robot.dof + more)
        assert bool((derivative != 0).any())
        torch.testing.assert_close(residual, problem.residual(state), rtol=0, atol=1e-12)
        torch.testing.assert_close(bare.linearize(state)[1], derivative, rtol=1e-9, atol=1e-9)
        for column in range(robot.dof + more):
            step = torch.zeros(COUNT, robot.dof + more, dtype=torch.float64)
            step[:, column] = _STEP
            ahead, behind = (problem.residual(problem.move(state, sign * step)) for sign in (1.0, -1.0))
            torch.testing.assert_close(derivative[..., column], (ahead - behind) / (2.0 * _STEP), rtol=1e-6, atol=1e-7)


def _problem(robot: dk.Robot, task: ik.Task, free_base: str | None) -> Problem:
    """The problem with limits out of the way of differences."""
    movable = torch.ones(robot.dof, dtype=torch.bool)
    made = make_problem(robot, [task], torch.Size((COUNT,)), movable, free_base)
    return dataclasses.replace(made, lower=made.lower - 1.0, upper=made.upper + 1.0)


def _without_jacobian(problem: Problem) -> Problem:
    task = problem.tasks[0]
    bare = type("Bare", (type(task),), {"jacobian": ik.Task.jacobian})
    made = object.__new__(bare)
    made.__dict__.update(vars(task))
    return dataclasses.replace(problem, tasks=[made])
