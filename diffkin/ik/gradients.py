"""Gradients of a solution, by the implicit function theorem."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from diffkin._algebra import apply
from diffkin.ik.problem import State, make_problem
from diffkin.ik.result import IKResult
from diffkin.ik.tasks import Task

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["attach_gradient"]


def attach_gradient(
    robot: Robot,
    tasks: Sequence[Task],
    result: IKResult,
    base: Tensor | None,
    free_base: str | None,
    locked: Sequence[str],
) -> IKResult:
    """The same result, its ``q`` a function of targets, base pose and geometry.

    With ``r(q, theta) = 0`` at the solution, ``dq/dtheta = -J^+ dr/dtheta`` over the coordinates that no limit holds;
    a redundant arm moves by the least amount (Krantz & Parks, The Implicit Function Theorem, 2002). The value is that
    of ``result.q``: what is added is ``-J^+ r`` minus itself.

    Args:
        robot: The robot, whose geometry may require gradients.
        tasks: The tasks as the caller gave them.
        result: The solutions.
        base: The base pose as the caller gave it.
        free_base: As in ``solve_ik``.
        locked: As in ``solve_ik``.

    Returns:
        The result with a differentiable ``q``.
    """
    batch, dof = result.success.shape, robot.dof
    kept = [task for task in tasks if task.priority == 0]
    given = result.base if result.base is not None else base
    placed = None if given is None else given.to(torch.float64).expand(*batch, 4, 4).reshape(-1, 4, 4)
    movable = torch.tensor([name not in locked for name in robot.joint_names], device=robot.device)
    problem = make_problem(robot, kept, batch, movable, free_base)
    q = result.q.detach().to(torch.float64).reshape(-1, dof)
    every = torch.arange(len(q), device=q.device)
    with torch.no_grad():
        still = None if placed is None else placed.detach()
        _, derivative = problem.linearize(State(q, still, every))
        on_limit = (q <= problem.lower) | (q >= problem.upper)
        free = torch.cat((~on_limit & movable, on_limit.new_ones(len(q), problem.free_base)), dim=-1)
        solved = result.success.reshape(-1, 1, 1)
        inverse = torch.linalg.pinv(derivative * free.unsqueeze(-2)) * free.unsqueeze(-1) * solved
    residual = problem.residual(State(q, placed, every))
    shift = -apply(inverse, residual)[:, :dof]
    moved = q + (shift - shift.detach())
    return dataclasses.replace(result, q=moved.to(robot.dtype).reshape(result.q.shape))
