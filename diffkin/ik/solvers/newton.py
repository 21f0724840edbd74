"""Levenberg-Marquardt and Gauss-Newton within limits."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffkin._algebra import apply
from diffkin._given import real, whole
from diffkin.ik.descent import Memory
from diffkin.ik.problem import Problem, State

__all__ = ["FAR", "FLOOR", "GaussNewton", "LevenbergMarquardt", "damped_step"]

FLOOR = 1e-9
"""Damping of Levenberg-Marquardt at a vanishing error, so that a singular arm's equations can be solved."""
FAR = 1e-2
"""Residual above which a start of Levenberg-Marquardt that has used up its patience is given up."""
_FLOOR = 1e-10  # likewise of Gauss-Newton
_IDLE = 1e-2  # a step of Gauss-Newton that takes off less than this share of the least cost so far counts as idle


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
    slope = apply(flipped, residual).unsqueeze(-1)
    factor, _ = torch.linalg.cholesky_ex(normal)
    return -torch.cholesky_solve(slope, factor).squeeze(-1) * free


@dataclass(frozen=True, eq=False)
class _Linear(Memory):
    """The residual (n, rows) and its derivative (n, rows, columns) where a descent stands."""

    residual: Tensor
    derivative: Tensor


def _linear(problem: Problem, state: State) -> tuple[Tensor, Tensor, Tensor]:
    """Cost (n,), residual and derivative at a state."""
    residual, derivative = problem.linearize(state)
    return 0.5 * residual.square().sum(-1), residual, derivative


@dataclass(frozen=True, eq=False)
class _Damped(_Linear):
    """Of Levenberg-Marquardt.

    Attributes:
        growth: (n,) factor on the damping, 1 until a step is refused.
        spent: (n,) steps tried.
        patience: (n,) steps after which a descent far from a solution is given up.
    """

    growth: Tensor
    spent: Tensor
    patience: Tensor

    @property
    def stalled(self) -> Tensor:
        return (self.spent >= self.patience) & (2.0 * self.cost >= FAR**2)


@dataclass(frozen=True)
class LevenbergMarquardt:
    """Damped least squares whose damping is proportional to the squared error (Sugihara 2011; Chan & Lawrence 1988).

    ``dq = -(J^T J + g (mu |r|^2 + 1e-9) I)^-1 J^T r``; a step that does not lower the error is taken back and g grows.
    Beyond the reach of turning, where only slides come from, the damping grows no more. Coordinates on a limit that the
    gradient pushes outward leave the equations, so that the rest converges along the boundary.

    The fused kernel and the plain torch path take these settings in the same meaning, but for the unit of length: in the
    kernel a residual's positions are in lengths of the arm, so that an arm of any size is treated alike.

    Attributes:
        max_iterations: Steps of one start, at most.
        max_restarts: Starts after the first.
        damping: mu.
        patience: Steps after which a start with ``|r| > 0.01`` is given up.
        early_iterations: Steps of the first starts, at most. Start k gets k / 4 more, and as much more patience:
            what the first starts do not solve is hard. The caller's own start ``q0`` gets all there is of both.
        grow: Factor on g when a step is taken back.
        shrink: Factor on g when a step is good; g stays at least 1.
    """

    max_iterations: int = 64
    max_restarts: int = 100
    damping: float = 3e-3
    patience: int = 7
    early_iterations: int = 15
    grow: float = 4.0
    shrink: float = 0.5

    def __post_init__(self) -> None:
        real(self.damping, "damping", least=0.0)
        real(self.grow, "grow", above=1.0)
        real(self.shrink, "shrink", above=0.0, most=1.0)
        whole(self.patience, "patience", 0)
        whole(self.early_iterations, "early_iterations", 1)

    def start(self, problem: Problem, state: State) -> _Damped:
        cost, residual, derivative = _linear(problem, state)
        patience = torch.full_like(cost, self.patience)
        if state.grace is not None:
            patience = patience + state.grace
        return _Damped(cost, residual, derivative, torch.ones_like(cost), torch.zeros_like(cost), patience)

    def step(self, problem: Problem, state: State, memory: _Damped) -> tuple[State, _Damped]:
        cost, residual, derivative, growth = memory.cost, memory.residual, memory.derivative, memory.growth
        free = problem.free(state, apply(derivative.mT, residual))
        size = (2.0 * cost).clamp(max=problem.near2)
        step = damped_step(residual, derivative, free, growth * (self.damping * size + FLOOR))
        moved = problem.move(state, step)
        new_cost, new_residual, new_derivative = _linear(problem, moved)
        better = new_cost < cost  # False for NaN: such a step is taken back
        return moved.where(better, state), _Damped(
            cost=torch.where(better, new_cost, cost),
            residual=torch.where(better[:, None], new_residual, residual),
            derivative=torch.where(better[:, None, None], new_derivative, derivative),
            growth=torch.where(better, (growth * self.shrink).clamp_min(1.0), growth * self.grow),
            spent=memory.spent + 1.0,
            patience=memory.patience + (problem.far(cost) & problem.slides.any()),
        )


@dataclass(frozen=True, eq=False)
class _Undamped(_Linear):
    """Of Gauss-Newton.

    Attributes:
        best: (n,) least cost so far.
        idle: (n,) steps since that last fell by a share worth the name.
        patience: (n,) idle steps after which a descent is given up.
    """

    best: Tensor
    idle: Tensor
    patience: Tensor

    @property
    def stalled(self) -> Tensor:
        return self.idle >= self.patience


@dataclass(frozen=True)
class GaussNewton:
    """Least squares without damping: ``dq = -J^+ r``, every step taken, no coordinate by more than ``max_step``, but that
    slides go all the way to a target far out of the reach of turning."""

    max_iterations: int = 64
    max_restarts: int = 100
    max_step: float = 1.0
    patience: int = 12

    def __post_init__(self) -> None:
        real(self.max_step, "max_step", above=0.0)
        whole(self.patience, "patience", 0)

    def start(self, problem: Problem, state: State) -> _Undamped:
        cost, residual, derivative = _linear(problem, state)
        patience = torch.full_like(cost, self.patience)
        return _Undamped(cost, residual, derivative, cost, torch.zeros_like(cost), patience)

    def step(self, problem: Problem, state: State, memory: _Undamped) -> tuple[State, _Undamped]:
        residual, derivative = memory.residual, memory.derivative
        free = problem.free(state, apply(derivative.mT, residual))
        step = damped_step(residual, derivative, free, torch.full_like(memory.cost, _FLOOR))
        longest = (step.abs() / problem.strides(memory.cost)).amax(-1, keepdim=True)
        step = step * (self.max_step / longest.clamp_min(self.max_step))
        moved = problem.move(state, step)
        cost, residual, derivative = _linear(problem, moved)
        much = cost < memory.best * (1.0 - _IDLE)
        idle = torch.where(much, torch.zeros_like(cost), memory.idle + 1.0)
        best = torch.minimum(cost, memory.best)
        return moved, _Undamped(cost, residual, derivative, best, idle, memory.patience)
