"""Tasks of pointing: rays, level wings, keep-out cones, limits of bank and pitch.

Directions and points are in the world of ``solve_ik``, or in the frame of a ``reference`` link. The world is ENU for an
airframe, whose base link is FLU: up is the world's z, and a link's axes are forward, left and up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from diffkin._algebra import apply, perpendicular, unit
from diffkin._given import real
from diffkin.errors import OptionError, RotationError
from diffkin.ik.tasks.base import Held, LinkTask
from diffkin.ik.tasks.kinds import DIRECTION, POINT, Kind
from diffkin.ik.tasks.relative import ReferredTask
from diffkin.kernels.lists.pieces import AIM, BANK, KEEP_OUT, RAY, RISE, Piece
from diffkin.rotations import hat

__all__ = ["BankPitchLimitTask", "KeepOutConeTask", "RayAtPointTask", "RayDirectionTask", "WingsLevelTask", "turn_to"]

Axis = tuple[float, float, float]

_INSIDE = 2e-6  # [rad] how far inside a cone an axis is brought, so that a solution to the default tolerance is in it


@dataclass(frozen=True, eq=False)
class _AxisTask(ReferredTask):
    """A task of an axis of a link, in the link's axes, of any non-zero length."""

    axis: Axis
    unit: ClassVar[str | tuple[str, ...]] = "rad"
    rows: ClassVar[int | None] = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.axis) != 3 or not any(self.axis) or not all(map(math.isfinite, self.axis)):
            raise RotationError(f"axis must be three finite numbers, not all zero; got {self.axis!r}.")

    def _direction(self, pose: Tensor) -> Tensor:
        """(n, 3) the axis in the world or the reference, of unit length, for poses (n, 4, 4) of the link there."""
        return apply(pose[:, :3, :3], unit(pose.new_tensor(self.axis)))

    def _kernel_piece(
        self, kind: int, rows: int, angle: float, offset: tuple[float, ...] = (0.0, 0.0, 0.0)
    ) -> tuple[Piece, ...]:
        """The task as one piece of a kernel."""
        largest = max(map(abs, self.axis))
        size = largest * math.hypot(*(part / largest for part in self.axis))
        axis = tuple(part / size for part in self.axis)
        return (Piece(kind, self._row_weights(rows), 0, self._place_of_reference, 0, axis, offset, angle),)


@dataclass(frozen=True, eq=False)
class RayDirectionTask(_AxisTask):
    """Turn an axis of a link along a direction: the rotation vector of the least turn from the direction to the axis.

    Its norm is the angle between them, and it has no stationary point but the solution: also opposite the direction,
    where the axis of turn is a choice, it leads away. With ``within`` it is shortened by that angle: zero in the cone.

    Attributes:
        link: Name of the link.
        axis: Axis in the link's axes, of any non-zero length.
        target: (*batch, 3) direction in the world or the frame of ``reference``, of any non-zero length.
        within: The largest angle [rad] allowed between them; the axis is brought 2e-6 rad farther in.
        reference: Name of the link in whose frame the direction is given; None for the world.
    """

    target: Tensor
    within: float = field(default=0.0, kw_only=True)
    batched: ClassVar[Mapping[str, Kind]] = {"target": DIRECTION}

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_within(self.within)

    def held(self) -> Held | None:
        if (
            type(self) is not RayDirectionTask
            or self.reference
            or not bool((torch.as_tensor(self.weight, device="cpu") > 0).all())
        ):
            return None
        return Held(axis=unit(self.target.new_tensor(self.axis)), direction=unit(self.target), spread=self.within)

    def residual(self, poses: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        return _outside(turn_to(unit(self.target[problem]), self._direction(self.pose(poses))), self.within)

    def jacobian(self, poses: Tensor, jacobians: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        goal, direction = unit(self.target[problem]), self._direction(self.pose(poses))
        derivative = _turn_derivative(goal, direction) @ self.motion(poses, jacobians)[:, 3:]
        return _outside_derivative(goal, direction, self.within, derivative)

    def kernel_pieces(self) -> tuple[Piece, ...] | None:
        return self._kernel_piece(RAY, 3, _allowed(self.within)) if type(self) is RayDirectionTask else None

    def kernel_numbers(self) -> Tensor:
        return self.target


@dataclass(frozen=True, eq=False)
class RayAtPointTask(_AxisTask):
    """Turn a ray of a link at a point: as ``RayDirectionTask``, along the direction from the ray's origin to the point.

    Facing away, the residual is the half turn that is left.

    Attributes:
        link: Name of the link.
        axis: Direction of the ray in the link's axes, of any non-zero length.
        target: (*batch, 3) point in the world or the frame of ``reference`` [m], not at the ray's origin.
        offset: Origin of the ray in the link's axes [m].
        within: The largest angle [rad] allowed between the ray and the point; the ray is brought 2e-6 rad farther in.
        reference: Name of the link in whose frame the point is given; None for the world.
    """

    target: Tensor
    offset: Axis = (0.0, 0.0, 0.0)
    within: float = field(default=0.0, kw_only=True)
    batched: ClassVar[Mapping[str, Kind]] = {"target": POINT}

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_within(self.within)

    def residual(self, poses: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        pose = self.pose(poses)
        toward, _, _ = self._toward(pose, problem)
        return _outside(turn_to(toward, self._direction(pose)), self.within)

    def jacobian(self, poses: Tensor, jacobians: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        # The residual turns with both vectors: a turn w of the direction alone gives w x r less what w does to the ray.
        pose, motion = self.pose(poses), self.motion(poses, jacobians)
        toward, distance, arm = self._toward(pose, problem)
        direction = self._direction(pose)
        by_ray = _turn_derivative(toward, direction)
        origin = motion[:, :3] - hat(arm) @ motion[:, 3:]
        turning = -hat(toward) @ origin / distance.unsqueeze(-1)
        derivative = by_ray @ (motion[:, 3:] - turning) - hat(turn_to(toward, direction)) @ turning
        return _outside_derivative(toward, direction, self.within, derivative)

    def kernel_pieces(self) -> tuple[Piece, ...] | None:
        if type(self) is not RayAtPointTask:
            return None
        return self._kernel_piece(AIM, 3, _allowed(self.within), tuple(map(float, self.offset)))

    def kernel_numbers(self) -> Tensor:
        return self.target

    def _toward(self, pose: Tensor, problem: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Unit direction from the ray's origin to the point, their distance (n, 1), and the origin from the link's."""
        arm = apply(pose[:, :3, :3], pose.new_tensor(self.offset))
        gap = self.target[problem] - pose[:, :3, 3] - arm
        distance = torch.linalg.vector_norm(gap, dim=-1, keepdim=True).clamp_min(1e-12)
        return gap / distance, distance, arm


@dataclass(frozen=True, eq=False)
class KeepOutConeTask(_AxisTask):
    """Keep an axis of a link out of a cone, for instance a camera away from the sun.

    The residual is ``max(0, half_angle + margin - angle)``: met with an error below the margin, the cone is not
    entered.

    Attributes:
        link: Name of the link.
        axis: Axis in the link's axes, of any non-zero length.
        target: (*batch, 3) direction of the cone's axis in the world or the frame of ``reference``, of any non-zero length.
        half_angle: Half the cone's opening [rad], between 0 and pi.
        margin: Kept in addition [rad]; above the solver's tolerance.
        reference: Name of the link in whose frame the direction is given; None for the world.
    """

    target: Tensor
    half_angle: float
    margin: float = 2e-6
    rows: ClassVar[int | None] = 1
    batched: ClassVar[Mapping[str, Kind]] = {"target": DIRECTION}

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_angle(self.half_angle, "half_angle", math.pi)
        real(self.margin, "margin", least=0.0)

    def residual(self, poses: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        angle = turn_to(unit(self.target[problem]), self._direction(self.pose(poses))).norm(dim=-1, keepdim=True)
        return (self.half_angle + self.margin - angle).clamp_min(0.0)

    def jacobian(self, poses: Tensor, jacobians: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        center, direction = unit(self.target[problem]), self._direction(self.pose(poses))
        normal = _normal(center, direction)
        inside = self.residual(poses, q, problem) > 0.0
        return -(normal.unsqueeze(-2) @ self.motion(poses, jacobians)[:, 3:]) * inside.unsqueeze(-1)

    def kernel_pieces(self) -> tuple[Piece, ...] | None:
        if type(self) is not KeepOutConeTask:
            return None
        return self._kernel_piece(KEEP_OUT, 1, self.half_angle + self.margin)

    def kernel_numbers(self) -> Tensor:
        return self.target


@dataclass(frozen=True, eq=False)
class WingsLevelTask(LinkTask):
    """Hold the wings level and the back up.

    The residual is ``bank cos(pitch)`` with ``bank = atan2(y_up, z_up)`` and ``cos(pitch) = |(y_up, z_up)|`` from the
    heights of the left (y) and up (z) axes: the bank angle of level flight, and 0 with the nose straight up or down,
    where bank says nothing. It grows all the way to inverted flight, where its sign jumps.

    Attributes:
        link: Name of the link that carries the wings, its axes forward, left and up.
    """

    unit: ClassVar[str | tuple[str, ...]] = "rad"
    rows: ClassVar[int | None] = 1

    def residual(self, poses: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        y, z, flat, vertical = self._heights(poses)
        bank = torch.atan2(y, torch.where(vertical, 1.0, z))
        return torch.where(vertical, y, bank * flat)

    def jacobian(self, poses: Tensor, jacobians: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        y, z, flat, vertical = self._heights(poses)
        bank = torch.atan2(y, torch.where(vertical, 1.0, z))
        left, up = _height_derivative(poses, jacobians, 1), _height_derivative(poses, jacobians, 2)
        by_left, by_up = (z + bank * y) / flat, (bank * z - y) / flat
        return torch.where(vertical, left, by_left * left + by_up * up).unsqueeze(-2)

    def kernel_pieces(self) -> tuple[Piece, ...] | None:
        return (Piece(BANK, self._row_weights(1), 0),) if type(self) is WingsLevelTask else None

    def kernel_numbers(self) -> Tensor:
        return torch.zeros(0, dtype=torch.float64, device="cpu")

    @staticmethod
    def _heights(poses: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Heights of the left and up axes, their length (1 where it is lost) and where it is, each (n, 1)."""
        y, z = poses[:, 0, 2, 1:2], poses[:, 0, 2, 2:3]
        square = y * y + z * z
        vertical = square < 1e-20
        return y, z, torch.where(vertical, 1.0, square).sqrt(), vertical


@dataclass(frozen=True, eq=False)
class BankPitchLimitTask(LinkTask):
    """Keep bank and pitch within limits.

    Bank is ``atan2(y_up, z_up)`` and pitch ``asin(x_up)`` with the heights of a link's forward (x), left (y) and up (z)
    axes. The rows are ``max(0, sin(|bank| - limit) cos(pitch) + margin)`` and ``max(0, sin|pitch| - sin(limit) +
    margin)``: met with an error below the margin, no limit is passed.

    Attributes:
        link: Name of the link, its axes forward, left and up.
        max_bank: [rad], above 0 and at most pi/2; None for no limit.
        max_pitch: [rad], above 0 and below pi/2; None for no limit.
        margin: Kept in addition [rad]; above the solver's tolerance.
    """

    max_bank: float | None = None
    max_pitch: float | None = None
    margin: float = 2e-6
    unit: ClassVar[str | tuple[str, ...]] = "rad"

    def __post_init__(self) -> None:
        if self.max_bank is None and self.max_pitch is None:
            raise OptionError("BankPitchLimitTask needs max_bank, max_pitch or both [rad]; got neither.")
        for value, name in ((self.max_bank, "max_bank"), (self.max_pitch, "max_pitch")):
            if value is not None:
                _check_angle(value, name, 0.5 * math.pi)
        real(self.margin, "margin", least=0.0)
        super().__post_init__()
        self.check_weight(2 * (self.max_bank is not None) + 2 * (self.max_pitch is not None))

    def residual(self, poses: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        return self._excess(poses).clamp_min(0.0)

    def jacobian(self, poses: Tensor, jacobians: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        x, y, z = (_height_derivative(poses, jacobians, axis) for axis in range(3))
        rows = []
        if self.max_bank is not None:
            cosine, sine = math.cos(self.max_bank), math.sin(self.max_bank)
            rows += [cosine * y - sine * z, -cosine * y - sine * z]
        if self.max_pitch is not None:
            rows += [x, -x]
        return torch.stack(rows, dim=-2) * (self._excess(poses) > 0.0).unsqueeze(-1)

    def kernel_pieces(self) -> tuple[Piece, ...] | None:
        if type(self) is not BankPitchLimitTask:
            return None
        sides: list[tuple[tuple[float, float, float], float]] = []  # axes that may not rise above these heights
        if self.max_bank is not None:
            cosine, sine = math.cos(self.max_bank), math.sin(self.max_bank)
            sides += [((0.0, cosine, -sine), 0.0), ((0.0, -cosine, -sine), 0.0)]
        if self.max_pitch is not None:
            sides += [((1.0, 0.0, 0.0), math.sin(self.max_pitch)), ((-1.0, 0.0, 0.0), math.sin(self.max_pitch))]
        weights = self._row_weights(len(sides))
        return tuple(
            Piece(RISE, (weight,), 0, axis=axis, angle=self.margin - height, closes=k == len(sides) - 1)
            for k, (weight, (axis, height)) in enumerate(zip(weights, sides, strict=True))
        )

    def kernel_numbers(self) -> Tensor:
        return torch.zeros(0, dtype=torch.float64, device="cpu")

    def _excess(self, poses: Tensor) -> Tensor:
        x, y, z = poses[:, 0, 2, :3].unbind(-1)
        rows = []
        if self.max_bank is not None:
            cosine, sine = math.cos(self.max_bank), math.sin(self.max_bank)
            rows += [cosine * y - sine * z, -cosine * y - sine * z]
        if self.max_pitch is not None:
            rows += [x - math.sin(self.max_pitch), -x - math.sin(self.max_pitch)]
        return torch.stack(rows, dim=-1) + self.margin


# -- the turn between two directions --------------------------------------------------------------------------------


def turn_to(start: Tensor, end: Tensor) -> Tensor:
    """Rotation vector of the least turn from one unit vector to another; its norm is the angle between them.

    ``(start x end) theta / sin(theta)``. For opposite vectors the axis is a choice: some axis across them comes back,
    with zero derivatives.

    Args:
        start: (*batch, 3) unit vectors.
        end: (*batch, 3) unit vectors.

    Returns:
        (*batch, 3) [rad].
    """
    cross = torch.linalg.cross(start, end)
    square = (cross * cross).sum(-1, keepdim=True)
    cosine = (start * end).sum(-1, keepdim=True)
    near = (square < 1e-6) & (cosine > 0)
    opposite = (square < 1e-28) & (cosine <= 0)
    sine = torch.sqrt(torch.where(near | opposite, 1.0, square))
    ratio = torch.where(near, 1.0 + square * (1.0 / 6.0 + square * (3.0 / 40.0)), torch.atan2(sine, cosine) / sine)
    return torch.where(opposite, math.pi * perpendicular(end), cross * ratio)


def _normal(start: Tensor, end: Tensor) -> Tensor:
    """(n, 3) unit axis of the least turn; some axis across ``end`` where the vectors are parallel."""
    cross = torch.linalg.cross(start, end)
    square = (cross * cross).sum(-1, keepdim=True)
    parallel = square < 1e-28
    return torch.where(parallel, perpendicular(end), cross / torch.where(parallel, 1.0, square).sqrt())


def _turn_derivative(start: Tensor, end: Tensor) -> Tensor:
    """(n, 3, 3) derivative of ``turn_to(start, end)`` as ``end`` turns by ``w``: ``w x end``.

    With the axis n, ``m = end x n`` and the angle theta: ``n n^T + theta (cot(theta) m - end) m^T``.
    """
    normal = _normal(start, end)
    across = torch.linalg.cross(end, normal)
    sine = torch.linalg.vector_norm(torch.linalg.cross(start, end), dim=-1, keepdim=True)
    cosine = (start * end).sum(-1, keepdim=True)
    angle = torch.atan2(sine, cosine)
    # Opposite, the true factor is minus infinity; a large one keeps the step across the axis of turn at zero as well.
    ends = torch.where(cosine > 0, 1.0, -3e6)
    straight = torch.where(sine < 1e-6, ends, angle * cosine / sine.clamp_min(1e-6))
    row = straight * across - angle * end
    return normal.unsqueeze(-1) * normal.unsqueeze(-2) + row.unsqueeze(-1) * across.unsqueeze(-2)


def _outside(turn: Tensor, within: float) -> Tensor:
    """A turn (n, 3) shortened by the angle of a cone: zero within it."""
    if not within:
        return turn
    square = turn.square().sum(-1, keepdim=True)
    allowed = _allowed(within)
    out = square > allowed**2
    angle = torch.where(out, square, 1.0).sqrt()
    return torch.where(out, turn * (1.0 - allowed / angle), 0.0 * turn)


def _outside_derivative(start: Tensor, end: Tensor, within: float, derivative: Tensor) -> Tensor:
    """The derivative (n, 3, free) of the turn from ``start`` to ``end`` as that of what is left of it by a cone.

    With the angle theta and the axis n of the turn t: ``dt (1 - a / theta) + n n^T dt a / theta``.
    """
    if not within:
        return derivative
    turn = turn_to(start, end)
    angle = torch.linalg.vector_norm(turn, dim=-1)[:, None, None]
    allowed = _allowed(within)
    out = angle > allowed
    share = allowed / angle.clamp_min(allowed)
    normal = (turn.unsqueeze(-1) / angle.clamp_min(allowed)) * out
    lengthwise = normal @ (normal.mT @ derivative)
    return ((1.0 - share) * derivative + share * lengthwise) * out


def _allowed(within: float) -> float:
    """The angle of a cone [rad] that an axis is brought into."""
    return max(within - _INSIDE, 0.5 * within)


def _check_within(value: float) -> None:
    real(value, "within", least=0.0, below=math.pi)


def _height_derivative(poses: Tensor, jacobians: Tensor, axis: int) -> Tensor:
    """(n, free) derivative of the height of a link's axis: ``(w x a)_z = a_y w_x - a_x w_y``."""
    x, y = poses[:, 0, 0, axis : axis + 1], poses[:, 0, 1, axis : axis + 1]
    return y * jacobians[:, 0, 3] - x * jacobians[:, 0, 4]


def _check_angle(value: float, name: str, most: float) -> None:
    real(value, name, above=0.0, most=most)
