"""Tasks of second priority: slide along the solutions of the first, down the cost of the second."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffkin.ik.descent import Memory
from diffkin.ik.problem import Problem, State

__all__ = ["SelfMotion"]

_CORRECTIONS = 2  # Gauss-Newton steps back to the first tasks after each slide: the error squares each time


@dataclass(frozen=True)
class SelfMotion:
    """Levenberg-Marquardt on the second tasks within the null space of the first.

    ``dq = N z`` with ``N = I - J0^+ J0`` and ``z`` the damped least-squares step of the second tasks (Nakamura,
    Hanafusa & Yoshikawa 1987), then steps ``-J0^+ r0`` back to the first tasks. A slide counts if the first tasks are met after
    it and the second cost is lower. Starts from a state that meets the first tasks.
    """

    max_iterations: int = 100
    max_restarts: int = 0
    damping: float = 1e-3
    patience: int = 10

    def start(self, problem: Problem, state: State) -> Memory:
        cost = 0.5 * problem.only(1).residual(state).square().sum(-1)
        return {
            "cost": cost,
            "mu": torch.full_like(cost, self.damping),
            "idle": torch.zeros_like(cost),
            "stalled": torch.zeros_like(cost, dtype=torch.bool),
        }

    def step(self, problem: Problem, state: State, memory: Memory) -> tuple[State, Memory]:
        first, second = problem.only(0), problem.only(1)
        cost, mu = memory["cost"], memory["mu"]
        derivative = first.linearize(state)[1]
        residual, slope = second.linearize(state)
        gradient = (slope.transpose(-1, -2) @ residual.unsqueeze(-1)).squeeze(-1)
        free = problem.free(state, torch.zeros_like(gradient))
        free = free & problem.free(state, _apply(_null(derivative, free), gradient))
        null = _null(derivative, free)
        within = slope @ null
        normal = within.transpose(-1, -2) @ within + torch.diag_embed(mu.unsqueeze(-1).expand_as(gradient))
        pull = (within.transpose(-1, -2) @ residual.unsqueeze(-1)).squeeze(-1)
        factor, _ = torch.linalg.cholesky_ex(normal)
        slide = -_apply(null, torch.cholesky_solve(pull.unsqueeze(-1), factor).squeeze(-1)) * free
        moved = problem.move(state, slide)
        for _ in range(_CORRECTIONS):
            error, derivative = first.linearize(moved)
            moved = problem.move(moved, -_apply(torch.linalg.pinv(derivative * free.unsqueeze(-2)), error) * free)
        new_cost = 0.5 * second.residual(moved).square().sum(-1)
        better = (new_cost < cost) & first.met(moved)
        idle = torch.where(better, torch.zeros_like(cost), memory["idle"] + 1.0)
        return moved.where(better, state), {
            "cost": torch.where(better, new_cost, cost),
            "mu": torch.where(better, mu * 0.25, mu * 8.0).clamp_min(1e-9),
            "idle": idle,
            "stalled": (idle >= self.patience) | (slide.abs().amax(-1) < 1e-9),
        }


def _null(derivative: Tensor, free: Tensor) -> Tensor:
    """The projector (n, columns, columns) onto the null space of a derivative, over the free coordinates."""
    active = derivative * free.unsqueeze(-2)
    identity = torch.diag_embed(free.to(derivative.dtype))
    return identity - torch.linalg.pinv(active, rtol=1e-8) @ active


def _apply(matrix: Tensor, vector: Tensor) -> Tensor:
    return (matrix @ vector.unsqueeze(-1)).squeeze(-1)
