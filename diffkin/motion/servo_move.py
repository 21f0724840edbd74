"""The motion of one servo step: bounds of the speed, and damped least squares within them, in torch.

The formula of ``servo_step`` for all tasks, devices and batches; of the pose of one link on the CPU a kernel computes the
same, with the numbers below.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffkin.ik.problem import Problem, State
from diffkin.motion.box_qp import solve_box_least_squares
from diffkin.motion.general_qp import solve_general_least_squares

__all__ = ["Bounds", "CURVED", "FLOOR", "FLOOR_BESIDE", "IDLE", "MET", "ON_LINE", "SOFT", "bounds", "move"]

FLOOR = 1e-10
"""Of the damping, beside the trace of J^T J."""
FLOOR_BESIDE = 1e-6
"""Likewise where something weighs much more."""
SOFT = 1e-4
"""As FLOOR, where the way that is left is measured."""
ON_LINE = 1e6
"""Weight of the direction of the motion beside its length."""
MET = 1e-9
"""[m or rad] A motion shorter than this is made in full."""
CURVED = 1e-4
"""[m or rad] Where the motion bends away from its tangent by more, it is corrected once."""
IDLE = 1e-18
"""A joint with a smaller share in the trace of J^T J has no part in the tasks, and is left alone."""
_FIRST = 1e6  # weight of tasks of priority 0 beside those of the next, and so on
_CALM = 1.0  # more damping for what need not be met: it ends at residuals where curvature counts


@dataclass(frozen=True, eq=False)
class Bounds:
    """What changes x of the coordinates are allowed.

    Attributes:
        low: (n, dof) least.
        high: (n, dof) largest.
        left: (n, m, dof) G of ``G x <= h``; None for no inequalities.
        right: (n, m) h.
    """

    low: Tensor
    high: Tensor
    left: Tensor | None = None
    right: Tensor | None = None

    def least_squares(self, matrix: Tensor, given: Tensor, weight: Tensor, wanted: Tensor) -> Tensor:
        """(n, dof) the minimiser of ``|A x + b|^2 + sum_i w_i (x_i - e_i)^2`` within them."""
        if self.left is None or self.right is None:
            return solve_box_least_squares(matrix, given, weight, wanted, self.low, self.high)
        return solve_general_least_squares(matrix, given, weight, wanted, self.low, self.high, self.left, self.right)

    def after(self, change: Tensor) -> Bounds:
        """What more is allowed after a change (n, dof) within them."""
        right = self.right
        if self.left is not None and right is not None:
            right = right - (self.left @ change[..., None]).squeeze(-1)
        return Bounds(self.low - change, self.high - change, self.left, right)

    def with_share(self) -> Bounds:
        """The same with one more variable, from 0 to 1."""
        zero = self.low.new_zeros(len(self.low), 1)
        low, high = torch.cat((self.low, zero), dim=-1), torch.cat((self.high, zero + 1.0), dim=-1)
        left = None if self.left is None else torch.cat((self.left, torch.zeros_like(self.left[..., :1])), dim=-1)
        return Bounds(low, high, left, self.right)


def bounds(
    problem: Problem, q: Tensor, dq: Tensor, fastest: Tensor, hardest: Tensor, dt: float
) -> tuple[Tensor, Tensor]:
    """(n, dof) lowest and highest speed: within the velocity limit and able to brake, and as near to the present speed as
    the acceleration limit asks."""
    high = torch.minimum(_brakable(problem.upper - q, hardest, dt), fastest)
    low = -torch.minimum(_brakable(q - problem.lower, hardest, dt), fastest)
    slowest, quickest = dq - hardest * dt, dq + hardest * dt
    return torch.minimum(torch.maximum(slowest, low), high), torch.maximum(torch.minimum(quickest, high), low)


def _brakable(way: Tensor, hardest: Tensor, dt: float) -> Tensor:
    """The highest speed for this tick from which the joint still stops within a way, losing ``hardest * dt`` a tick.

    A speed v in the steps ``v, v - a dt, v - 2 a dt, ...`` takes ``dt ((k + 1) v - a dt k (k + 1) / 2)`` with k the
    whole number of ``v / (a dt)``; solved for v.
    """
    loss = hardest * dt
    share = (way / (loss * dt)).where(torch.isfinite(loss) & torch.isfinite(way), 0.0)
    ticks = torch.floor(0.5 * ((1.0 + 8.0 * share).sqrt() - 1.0))
    lost = torch.where(torch.isfinite(loss), loss, 0.0) * ticks * (ticks + 1.0) / 2.0
    return ((way / dt + lost) / (ticks + 1.0)).clamp(min=0.0)


def move(
    problem: Problem, state: State, allowed: Bounds, loss: Tensor, damping: float, slow: bool, centring: float = 0.0
) -> tuple[Tensor, Tensor]:
    """(n, dof) the change of coordinates within bounds, and (n,) how much of the wanted motion it makes.

    ``loss`` (dof,) is how much less a joint can move in a tick than in the one before. Where tasks of lower priority
    are given, what is free is theirs, and nothing is centred.
    """
    first = problem.only(0)
    residual, jacobian = first.linearize(state)
    size, wanted = _size(jacobian), residual.square().sum(-1)
    nothing = torch.zeros_like(state.q)
    aside = nothing
    if centring > 0.0 and len(problem.levels) == 1:
        aside = _aside(problem, state, allowed, jacobian, residual, size, damping, centring)
    kept = _stoppable(jacobian, residual, size, loss, aside.abs())
    aside = kept * aside
    if slow:
        change, made = _along(jacobian, kept * residual, FLOOR_BESIDE * size + damping * wanted, aside, allowed)
        kept = kept * made
    else:
        share = (FLOOR * size + damping * wanted)[:, None].expand_as(nothing)
        change = allowed.least_squares(jacobian, kept * residual, share, aside)
    moved = (jacobian @ change[..., None]).squeeze(-1)
    met = wanted <= MET**2
    scale = torch.where(met, 1.0, -(moved * residual).sum(-1) / wanted.where(~met, 1.0)).clamp(0.0, 1.0)
    scale = torch.where(scale > 1.0 - 1e-6, 1.0, scale)
    left = (1.0 - kept) * residual
    change = _corrected(first, state, allowed, change, residual + moved, left, FLOOR_BESIDE if slow else FLOOR, damping)
    above, heavy = [], jacobian
    for level in problem.levels[1:]:
        above.append(heavy)
        rest, heavy = problem.only(level).linearize(state)
        size = _size(heavy)
        rest = _stoppable(heavy, rest, size, loss, nothing) * rest
        own = FLOOR_BESIDE * size + (_CALM + damping) * rest.square().sum(-1)
        held = torch.cat([each * (_FIRST * size / _size(each)).sqrt()[:, None, None] for each in above], dim=-2)
        given = torch.cat((-(held @ change[..., None]).squeeze(-1), rest), dim=-1)
        both, share = torch.cat((held, heavy), dim=-2), own[:, None].expand_as(nothing)
        change = allowed.least_squares(both, given, share, nothing)
    return change, scale


def _corrected(
    problem: Problem,
    state: State,
    allowed: Bounds,
    change: Tensor,
    foreseen: Tensor,
    left: Tensor,
    floor: float,
    damping: float,
) -> Tensor:
    """The change (n, dof) with one more step of Gauss and Newton where its end is not where it was foreseen.

    ``foreseen`` (n, rows) is the residual there by the tangent, ``left`` the one that there should be. A step that does
    not come nearer is not taken.
    """
    there = State(problem.move(state, change).q, None, state.problem)
    residual = problem.residual(there)
    curved = (residual - foreseen).square().sum(-1) > CURVED**2
    if not bool(curved.any()):
        return change
    residual, jacobian = problem.linearize(there)
    asked = residual - left
    before = asked.square().sum(-1)
    share = (floor * _size(jacobian) + damping * before)[:, None].expand_as(change)
    step = allowed.after(change).least_squares(jacobian, asked, share, torch.zeros_like(change))
    more = torch.minimum(torch.maximum(change + step, allowed.low), allowed.high)
    after = problem.residual(problem.move(state, more)) - left
    return torch.where((curved & (after.square().sum(-1) < before))[:, None], more, change)


def _size(jacobian: Tensor) -> Tensor:
    """(n,) the trace of J^T J."""
    return jacobian.square().sum((-1, -2)).clamp(min=1e-30)


def _aside(
    problem: Problem,
    state: State,
    allowed: Bounds,
    jacobian: Tensor,
    residual: Tensor,
    size: Tensor,
    damping: float,
    centring: float,
) -> Tensor:
    """(n, dof) the motion e towards the middle of the joints' ranges that leaves the tasks where they are.

    ``e = -centring |x0| N u``: u from -1 at the lower limit to 1 at the upper, N the projector onto the null space of J,
    x0 the damped step without bounds, cut off at them; so that joints rest where the tasks do (the gradient projection
    of Liegeois, IEEE Trans. Systems, Man, and Cybernetics 7, 1977). Joints without limits or without part in the tasks
    are left alone.
    """
    floor = FLOOR_BESIDE * size
    plain = _shortest(jacobian, residual, floor + damping * residual.square().sum(-1))
    length = torch.minimum(torch.maximum(plain, allowed.low), allowed.high).norm(dim=-1, keepdim=True)
    width = problem.upper - problem.lower
    off = (problem.lower + problem.upper - 2.0 * state.q) / width
    takes_part = jacobian.square().sum(-2) > IDLE * size[:, None]
    wish = centring * length * off.where(torch.isfinite(width) & (width > 0.0) & takes_part, 0.0)
    return wish + _shortest(jacobian, (jacobian @ wish[..., None]).squeeze(-1), floor)


def _shortest(jacobian: Tensor, residual: Tensor, weight: Tensor) -> Tensor:
    """(n, dof) the minimiser of ``|J x + r|^2 + weight |x|^2``."""
    damped = jacobian.mT @ jacobian + torch.diag_embed(weight[:, None].expand(-1, jacobian.shape[-1]))
    return -torch.linalg.solve(damped, (jacobian.mT @ residual[..., None]).squeeze(-1))


def _stoppable(jacobian: Tensor, residual: Tensor, size: Tensor, loss: Tensor, beside: Tensor) -> Tensor:
    """(n, 1) the share of the way to the target that a tick may make, so that all joints can stop there.

    ``beside`` (n, dof) is how far they go besides.
    """
    if not bool(torch.isfinite(loss).any()):
        return torch.ones_like(residual[:, :1])
    way = (_shortest(jacobian, residual, SOFT * size).abs() + beside).clamp(min=1e-12)
    return (_brakable(way, loss, 1.0) / way).clamp(max=1.0).amin(-1, keepdim=True)


def _along(jacobian: Tensor, residual: Tensor, share: Tensor, aside: Tensor, allowed: Bounds) -> tuple[Tensor, Tensor]:
    """(n, dof) the change that keeps to the straight way, and (n, 1) the share s of it that is made.

    The share, of 0 to 1, is one more variable, which should be 1, as
    ``ON_LINE |J x + s r|^2 + share |x - e|^2 + |r|^2 (s - 1)^2`` says, e the motion ``aside``.
    """
    length = residual.square().sum(-1, keepdim=True)
    nothing = torch.zeros_like(jacobian[:, 0])
    weight = torch.cat((share[:, None].expand_as(nothing), length + 1e-30), dim=-1) / ON_LINE
    wanted = torch.cat((aside, length / (length + 1e-30)), dim=-1)
    matrix = torch.cat((jacobian, residual[..., None]), dim=-1)
    x = allowed.with_share().least_squares(matrix, torch.zeros_like(residual), weight, wanted)
    return x[:, :-1], x[:, -1:]
