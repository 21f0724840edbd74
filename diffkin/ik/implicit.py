"""The conditions that a solution of prioritised tasks fulfils, and how it moves when their parameters do.

With the residuals ``r_0, r_1, ...`` of the priorities, in rising order, a solution x meets ``r_0(x) = 0`` and is, for each
later level k in turn, stationary in ``c_k = r_k^T r_k / 2`` along what the levels before leave free:
``g_k = grad(c_k + sum_(j<k) lambda_kj^T r_j) = 0`` with multipliers ``lambda`` (Karush, Kuhn and Tucker; Nocedal & Wright,
Numerical Optimization, 12.3). Differentiating these conditions (Fiacco, Introduction to Sensitivity and Stability
Analysis, 1983, ch. 3) gives, over the coordinates that are not held,

    dx_0 = -J_0^+ dr_0,    dx_k = dx_(k-1) - (N H_k N)^+ (dg_k + H_k dx_(k-1)),

where H_k is the Hessian of what g_k is the gradient of, and N projects onto the null space of the Jacobians of the
levels before. Whatever the conditions leave open moves by the least amount.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from diffkin import autograd
from diffkin._algebra import apply
from diffkin.errors import GradientError
from diffkin.ik.problem import Problem, State
from diffkin.ik.tasks import Task

__all__ = ["Conditions", "solution"]

_GEOMETRY = ("origins", "axes", "link_offsets")


@dataclass(frozen=True, eq=False)
class Conditions:
    """What solutions (n) fulfil, as functions of everything that gradients may flow to.

    Attributes:
        problem: Tasks, targets and geometry.
        base: (n, 4, 4) base poses as given, or None. Of a base free to turn, its origin counts; of one free in the
            plane, its height and tilt; of one free to move, nothing.
        held: (n, dof) coordinates that are locked or stand on a limit.
        holds: (n, dof) what holds these: the given coordinate, or the limit.
        solved: (n,) whether there is a solution; the others do not move.
        rtol: Singular values below this share of the largest count as zero.
    """

    problem: Problem
    base: Tensor | None
    held: Tensor
    holds: Tensor
    solved: Tensor
    rtol: float

    # -- what gradients flow to --------------------------------------------------------------------------------------

    def parameters(self) -> dict[tuple[str, ...], Tensor]:
        """By their place, the tensors that require gradients and can be put in place of others by ``having``."""
        found: dict[tuple[str, ...], Any] = {("geometry", name): getattr(self.problem.tree, name) for name in _GEOMETRY}
        for index, task in enumerate(self.problem.tasks):
            found |= {("task", str(index), name): part for name, part in vars(task).items()}
        found |= {("base",): self.base, ("holds",): self.holds}
        return {place: part for place, part in found.items() if isinstance(part, Tensor) and part.requires_grad}

    def having(self, parameters: Mapping[tuple[str, ...], Tensor]) -> Conditions:
        """The same conditions with other tensors at these places."""
        geometry: dict[str, Any] = {place[1]: part for place, part in parameters.items() if place[0] == "geometry"}
        tasks = []
        for index, task in enumerate(self.problem.tasks):
            own = {place[2]: part for place, part in parameters.items() if place[:2] == ("task", str(index))}
            tasks.append(_with(task, own) if own else task)
        tree = dataclasses.replace(self.problem.tree, **geometry) if geometry else self.problem.tree
        problem = dataclasses.replace(self.problem, tree=tree, tasks=tasks)
        base, holds = parameters.get(("base",), self.base), parameters.get(("holds",), self.holds)
        return dataclasses.replace(self, problem=problem, base=base, holds=holds)

    def require_gradients(self, q: Tensor, base: Tensor | None) -> bool:
        """Whether residuals at constant solutions require gradients."""
        return any(residual.requires_grad for residual in self.problem.residuals(self.state(q, base)))

    # -- the conditions ----------------------------------------------------------------------------------------------

    def placed(self, q: Tensor, base: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Coordinates (n, dof) and base poses with what is held and what is given in its place; the values are the same."""
        if self.holds.requires_grad:
            q = torch.where(self.held, q + (self.holds - self.holds.detach()), q)
        if base is None or self.problem.free_base == 0:
            return q, self.base
        return q, self.problem.moves.placed(base, None if self.base is None else self.base[: len(base)])

    def state(self, q: Tensor, base: Tensor | None, step: Tensor | None = None) -> State:
        """Solutions after a step (n, dof + free base) from them; limits do not stop it."""
        q, base = self.placed(q, base)
        if step is not None:
            q = q + step[:, : q.shape[1]]
            base = None if base is None else self.problem.moved_base(base, step)
        return State(q, base, torch.arange(len(q), device=q.device))

    def residuals(self, q: Tensor, base: Tensor | None, step: Tensor) -> list[Tensor]:
        """Weighted residual (n, rows) of each level, those to be met first, after a step that requires gradients."""
        parts = self.problem.residuals(self.state(q, base, step))
        priorities = [task.priority for task in self.problem.tasks]
        return [
            torch.cat([part for part, priority in zip(parts, priorities, strict=True) if priority == level], dim=-1)
            for level in sorted(set(priorities))
        ]

    def values(self, q: Tensor, base: Tensor | None, multipliers: Sequence[Sequence[Tensor]]) -> Tensor:
        """``r_0, g_1, g_2, ...`` in one row (n, conditions): zero at solutions, in exact arithmetic."""
        step = self._no_step(q)
        residuals = self.residuals(q, base, step)
        gradients = [_gradient(_lagrangian(residuals, each), step) for each in multipliers]
        return torch.cat([residuals[0], *gradients], dim=-1)

    # -- how solutions move ------------------------------------------------------------------------------------------

    def linearize(self, q: Tensor, base: Tensor | None, keep: bool = False) -> tuple[Tensor, list[list[Tensor]]]:
        """How solutions move with the values of the conditions.

        Args:
            q: (n, dof) solutions.
            base: (n, 4, 4) of a free base.
            keep: Whether the result can be differentiated.

        Returns:
            (n, dof + free base, conditions) derivative, zero for what is held or not solved; and the multipliers
            (n, rows of r_j) of each level after the first.
        """
        if not keep and not any(task.priority for task in self.problem.tasks):
            with torch.no_grad():
                _, jacobian = self.problem.linearize(self.state(q, base))
                return -self._inverse(jacobian), []
        step = self._no_step(q)
        residuals = self.residuals(q, base, step)
        jacobians = [_rows(residual, step) for residual in residuals]
        steps = [self._no_step(q) for _ in residuals[1:]]
        free = self._free()
        rows, columns, after = residuals[0].shape[1], step.shape[1], len(steps)
        move = -torch.nn.functional.pad(self._inverse(jacobians[0]), (0, after * columns))
        before, multipliers = jacobians[0], []
        for level, at in enumerate(steps, start=1):
            inverse = self._inverse(before)
            null = torch.diag_embed(free) - inverse @ (before * free.unsqueeze(-2))
            pull = apply(jacobians[level].mT, residuals[level])
            sizes = [residual.shape[1] for residual in residuals[:level]]
            multipliers.append(list((-apply(inverse.mT, pull)).split(sizes, dim=-1)))
            slope = _gradient(_lagrangian(self.residuals(q, base, at), multipliers[-1]), at)
            hessian = _rows(slope, at)
            least = self.rtol * torch.linalg.matrix_norm(hessian.detach())  # of the projected one may be left rounding
            bend = torch.linalg.pinv(null @ hessian @ null, atol=least, rtol=torch.zeros_like(least))
            chosen = torch.zeros_like(move)
            first = rows + (level - 1) * columns
            chosen[..., first : first + columns] = torch.eye(columns, dtype=q.dtype, device=q.device)
            move = move - bend @ (chosen + hessian @ move)
            before = torch.cat((before, jacobians[level]), dim=-2)
        move = move * (free * self.solved.unsqueeze(-1)).unsqueeze(-1)
        if keep:
            return move, multipliers
        return move.detach(), [[part.detach() for part in each] for each in multipliers]

    def pull(self, base: Tensor | None, by_q: Tensor, by_base: Tensor | None) -> Tensor:
        """The gradient (n, dof + free base) by a step, from those by ``q`` and by a free base's pose."""
        count = self.problem.free_base
        if not count or base is None or by_base is None:
            return torch.nn.functional.pad(by_q, (0, count))
        return torch.cat((by_q, self.problem.moves.pull(base, by_base)), dim=-1)

    def _no_step(self, q: Tensor) -> Tensor:
        return q.new_zeros(len(q), q.shape[1] + self.problem.free_base, requires_grad=True)

    def _free(self) -> Tensor:
        """(n, dof + free base) 1 for what may move, 0 for what is held."""
        free = (~self.held).to(torch.float64)
        return torch.nn.functional.pad(free, (0, self.problem.free_base), value=1.0)

    def _inverse(self, jacobian: Tensor) -> Tensor:
        """The pseudoinverse (n, dof + free base, rows) over what may move."""
        free = self._free()
        inverse = torch.linalg.pinv(jacobian * free.unsqueeze(-2), rtol=self.rtol)
        return inverse * (free * self.solved.unsqueeze(-1)).unsqueeze(-1)


def solution(conditions: Conditions, q: Tensor, base: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Solutions as functions of all that the conditions depend on, to every order of derivative.

    Args:
        conditions: What the solutions fulfil.
        q: (n, dof) their values.
        base: (n, 4, 4) the values of a free base, or None.

    Returns:
        The same values with graphs, where there is something for gradients to flow to.
    """
    if conditions.require_gradients(q, base):
        conditions.problem.check_graphs(conditions.state(q[:1], None if base is None else base[:1]))
        parameters = conditions.parameters()
        move, multipliers = conditions.linearize(q, base)
        values = conditions.problem.residual(conditions.state(q, base)) if not multipliers else None
        values = conditions.values(q, base, multipliers) if values is None else values
        q, base = _Solution.apply(conditions, tuple(parameters), move, q, base, values, *parameters.values())
    return conditions.placed(q, base)


class _Solution(torch.autograd.Function):
    """Solutions as a function of the values of their conditions, and of the parameters that these were computed from.

    A first derivative goes to the values, whose graph leads to everything. A derivative that is to be differentiated
    again is computed anew, from the parameters and from the solution as a function of them.
    """

    @staticmethod
    def forward(
        ctx: Any,
        conditions: Conditions,
        places: tuple[tuple[str, ...], ...],
        move: Tensor,
        q: Tensor,
        base: Tensor | None,
        values: Tensor,
        *parameters: Tensor,
    ) -> tuple[Tensor, Tensor | None]:
        q, base = q.clone(), None if base is None else base.clone()
        ctx.conditions, ctx.places, ctx.move = conditions, places, move
        ctx.save_for_backward(q, base, *parameters)
        return q, base

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        conditions: Conditions = ctx.conditions
        q, base, *parameters = ctx.saved_tensors
        unasked = (None,) * 5
        if not torch.is_grad_enabled():
            pulled = conditions.pull(base, *grads)
            return (*unasked, apply(ctx.move.mT, pulled), *[None] * len(parameters))
        with autograd.recording():
            found = _again(conditions.having(dict(zip(ctx.places, parameters, strict=True))), q, base, grads)
        return (*unasked, None, *found)


def _again(conditions: Conditions, q: Tensor, base: Tensor | None, grads: Sequence[Tensor]) -> list[Tensor | None]:
    """Gradients by the parameters that can be differentiated in turn."""
    parameters = conditions.parameters()
    constant = conditions.having({place: part.detach() for place, part in parameters.items()})
    if constant.require_gradients(q.detach(), None if base is None else base.detach()):
        raise GradientError(
            "Second derivatives of a solution (create_graph=True) flow to tensors that are attributes of the tasks, to "
            "the base, and to the robot. A residual here uses another tensor that requires gradients, such as one in a "
            "list, of a module or from an enclosing function. Make it an attribute of its task, or detach it."
        )
    move, multipliers = conditions.linearize(q, base, keep=True)
    weights = apply(move.mT, conditions.pull(base, *grads))
    # Aliases, so that the derivative is the partial one: the solution depends on the parameters themselves.
    alias = {place: part.view_as(part) for place, part in parameters.items()}
    values = conditions.having(alias).values(q, base, multipliers)
    return list(torch.autograd.grad(values, list(alias.values()), weights, create_graph=True, allow_unused=True))


def _with(task: Task, own: Mapping[str, Tensor]) -> Task:
    """A copy of a task with other tensors in some attributes."""
    made = copy.copy(task)
    for name, part in own.items():
        object.__setattr__(made, name, part)
    return made


def _lagrangian(residuals: Sequence[Tensor], multipliers: Sequence[Tensor]) -> Tensor:
    """Of a level, summed over the problems; its multipliers are those of all levels before it."""
    cost = 0.5 * residuals[len(multipliers)].square().sum()
    return cost + sum((part * by).sum() for part, by in zip(residuals, multipliers, strict=False))


def _gradient(total: Tensor, step: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(total, step, create_graph=True, materialize_grads=True)
    return gradient


def _rows(values: Tensor, step: Tensor) -> Tensor:
    """The derivative (n, rows, columns) of values (n, rows): one backward pass a row, for all problems at once."""
    if not values.requires_grad or not values.shape[-1]:
        return step.new_zeros(*values.shape, step.shape[-1])
    return torch.stack([_gradient(column.sum(), step) for column in values.unbind(-1)], dim=-2)
