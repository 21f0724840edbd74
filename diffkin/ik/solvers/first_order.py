"""Descents that use the gradient alone: gradient descent, Adam, L-BFGS, all within limits."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffkin._algebra import apply
from diffkin._given import real, whole
from diffkin.ik.descent import Memory
from diffkin.ik.problem import Problem, State

__all__ = ["LBFGS", "Adam", "GradientDescent"]

_WINDOW = 8  # a step is good if it ends below the highest of this many last costs (Grippo, Lampariello & Lucidi 1986)


def _evaluate(problem: Problem, state: State) -> tuple[Tensor, Tensor, Tensor]:
    """Cost (n,), its gradient (n, columns), and the gradient without the coordinates held by a limit."""
    residual, derivative = problem.linearize(state)
    gradient = apply(derivative.mT, residual)
    return 0.5 * residual.square().sum(-1), gradient, gradient * problem.free(state, gradient)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product (n,) over the columns."""
    return (a * b).sum(-1)


@dataclass(frozen=True, eq=False)
class _Sloping(Memory):
    """The gradient (n, columns) of the cost, without the coordinates held by a limit."""

    slope: Tensor

    @property
    def converged(self) -> Tensor:
        return _dot(self.slope, self.slope) < 1e-20


@dataclass(frozen=True, eq=False)
class _Steepest(_Sloping):
    """Of gradient descent.

    Attributes:
        gradient: (n, columns) of the cost.
        rate: (n,) length of the next step over the slope.
        recent: (n, window) last costs.
    """

    gradient: Tensor
    rate: Tensor
    recent: Tensor

    @property
    def stalled(self) -> Tensor:
        return self.rate < 1e-12


@dataclass(frozen=True)
class GradientDescent:
    """Steepest descent with step lengths after Barzilai & Borwein (1988), projected onto the limits.

    The projection and the acceptance rule are those of Birgin, Martinez & Raydan (2000).
    """

    max_iterations: int = 2000
    max_restarts: int = 20
    learning_rate: float = 0.3

    def __post_init__(self) -> None:
        real(self.learning_rate, "learning_rate", above=0.0)

    def start(self, problem: Problem, state: State) -> _Steepest:
        cost, gradient, slope = _evaluate(problem, state)
        rate = torch.full_like(cost, self.learning_rate)
        return _Steepest(cost, slope, gradient, rate, cost.unsqueeze(-1).expand(-1, _WINDOW).clone())

    def step(self, problem: Problem, state: State, memory: _Steepest) -> tuple[State, _Steepest]:
        cost, gradient, slope, rate, recent = memory.cost, memory.gradient, memory.slope, memory.rate, memory.recent
        step = -rate.unsqueeze(-1) * slope
        moved = problem.move(state, step)
        new_cost, new_gradient, new_slope = _evaluate(problem, moved)
        good = new_cost <= recent.amax(-1) - 1e-4 * rate * _dot(slope, slope)
        bend = _dot(step, new_gradient - gradient)
        length = _dot(step, step) / torch.where(bend > 0, bend, torch.ones_like(bend))
        fresh = torch.where(bend > 0, length, rate * 2.0).clamp(1e-6, 1e3)
        window = torch.cat((recent[:, 1:], new_cost.unsqueeze(-1)), dim=-1)
        return moved.where(good, state), _Steepest(
            cost=torch.where(good, new_cost, cost),
            slope=torch.where(good.unsqueeze(-1), new_slope, slope),
            gradient=torch.where(good.unsqueeze(-1), new_gradient, gradient),
            rate=torch.where(good, fresh, rate * 0.25),
            recent=torch.where(good.unsqueeze(-1), window, recent),
        )


@dataclass(frozen=True, eq=False)
class _Moments(_Sloping):
    """Of Adam.

    Attributes:
        mean: (n, columns) running mean of the gradient.
        square: (n, columns) running mean of its square.
        time: (n,) steps taken.
    """

    mean: Tensor
    square: Tensor
    time: Tensor


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015) on the error ``|r|``, with a rate that shrinks with it.

    Adam's steps are as long as its rate however small the gradient, so a fixed rate circles the solution. The error at
    the solution is known to be 0, so the rate is ``learning_rate * min(1, |r|)``, as in Polyak's step.
    """

    max_iterations: int = 1000
    max_restarts: int = 20
    learning_rate: float = 0.4
    betas: tuple[float, float] = (0.9, 0.99)

    def __post_init__(self) -> None:
        real(self.learning_rate, "learning_rate", above=0.0)
        for beta in self.betas:
            real(beta, "betas", least=0.0, below=1.0)

    def start(self, problem: Problem, state: State) -> _Moments:
        cost, _, slope = _evaluate(problem, state)
        return _Moments(cost, slope, torch.zeros_like(slope), torch.zeros_like(slope), torch.zeros_like(cost))

    def step(self, problem: Problem, state: State, memory: _Moments) -> tuple[State, _Moments]:
        first, second = self.betas
        slope, time = memory.slope, memory.time + 1.0
        error = (2.0 * memory.cost).sqrt()
        pull = slope / error.clamp_min(1e-30).unsqueeze(-1)  # the gradient of |r|
        mean = first * memory.mean + (1.0 - first) * pull
        square = second * memory.square + (1.0 - second) * pull.square()
        rate = self.learning_rate * error.clamp(max=1.0)
        unbiased = (1.0 - second**time).sqrt() / (1.0 - first**time)
        held = (slope == 0).to(slope.dtype)  # a coordinate held by a limit does not coast on its momentum
        step = -(rate * unbiased).unsqueeze(-1) * mean / (square.sqrt() + 1e-12) * (1.0 - held)
        step = step * problem.strides(memory.cost)
        moved = problem.move(state, step)
        cost, _, slope = _evaluate(problem, moved)
        return moved, _Moments(cost, slope, mean, square, time)


@dataclass(frozen=True, eq=False)
class _Pairs(_Sloping):
    """Of L-BFGS.

    Attributes:
        gradient: (n, columns) of the cost.
        moves: (n, pairs, columns) last moves, the newest last; zeros where there were none yet.
        bends: (n, pairs, columns) changes of the gradient over them.
        length: (n,) share of the direction to try next.
        lost: (n,) whether even the slope led nowhere.
    """

    gradient: Tensor
    moves: Tensor
    bends: Tensor
    length: Tensor
    lost: Tensor

    @property
    def stalled(self) -> Tensor:
        return self.lost


@dataclass(frozen=True)
class LBFGS:
    """Limited-memory BFGS (Nocedal & Wright, Numerical Optimization, 7.2) over the coordinates no limit holds."""

    max_iterations: int = 300
    max_restarts: int = 40
    history_size: int = 10

    def __post_init__(self) -> None:
        whole(self.history_size, "history_size", 1)

    def start(self, problem: Problem, state: State) -> _Pairs:
        cost, gradient, slope = _evaluate(problem, state)
        pairs = gradient.new_zeros(len(gradient), self.history_size, gradient.shape[1])
        lost = torch.zeros_like(cost, dtype=torch.bool)
        return _Pairs(cost, slope, gradient, pairs, pairs.clone(), torch.ones_like(cost), lost)

    def step(self, problem: Problem, state: State, memory: _Pairs) -> tuple[State, _Pairs]:
        cost, gradient, slope, length = memory.cost, memory.gradient, memory.slope, memory.length
        moves, bends = memory.moves, memory.bends
        direction = self._direction(slope, moves, bends)
        uphill = _dot(direction, slope) >= 0
        direction = torch.where(uphill.unsqueeze(-1), -slope, direction)
        longest = (direction.abs() / problem.strides(cost)).amax(-1, keepdim=True)
        step = direction * length.unsqueeze(-1) / longest.clamp_min(1.0)
        moved = problem.move(state, step)
        new_cost, new_gradient, new_slope = _evaluate(problem, moved)
        good = new_cost <= cost + 1e-4 * _dot(step, slope)
        actual = torch.cat((moved.q - state.q, step[:, problem.tree.dof :]), dim=-1)
        bend = new_gradient - gradient
        useful = good & (_dot(actual, bend) > 1e-12 * _dot(bend, bend))
        keep = useful[:, None, None]
        fresh_moves = torch.cat((moves[:, 1:], actual.unsqueeze(1)), dim=1)
        fresh_bends = torch.cat((bends[:, 1:], bend.unsqueeze(1)), dim=1)
        slope = torch.where(good.unsqueeze(-1), new_slope, slope)
        length = torch.where(good, torch.ones_like(length), length * 0.4)
        lost = length < 1e-6  # the direction is useless: forget the past, and give up if there was none
        forget = lost[:, None, None]
        moves, bends = torch.where(keep, fresh_moves, moves), torch.where(keep, fresh_bends, bends)
        empty = (moves == 0).all(-1).all(-1)
        return moved.where(good, state), _Pairs(
            cost=torch.where(good, new_cost, cost),
            slope=slope,
            gradient=torch.where(good.unsqueeze(-1), new_gradient, gradient),
            moves=torch.where(forget, torch.zeros_like(moves), moves),
            bends=torch.where(forget, torch.zeros_like(bends), bends),
            length=torch.where(lost, torch.ones_like(length), length),
            lost=lost & empty,
        )

    def _direction(self, slope: Tensor, moves: Tensor, bends: Tensor) -> Tensor:
        """The two-loop recursion, for all descents at once; pairs of zeros are passed over."""
        held = (slope != 0).to(slope.dtype)
        moves, bends = moves * held.unsqueeze(1), bends * held.unsqueeze(1)
        inner = _dot(moves, bends)
        used = inner > 0
        inverse = torch.where(used, 1.0 / torch.where(used, inner, torch.ones_like(inner)), torch.zeros_like(inner))
        direction, factors = slope, []
        for k in reversed(range(self.history_size)):
            factor = inverse[:, k] * _dot(moves[:, k], direction)
            direction = direction - factor.unsqueeze(-1) * bends[:, k]
            factors.append(factor)
        size = _dot(bends[:, -1], bends[:, -1])
        scale = torch.where(used[:, -1], inner[:, -1] / torch.where(size > 0, size, torch.ones_like(size)), 1.0)
        direction = direction * scale.unsqueeze(-1)
        for k, factor in zip(range(self.history_size), reversed(factors), strict=True):
            back = inverse[:, k] * _dot(bends[:, k], direction)
            direction = direction + (factor - back).unsqueeze(-1) * moves[:, k]
        return -direction * held
