"""Tasks of later priorities: slide along the solutions of those before, down the cost of the own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffkin._algebra import apply
from diffkin.ik.descent import Memory
from diffkin.ik.problem import Problem, State

__all__ = ["KEPT", "STILL", "SelfMotion"]

_CORRECTIONS = 2  # Gauss-Newton steps back to the first tasks after each slide: the error squares each time
STILL = 1e-9  # [rad or m] the longest move of a coordinate in a slide that is no longer worth taking
KEPT = 1e-9  # how much a slide may change what levels between the first and its own have come to


@dataclass(frozen=True, eq=False)
class _Sliding(Memory):
    """Of ``SelfMotion``.

    Attributes:
        mu: (n,) damping.
        idle: (n,) slides since one was last taken.
        longest: (n,) the longest move of a coordinate in the last slide.
        patience: (n,) idle slides after which a descent is given up.
        reached: (n, rows) the residual that each level before this one has come to: zero for the first, what it is to
            stay at for those between.
    """

    mu: Tensor
    idle: Tensor
    longest: Tensor
    patience: Tensor
    reached: Tensor

    @property
    def converged(self) -> Tensor:
        return self.longest < STILL

    @property
    def stalled(self) -> Tensor:
        return self.idle >= self.patience


@dataclass(frozen=True)
class SelfMotion:
    """Levenberg-Marquardt on the tasks of a priority within the null space of those before.

    ``dq = N z`` with ``N = I - J0^+ J0`` and ``z`` the damped least-squares step of the tasks (Nakamura, Hanafusa &
    Yoshikawa 1987), then steps ``-J0^+ r0`` back to those before. A slide counts if the first tasks are met after it, the
    levels between are where they were, and the own cost is lower. What a level between could not bring to zero stays as
    it is (Escande, Mansard & Wieber 2014). Starts from a state that meets the first tasks.
    """

    max_iterations: int = 100
    max_restarts: int = 0
    damping: float = 1e-3
    patience: int = 10
    level: int = 1

    def start(self, problem: Problem, state: State) -> _Sliding:
        cost = 0.5 * problem.only(self.level).residual(state).square().sum(-1)
        before = [level for level in problem.levels if level < self.level]
        reached = [problem.only(level).residual(state) for level in before]
        reached[0] = torch.zeros_like(reached[0])
        mu, patience = torch.full_like(cost, self.damping), torch.full_like(cost, self.patience)
        idle, longest = torch.zeros_like(cost), torch.full_like(cost, torch.inf)
        return _Sliding(cost, mu, idle, longest, patience, torch.cat(reached, dim=-1))

    def step(self, problem: Problem, state: State, memory: _Sliding) -> tuple[State, _Sliding]:
        first, own = problem.only(0), problem.only(self.level)
        before = [problem.only(level) for level in problem.levels if level < self.level]
        cost, mu = memory.cost, memory.mu
        _, derivative = _linearized(before, state)
        residual, slope = own.linearize(state)
        gradient = apply(slope.mT, residual)
        free = problem.free(state, torch.zeros_like(gradient))
        free = free & problem.free(state, apply(_null(derivative, free), gradient))
        null = _null(derivative, free)
        within = slope @ null
        normal = within.mT @ within + torch.diag_embed(mu.unsqueeze(-1).expand_as(gradient))
        pull = apply(within.mT, residual)
        factor, _ = torch.linalg.cholesky_ex(normal)
        slide = -apply(null, torch.cholesky_solve(pull.unsqueeze(-1), factor).squeeze(-1)) * free
        moved = problem.move(state, slide)
        # What the slide has brought to its limit stays there: corrected away from it, it would come back for ever.
        still = (moved.q > problem.lower) & (moved.q < problem.upper)
        still = free & torch.nn.functional.pad(still, (0, problem.free_base), value=True)
        for _ in range(_CORRECTIONS):
            value, derivative = _linearized(before, moved)
            back = torch.linalg.pinv(derivative * still.unsqueeze(-2))
            moved = problem.move(moved, -apply(back, value - memory.reached) * still)
        new_cost = 0.5 * own.residual(moved).square().sum(-1)
        better = (new_cost < cost) & first.met(moved)
        if len(before) > 1:
            between = torch.cat([level.residual(moved) for level in before], dim=-1) - memory.reached
            between = between[:, first.residual(moved).shape[-1] :]
            better = better & (torch.linalg.vector_norm(between, dim=-1) <= KEPT)
        return moved.where(better, state), _Sliding(
            cost=torch.where(better, new_cost, cost),
            mu=torch.where(better, mu * 0.25, mu * 8.0).clamp_min(1e-9),
            idle=torch.where(better, torch.zeros_like(cost), memory.idle + 1.0),
            longest=slide.abs().amax(-1),
            patience=memory.patience,
            reached=memory.reached,
        )


def _linearized(levels: list[Problem], state: State) -> tuple[Tensor, Tensor]:
    """Residual (n, rows) and derivative (n, rows, columns) of some levels, one after another."""
    parts = [level.linearize(state) for level in levels]
    return torch.cat([part[0] for part in parts], dim=-1), torch.cat([part[1] for part in parts], dim=-2)


def _null(derivative: Tensor, free: Tensor) -> Tensor:
    """The projector (n, columns, columns) onto the null space of a derivative, over the free coordinates."""
    active = derivative * free.unsqueeze(-2)
    identity = torch.diag_embed(free.to(derivative.dtype))
    return identity - torch.linalg.pinv(active, rtol=1e-8) @ active
