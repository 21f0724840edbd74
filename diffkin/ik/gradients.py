"""Gradients of a solution: to targets and weights, to the base, to limits, and to the geometry of the robot."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from diffkin._checks import ordinary
from diffkin.ik.implicit import Conditions, solution
from diffkin.ik.problem import make_problem
from diffkin.ik.result import IKResult
from diffkin.ik.tasks import Task

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["attach_gradient", "without_gradient"]

_GEOMETRY = ("origins", "axes", "link_offsets")
_LIMITS = ("lower", "upper")
_KEPT = "without gradient"


def attach_gradient(
    robot: Robot,
    tasks: Sequence[Task],
    result: IKResult,
    q0: Tensor | None,
    base: Tensor | None,
    free_base: str | None,
    movable: Tensor,
) -> IKResult:
    """The same result, its ``q`` and ``base`` functions of all that they depend on, to any order of derivative.

    The derivatives are those of the conditions that the solution fulfils, see ``diffkin.ik.implicit``; for tasks of
    priority 0 alone ``dq = -J^+ dr``, by which a redundant arm moves the least (Krantz & Parks, The Implicit Function
    Theorem, 2002). Coordinates that stand on a limit follow that limit, locked ones ``q0``. Where the solver failed, the
    derivative is zero.

    Args:
        robot: The robot, whose geometry and limits may require gradients.
        tasks: The tasks as the caller gave them.
        result: The solutions.
        q0: The first start as the caller gave it.
        base: The base pose as the caller gave it.
        free_base: As in ``solve_ik``.
        movable: (dof,) False for locked coordinates.

    Returns:
        The result with a differentiable ``q``, and ``base`` where it was free.

    Raises:
        diffkin.errors.GradientError: A residual does not depend on poses or ``q``.
    """
    batch, dof = result.success.shape, robot.dof
    count = batch.numel()
    if not count:
        return result
    problem = make_problem(robot, tasks, batch, movable, free_base)
    problem = dataclasses.replace(problem, tasks=[task.exact_at(slice(0, count)) for task in problem.tasks])
    q = result.q.detach().to(torch.float64).reshape(count, dof)
    low, high = q <= problem.lower, q >= problem.upper
    holds = torch.where(low, problem.lower, problem.upper)
    if q0 is not None and not bool(movable.all()):
        given = ordinary(q0).to(torch.float64).expand(*batch, dof).reshape(count, dof)
        holds = torch.where(movable | (given < problem.lower) | (given > problem.upper), holds, given)
    conditions = Conditions(
        problem=problem,
        base=None if base is None else ordinary(base).to(torch.float64).expand(*batch, 4, 4).reshape(count, 4, 4),
        held=low | high | ~movable,
        holds=holds,
        solved=result.success.reshape(count),
        rtol=torch.finfo(robot.dtype).eps ** 0.5,
    )
    placed = None if result.base is None else result.base.detach().to(torch.float64).reshape(count, 4, 4)
    q, placed = solution(conditions, q, placed)
    found: dict[str, Any] = {"q": q.to(robot.dtype).reshape(result.q.shape)}
    if result.base is not None and placed is not None:
        found["base"] = placed.to(robot.dtype).reshape(result.base.shape)
    return dataclasses.replace(result, **found)


def without_gradient(robot: Robot) -> Robot:
    """A robot of the same numbers that no gradient flows to: the same one until they change, with all that it keeps.

    Args:
        robot: The robot; it keeps what is returned.

    Returns:
        The robot itself if its geometry and its limits require no gradients.
    """
    tensors = [getattr(robot.tree, name) for name in _GEOMETRY] + [getattr(robot, name) for name in _LIMITS]
    if not any(tensor.requires_grad for tensor in tensors):
        return robot
    kept: Robot | None = robot.cache.get(_KEPT)
    if kept is not None:  # an optimiser may have stepped the tensors in place
        known = [getattr(kept.tree, name) for name in _GEOMETRY] + [getattr(kept, name) for name in _LIMITS]
        if all(map(torch.equal, tensors, known)):
            return kept
    geometry: dict[str, Any] = {name: getattr(robot.tree, name).detach() for name in _GEOMETRY}
    limits: dict[str, Any] = {name: getattr(robot, name).detach() for name in _LIMITS}
    made = dataclasses.replace(robot, tree=dataclasses.replace(robot.tree, **geometry), **limits)
    robot.cache[_KEPT] = made
    return made
