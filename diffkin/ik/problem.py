"""A batch of inverse kinematics problems as least squares: residual, Jacobian, errors, and the moves allowed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from diffkin import rotations, transforms
from diffkin._algebra import apply
from diffkin.ik.tasks import Task
from diffkin.kinematics import KinematicTree
from diffkin.kinematics.jacobians import poses_and_jacobians
from diffkin.kinematics.poses import forward

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["FREE_BASE", "Problem", "State", "make_problem"]

FREE_BASE = {None: 0, "rotation": 3, "pose": 6}
"""How many base coordinates each choice of ``free_base`` adds."""


@dataclass(frozen=True, eq=False)
class State:
    """Where n descents stand.

    Attributes:
        q: (n, dof) coordinates.
        base: (n, 4, 4) base poses, or None for the identity.
        problem: (n,) the problem each descent works on.
        grace: (n,) iterations each descent is granted beyond those of the first starts; None for none.
    """

    q: Tensor
    base: Tensor | None
    problem: Tensor
    grace: Tensor | None = None

    def take(self, index: Tensor) -> State:
        """The descents at ``index`` alone."""
        base, grace = (None if part is None else part[index] for part in (self.base, self.grace))
        return State(self.q[index], base, self.problem[index], grace)

    def where(self, mask: Tensor, other: State) -> State:
        """This state where ``mask`` (n,) holds, the other elsewhere."""
        base = (
            None if self.base is None or other.base is None else torch.where(mask[:, None, None], self.base, other.base)
        )
        return State(torch.where(mask[:, None], self.q, other.q), base, self.problem, self.grace)


@dataclass(frozen=True, eq=False)
class Problem:
    """Tasks on a mechanism, with limits.

    Attributes:
        tree: The mechanism, float64.
        lower: (dof,) limits; upper likewise.
        upper: (dof,) limits.
        tasks: The tasks, their targets flattened to the batch.
        links: For each task the indices of its links.
        movable: (dof,) False for locked coordinates.
        free_base: 0, 3 (rotation) or 6 (pose) base coordinates, perturbed on the right: ``base @ exp(xi)``.
        position_tolerance: [m].
        rotation_tolerance: [rad].
    """

    tree: KinematicTree
    lower: Tensor
    upper: Tensor
    tasks: Sequence[Task]
    links: Sequence[tuple[int, ...]]
    movable: Tensor
    free_base: int
    position_tolerance: float
    rotation_tolerance: float

    @property
    def has_second(self) -> bool:
        """Whether some task has priority 1."""
        return any(task.priority > 0 for task in self.tasks)

    def only(self, priority: int) -> Problem:
        """The same problem with the tasks of one priority alone: 0, or anything above."""
        kept = [k for k, task in enumerate(self.tasks) if (task.priority > 0) == (priority > 0)]
        if len(kept) == len(self.tasks):
            return self
        tasks, links = [self.tasks[k] for k in kept], [self.links[k] for k in kept]
        return dataclasses.replace(self, tasks=tasks, links=links)

    def check_weights(self, state: State) -> None:
        """Raise unless each task's weight fits its residual; where a task does not say its rows, the residual tells."""
        if all(task.rows is not None or torch.as_tensor(task.weight).ndim == 0 for task in self.tasks):
            return
        for task, poses in zip(self.tasks, self.poses(state), strict=True):
            task.check_weight(task.residual(poses, state.q, state.problem).shape[-1])

    def poses(self, state: State) -> list[Tensor]:
        """For each task the poses (n, links, 4, 4) of its links in the world."""
        order = sorted({link for links in self.links for link in links})
        all_poses = forward(self.tree, state.q, order, state.base, backend="reference")
        return [all_poses[:, [order.index(link) for link in links]] for links in self.links]

    def residual(self, state: State) -> Tensor:
        """Weighted residual (n, rows) of all tasks."""
        return torch.cat(
            [
                task.residual(poses, state.q, state.problem) * self._weight(task, state.q)
                for task, poses in zip(self.tasks, self.poses(state), strict=True)
            ],
            dim=-1,
        )

    def linearize(self, state: State) -> tuple[Tensor, Tensor]:
        """Weighted residual (n, rows) and its derivative (n, rows, dof + free base) at a state."""
        order = sorted({link for links in self.links for link in links})
        poses, jacobians = poses_and_jacobians(self.tree, state.q, order)
        if state.base is not None:
            turn = state.base[:, None, :3, :3]
            poses = state.base[:, None] @ poses
            jacobians = torch.cat((turn @ jacobians[..., :3, :], turn @ jacobians[..., 3:, :]), dim=-2)
        if self.free_base:
            jacobians = torch.cat((jacobians, self._base_columns(poses, state)), dim=-1)
        residuals, derivatives = [], []
        for task, links in zip(self.tasks, self.links, strict=True):
            at = [order.index(link) for link in links]
            weight = self._weight(task, state.q)
            given = task.jacobian(poses[:, at], jacobians[:, at], state.q, state.problem)
            if given is None:
                residual, given = self._by_autograd(task, poses[:, at], jacobians[:, at], state)
            else:
                residual = task.residual(poses[:, at], state.q, state.problem)
            residuals.append(residual * weight)
            derivatives.append(given * weight.unsqueeze(-1))
        return torch.cat(residuals, dim=-1), torch.cat(derivatives, dim=-2)

    def errors(self, state: State) -> tuple[Tensor, Tensor]:
        """Largest position error [m] and rotation error [rad] of the tasks of priority 0, each (n,)."""
        position = state.q.new_zeros(state.q.shape[0])
        rotation = torch.zeros_like(position)
        for task, poses in zip(self.tasks, self.poses(state), strict=True):
            if task.priority == 0:
                moved, turned = task.errors(poses, state.q, state.problem)
                position = position if moved is None else torch.maximum(position, moved)
                rotation = rotation if turned is None else torch.maximum(rotation, turned)
        return position, rotation

    def met(self, state: State) -> Tensor:
        """Whether both tolerances are met, (n,); never where an error is NaN."""
        position, rotation = self.errors(state)
        return (position <= self.position_tolerance) & (rotation <= self.rotation_tolerance)

    def move(self, state: State, step: Tensor) -> State:
        """Take a step (n, dof + free base), stopping at the limits."""
        dof = self.tree.dof
        q = torch.minimum(torch.maximum(state.q + step[:, :dof], self.lower), self.upper)
        base = state.base
        if base is not None and self.free_base:
            turn = step[:, -3:]
            shift = step[:, dof : dof + 3] if self.free_base == 6 else torch.zeros_like(turn)
            base = base @ transforms.pose(rotations.rotvec_to_matrix(turn), shift)
        return State(q, base, state.problem, state.grace)

    def free(self, state: State, gradient: Tensor) -> Tensor:
        """Which coordinates may move downhill, (n, dof + free base): not those on a limit and pushed outward."""
        dof = self.tree.dof
        slope = gradient[:, :dof]
        blocked = ((state.q <= self.lower) & (slope > 0)) | ((state.q >= self.upper) & (slope < 0))
        free = ~blocked & self.movable
        return torch.cat((free, free.new_ones(free.shape[0], self.free_base)), dim=-1)

    def _weight(self, task: Task, like: Tensor) -> Tensor:
        weight = torch.as_tensor(task.weight, dtype=like.dtype, device=like.device)
        return weight if weight.ndim else weight[None]

    def _base_columns(self, poses: Tensor, state: State) -> Tensor:
        """Columns (n, links, 6, 3 or 6) of the base perturbed on the right; a turn moves a link by ``w x (p - o)``."""
        base = state.base
        turn = base[:, None, :3, :3].expand(*poses.shape[:2], 3, 3)  # type: ignore[index]
        lever = poses[..., :3, 3] - base[:, None, :3, 3]  # type: ignore[index]
        swing = -rotations.hat(lever) @ turn
        columns = torch.cat((swing, turn), dim=-2)
        if self.free_base == 3:
            return columns
        shift = torch.cat((turn, torch.zeros_like(turn)), dim=-2)
        return torch.cat((shift, columns), dim=-1)

    def _by_autograd(self, task: Task, poses: Tensor, jacobians: Tensor, state: State) -> tuple[Tensor, Tensor]:
        """Residual and derivative of a task that gives none: one backward pass a row, for the whole batch at once."""
        with torch.enable_grad():
            twist = poses.new_zeros(*poses.shape[:2], 6, requires_grad=True)
            q = state.q.detach().requires_grad_()
            rotation = poses[..., :3, :3] + rotations.hat(twist[..., 3:]) @ poses[..., :3, :3]
            moved = torch.cat((rotation, (poses[..., :3, 3] + twist[..., :3]).unsqueeze(-1)), dim=-1)
            moved = torch.cat((moved, poses[..., 3:, :]), dim=-2)
            residual = task.residual(moved, q, state.problem)
            rows = []
            for column in residual.unbind(-1):
                by_twist, by_q = torch.autograd.grad(
                    column.sum(), (twist, q), retain_graph=True, allow_unused=True, materialize_grads=True
                )
                row = apply(jacobians.mT, by_twist).sum(1)
                rows.append(torch.cat((row[:, : q.shape[1]] + by_q, row[:, q.shape[1] :]), dim=-1))
        return residual.detach(), torch.stack(rows, dim=-2)


def make_problem(
    robot: Robot,
    tasks: Sequence[Task],
    batch: torch.Size,
    movable: Tensor,
    free_base: str | None = None,
    position_tolerance: float = 1.0,
    rotation_tolerance: float = 1.0,
) -> Problem:
    """The problems of a robot in float64, their targets expanded to a batch and flattened.

    Args:
        robot: The robot.
        tasks: The tasks as the caller gave them.
        batch: Leading axes of the problems.
        movable: (dof,) False for locked coordinates.
        free_base: A name of ``FREE_BASE``.
        position_tolerance: [m].
        rotation_tolerance: [rad].

    Returns:
        The problems.
    """
    return Problem(
        tree=robot.tree.in_dtype(torch.float64),
        lower=robot.lower.double(),
        upper=robot.upper.double(),
        tasks=[task.for_batch(batch, torch.float64, robot.device) for task in tasks],
        links=[tuple(robot.link_index(link) for link in task.links) for task in tasks],
        movable=movable,
        free_base=FREE_BASE[free_base],
        position_tolerance=position_tolerance,
        rotation_tolerance=rotation_tolerance,
    )
