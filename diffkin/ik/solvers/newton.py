"""Levenberg-Marquardt and Gauss-Newton within limits."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffkin.ik.descent import Memory
from diffkin.ik.problem import Problem, State

__all__ = ["GaussNewton", "LevenbergMarquardt", "damped_step"]

_FLOOR = 1e-12  # added to the damping, so that a singular arm's normal equations can be solved


def damped_step(residual: Tensor, derivative: Tensor, free: Tensor, damping: Tensor) -> Tensor:
    """``-(J^T J + damping I)^-1 J^T r`` over the free coordinates; 0 in the others.

    Args:
        residual: (n, rows).
        derivative: (n, rows, columns).
        free: (n, columns) which may move.
        damping: (n,).

    Returns:
        (n, columns) step.
    """
    active = derivative * free.unsqueeze(-2)
    flipped = active.transpose(-1, -2)
    normal = flipped @ active + torch.diag_embed(damping.unsqueeze(-1).expand(*free.shape))
    slope = flipped @ residual.unsqueeze(-1)
    factor, _ = torch.linalg.cholesky_ex(normal)
    return -torch.cholesky_solve(slope, factor).squeeze(-1) * free


@dataclass(frozen=True)
class LevenbergMarquardt:
    """Damped least squares whose damping is proportional to the squared error (Sugihara 2011; Chan & Lawrence 1988).

    ``dq = -(J^T J + mu |r|^2 I)^-1 J^T r``; a step that does not lower the error is taken back and mu grows.
    Coordinates on a limit that the gradient pushes outward leave the equations, so that the rest converges along the
    boundary.
    """

    max_iterations: int = 64
    max_restarts: int = 100
    damping: float = 1e-2
    patience: int = 8

    def start(self, problem: Problem, state: State) -> Memory:
        residual, derivative = problem.linearize(state)
        cost = 0.5 * residual.square().sum(-1)
        return {
            "residual": residual,
            "derivative": derivative,
            "cost": cost,
            "mu": torch.full_like(cost, self.damping),
            "idle": torch.zeros_like(cost),
            "stalled": torch.zeros_like(cost, dtype=torch.bool),
        }

    def step(self, problem: Problem, state: State, memory: Memory) -> tuple[State, Memory]:
        residual, derivative, cost, mu = (memory[name] for name in ("residual", "derivative", "cost", "mu"))
        gradient = (derivative.transpose(-1, -2) @ residual.unsqueeze(-1)).squeeze(-1)
        free = problem.free(state, gradient)
        step = damped_step(residual, derivative, free, mu * 2.0 * cost + _FLOOR)
        moved = problem.move(state, step)
        new_residual, new_derivative = problem.linearize(moved)
        new_cost = 0.5 * new_residual.square().sum(-1)
        better = new_cost < cost  # False for NaN: such a step is taken back
        much = new_cost < cost * (1.0 - 1e-2)
        idle = torch.where(much, torch.zeros_like(cost), memory["idle"] + 1.0)
        return moved.where(better, state), {
            "residual": torch.where(better[:, None], new_residual, residual),
            "derivative": torch.where(better[:, None, None], new_derivative, derivative),
            "cost": torch.where(better, new_cost, cost),
            "mu": torch.where(better, (mu * 0.5).clamp_min(self.damping * 1e-2), mu * 8.0),
            "idle": idle,
            "stalled": idle >= self.patience,
        }


@dataclass(frozen=True)
class GaussNewton:
    """Least squares without damping: ``dq = -J^+ r``, every step taken, no coordinate by more than ``max_step``."""

    max_iterations: int = 64
    max_restarts: int = 100
    max_step: float = 1.0
    patience: int = 12

    def start(self, problem: Problem, state: State) -> Memory:
        residual, derivative = problem.linearize(state)
        cost = 0.5 * residual.square().sum(-1)
        return {
            "residual": residual,
            "derivative": derivative,
            "cost": cost,
            "best": cost,
            "idle": torch.zeros_like(cost),
            "stalled": torch.zeros_like(cost, dtype=torch.bool),
        }

    def step(self, problem: Problem, state: State, memory: Memory) -> tuple[State, Memory]:
        residual, derivative, cost = (memory[name] for name in ("residual", "derivative", "cost"))
        gradient = (derivative.transpose(-1, -2) @ residual.unsqueeze(-1)).squeeze(-1)
        free = problem.free(state, gradient)
        step = damped_step(residual, derivative, free, torch.full_like(cost, 1e-10))
        longest = step.abs().amax(-1, keepdim=True)
        step = step * (self.max_step / longest.clamp_min(self.max_step))
        moved = problem.move(state, step)
        new_residual, new_derivative = problem.linearize(moved)
        new_cost = 0.5 * new_residual.square().sum(-1)
        much = new_cost < memory["best"] * (1.0 - 1e-2)
        idle = torch.where(much, torch.zeros_like(cost), memory["idle"] + 1.0)
        return moved, {
            "residual": new_residual,
            "derivative": new_derivative,
            "cost": new_cost,
            "best": torch.minimum(new_cost, memory["best"]),
            "idle": idle,
            "stalled": idle >= self.patience,
        }
