"""Tasks of the coordinates themselves: a posture, linear couplings, distance from limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from diffkin._checks import as_tensor, check_finite
from diffkin.errors import OptionError, ShapeError
from diffkin.ik.tasks.base import Task
from diffkin.ik.tasks.kinds import NUMBERS, Kind
from diffkin.ik.turns import turning
from diffkin.kernels.lists.pieces import LINEAR, MARGIN, NEAR, Piece
from diffkin.kinematics import PRISMATIC

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["CouplingTask", "LimitMarginTask", "PostureTask"]

_TURN = 2.0 * math.pi


@dataclass(frozen=True, eq=False)
class PostureTask(Task):
    """Be near a posture: ``q - q_t``, of a joint that a whole turn leads back the least of it, in (-pi, pi].

    Attributes:
        target: (*batch, dof) posture [rad or m].
        weight: One number, or (dof,): the larger, the nearer; 0 leaves a joint free.
        priority: 1, a preference; with 0 the posture must be met.
        turns: (dof,) which joints whole turns lead back, taken from the robot.
    """

    target: Tensor
    priority: int = field(default=1, kw_only=True)
    turns: Tensor | None = field(default=None, init=False)
    unit: ClassVar[str | tuple[str, ...]] = "rad"
    batched: ClassVar[Mapping[str, Kind]] = {"target": NUMBERS}

    def for_robot(self, robot: Robot) -> PostureTask:
        if self.target.shape[-1] != robot.dof:
            raise ShapeError(
                f"target of PostureTask must be (*batch, {robot.dof}) for {robot.name!r}, got {tuple(self.target.shape)}."
            )
        turns = turning(robot.tree, robot.lower, robot.upper)
        return self._with({"turns": turns, "unit": _units(robot, torch.eye(robot.dof, device="cpu"))})

    def taken(self, dof: int) -> Tensor:
        return (torch.as_tensor(self.weight, device="cpu") != 0).expand(dof)

    def residual(self, poses: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        away = q - self.target[problem]
        if self.turns is None:
            return away
        whole = torch.round(away.detach() / _TURN) * self.turns
        return away - _TURN * whole

    def jacobian(self, poses: Tensor, jacobians: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        return torch.eye(q.shape[-1], dtype=q.dtype, device=q.device).expand(len(q), -1, -1)

    def kernel_pieces(self) -> tuple[Piece, ...] | None:
        if type(self) is not PostureTask:
            return None
        weights = self._row_weights(self.target.shape[-1])
        if self.turns is None:  # before the robot is known, only its kind is asked for
            return (Piece(NEAR, weights),)
        return tuple(
            Piece(
                NEAR, (weight,), target=k, metres=unit == "m", coordinate=k, turns=turns, closes=k == len(weights) - 1
            )
            for k, (weight, unit, turns) in enumerate(zip(weights, self.unit, self.turns.tolist(), strict=True))
        )

    def kernel_numbers(self) -> Tensor:
        return self.target


@dataclass(frozen=True, eq=False)
class CouplingTask(Task):
    """Couple coordinates linearly: ``matrix @ q = value``, for instance two knees that bend by the same angle.

    Attributes:
        matrix: (rows, dof).
        value: (*batch, rows) [rad or m].
        weight: One number, or (rows,).
    """

    matrix: Tensor
    value: Tensor
    unit: ClassVar[str | tuple[str, ...]] = "rad"
    batched: ClassVar[Mapping[str, Kind]] = {"value": NUMBERS}

    def __post_init__(self) -> None:
        object.__setattr__(self, "matrix", as_tensor(self.matrix, "matrix"))
        super().__post_init__()
        check_finite(self.matrix, "matrix")
        rows = self.value.shape[-1]
        if self.matrix.ndim != 2 or len(self.matrix) != rows:
            raise ShapeError(
                f"CouplingTask needs a matrix (rows, dof) and a value (*batch, rows), got {tuple(self.matrix.shape)} and "
                f"{tuple(self.value.shape)}."
            )
        if not bool((self.matrix != 0).any(-1).all()):
            raise OptionError("Each row of the matrix of CouplingTask must couple some coordinate, got a row of zeros.")
        self.check_weight(rows)

    def for_robot(self, robot: Robot) -> CouplingTask:
        if self.matrix.shape[-1] != robot.dof:
            raise ShapeError(
                f"matrix of CouplingTask must be (rows, {robot.dof}) for {robot.name!r}, got {tuple(self.matrix.shape)}."
            )
        return self._with({"unit": _units(robot, self.matrix)})

    def taken(self, dof: int) -> Tensor:
        return (self.matrix.detach() != 0).any(0)

    def wound(self, dof: int) -> Tensor:
        return self.taken(dof)

    def residual(self, poses: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        return q @ self.matrix.to(q.dtype).mT - self.value[problem]

    def jacobian(self, poses: Tensor, jacobians: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        return self.matrix.to(q.dtype).expand(len(q), -1, -1)

    def kernel_pieces(self) -> tuple[Piece, ...] | None:
        if type(self) is not CouplingTask:
            return None
        rows = self.matrix.detach().tolist()
        units = (self.unit,) * len(rows) if isinstance(self.unit, str) else self.unit
        parts = zip(rows, units, self._row_weights(len(rows)), strict=True)
        return tuple(
            Piece(LINEAR, (weight,), target=k, metres=unit == "m", factors=tuple(row), closes=k == len(rows) - 1)
            for k, (row, unit, weight) in enumerate(parts)
        )

    def kernel_numbers(self) -> Tensor:
        return self.value


@dataclass(frozen=True, eq=False)
class LimitMarginTask(Task):
    """Keep away from limits.

    Without a margin, the residual is ``(q - middle) / (half of the range)`` for each joint with two limits, as near to
    the middle as what comes before allows (Liegeois 1977). With a margin, it is how far each joint is into the margin
    before a limit, and 0 elsewhere; such a task can be met, and may have priority 0.

    Attributes:
        margin: [rad or m] to keep, or None. Of a joint with less room than two margins, the middle is kept.
        weight: One number, or (dof,).
        priority: 1, a preference; 0 only with a margin.
        lower: (dof,) limits, taken from the robot; upper likewise.
        upper: (dof,) limits.
    """

    margin: float | None = None
    priority: int = field(default=1, kw_only=True)
    lower: Tensor | None = field(default=None, init=False)
    upper: Tensor | None = field(default=None, init=False)
    unit: ClassVar[str | tuple[str, ...]] = "rad"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.margin is not None and not 0.0 < self.margin < math.inf:
            raise OptionError(f"margin must be above 0 and finite, or None, got {self.margin!r}.")
        if self.margin is None and self.priority == 0:
            raise OptionError(
                "LimitMarginTask of priority 0 needs a margin [rad or m] to be kept: all joints in the middle of their "
                "range is a preference, of priority 1."
            )

    def for_robot(self, robot: Robot) -> LimitMarginTask:
        return self._with(
            {"lower": robot.lower, "upper": robot.upper, "unit": _units(robot, torch.eye(robot.dof, device="cpu"))}
        )

    def taken(self, dof: int) -> Tensor:
        middle, _ = self._middle(torch.zeros(dof, device="cpu"))
        return torch.isfinite(middle.detach()) & (torch.as_tensor(self.weight, device="cpu") != 0)

    def wound(self, dof: int) -> Tensor:
        return self.taken(dof)

    def residual(self, poses: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        middle, half = self._middle(q)
        limited = torch.isfinite(half)
        # double where: a joint without limits has a middle that is no number, which must not reach a gradient
        middle, half = torch.where(limited, middle, 0.0), torch.where(limited, half, 1.0)
        away = torch.where(limited, q - middle, 0.0)
        if self.margin is None:
            return away / half
        room = (half - self.margin).clamp_min(0.0)
        return torch.where(limited, away - torch.minimum(torch.maximum(away, -room), room), 0.0)

    def jacobian(self, poses: Tensor, jacobians: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        middle, half = self._middle(q)
        limited = torch.isfinite(half)
        if self.margin is None:
            slope = torch.where(limited, 1.0 / half, 0.0).expand_as(q)
        else:
            room = (half - self.margin).clamp_min(0.0)
            slope = (limited & ((q - middle).abs() > room)).to(q.dtype)
        return torch.diag_embed(slope)

    def kernel_pieces(self) -> tuple[Piece, ...] | None:
        if type(self) is not LimitMarginTask:
            return None
        if self.lower is None:  # before the robot is known, only its kind is asked for
            return (Piece(MARGIN, self._row_weights(1), angle=self.margin or 0.0),)
        middles, halves = (part.detach().tolist() for part in self._middle(self.lower.detach().double()))
        pieces = []
        for k, (middle, half, unit, weight) in enumerate(
            zip(middles, halves, self.unit, self._row_weights(len(middles)), strict=True)
        ):
            if not math.isfinite(half):  # without limits, so not asked
                middle, slope, room, weight = 0.0, 1.0, 0.0, 0.0
            elif self.margin is None:
                slope, room = 1.0 / half, 0.0
            else:
                slope, room = 1.0, max(half - self.margin, 0.0)
            last = k == len(middles) - 1
            pieces.append(
                Piece(
                    MARGIN,
                    (weight,),
                    angle=room,
                    metres=unit == "m",
                    factors=(middle, slope),
                    coordinate=k,
                    closes=last,
                )
            )
        return tuple(pieces)

    def kernel_numbers(self) -> Tensor:
        return torch.zeros(0, dtype=torch.float64, device="cpu")

    def _middle(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Middle and half of each joint's range; not finite where a limit is missing."""
        if self.lower is None or self.upper is None:
            raise OptionError("LimitMarginTask takes limits from a robot: solve it, or ask for_robot(robot) first.")
        lower, upper = self.lower.to(like), self.upper.to(like)
        return 0.5 * (lower + upper), torch.where(torch.isfinite(lower + upper), 0.5 * (upper - lower), torch.inf)


def _units(robot: Robot, matrix: Tensor) -> tuple[str, ...]:
    """For each row of a matrix (rows, dof) "m" if it takes slides alone, else "rad"."""
    slides = torch.zeros(robot.dof, dtype=torch.bool, device="cpu")
    turned = torch.zeros(robot.dof, dtype=torch.bool, device="cpu")
    for kind, coordinate in zip(robot.tree.kinds, robot.tree.coordinate, strict=True):
        (slides if kind == PRISMATIC else turned)[coordinate] = True
    alone = slides & ~turned
    return tuple("m" if bool(alone[row].all()) else "rad" for row in matrix.detach().cpu() != 0)
