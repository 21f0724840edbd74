"""Tasks that place a link in the world or in the frame of another: its pose, its position, its orientation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from diffkin import rotations
from diffkin._algebra import apply
from diffkin.ik.tasks.base import Held, Placement
from diffkin.ik.tasks.kinds import POINT, POSE, ROTATION, Kind
from diffkin.ik.tasks.relative import ReferredTask
from diffkin.kernels.lists import pieces
from diffkin.kernels.lists.pieces import Piece

__all__ = ["OrientationTask", "PoseTask", "PositionTask"]


@dataclass(frozen=True, eq=False)
class PoseTask(ReferredTask):
    """Bring a link to a pose.

    The residual is ``(R_t^T (p - p_t), log(R_t^T R))``: translation and rotation vector in the target's axes, so that a
    weight of 0 on the last row leaves the link free to turn about the target's z axis.

    Attributes:
        link: Name of the link; None for the tip.
        target: (*batch, 4, 4) pose in the world, or in the frame of ``reference``.
        reference: Name of the link in whose frame the target is given; None for the world.
        weight: One number, or (6,): translation then rotation along the target's axes.
    """

    target: Tensor
    rows: ClassVar[int | None] = 6
    batched: ClassVar[Mapping[str, Kind]] = {"target": POSE}

    def residual(self, poses: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        target = self.target[problem]
        back = target[:, :3, :3].mT
        pose = self.pose(poses)
        shift = apply(back, pose[:, :3, 3] - target[:, :3, 3])
        return torch.cat((shift, rotations.matrix_to_rotvec(back @ pose[:, :3, :3], check=False)), dim=-1)

    def jacobian(self, poses: Tensor, jacobians: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        back = self.target[problem][:, :3, :3].mT
        turn = rotations.matrix_to_rotvec(back @ self.pose(poses)[:, :3, :3], check=False)
        motion = self.motion(poses, jacobians)
        linear = back @ motion[:, :3]
        angular = rotations.left_jacobian_inverse(turn) @ (back @ motion[:, 3:])
        return torch.cat((linear, angular), dim=-2)

    def errors(self, poses: Tensor, q: Tensor, problem: Tensor) -> tuple[Tensor | None, Tensor | None]:
        residual = self.residual(poses, q, problem) * self._asked(q)
        return torch.linalg.vector_norm(residual[:, :3], dim=-1), torch.linalg.vector_norm(residual[:, 3:], dim=-1)

    def held(self) -> Held | None:
        if type(self) is not PoseTask or self.reference:
            return None
        weight = _six(self.weight, 6)
        turned = _held_rotation(self.target[:, :3, :3], weight[3:])
        return turned._replace(position=self.target[:, :3, 3]) if min(weight[:3]) > 0 else turned

    def placement(self) -> Placement | None:
        return None if self.reference else Placement(self.target[:, :3, 3], self.target[:, :3, :3])

    def kernel_weights(self, turned: bool) -> tuple[float, ...] | None:
        weight = _six(self.weight, 6)
        # along base axes only what is the same along all axes of the target can be said
        even = len(set(weight[:3])) == 1 and len(set(weight[3:])) == 1
        return weight if even and type(self) is PoseTask and not self.reference else None

    def kernel_pieces(self) -> tuple[Piece, ...] | None:
        if type(self) is not PoseTask:
            return None
        weights, reference = self._row_weights(6), self._place_of_reference
        place = Piece(pieces.PLACE, weights[:3], 0, reference, closes=not any(weights[3:]))
        turn = Piece(pieces.TURN, weights[3:], 0, reference)
        return tuple(piece for piece in (place, turn) if any(piece.weights))

    def kernel_numbers(self) -> Tensor:
        return self.target[..., :3, :].mT.flatten(-2)


@dataclass(frozen=True, eq=False)
class PositionTask(ReferredTask):
    """Bring a link's origin to a point: ``p - p_t``.

    Attributes:
        link: Name of the link; None for the tip.
        target: (*batch, 3) point [m] in the world, or in the frame of ``reference``.
        reference: Name of the link in whose frame the target is given; None for the world.
        weight: One number, or (3,) along the axes of the world or of that frame.
    """

    target: Tensor
    rows: ClassVar[int | None] = 3
    batched: ClassVar[Mapping[str, Kind]] = {"target": POINT}

    def residual(self, poses: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        return self.pose(poses)[:, :3, 3] - self.target[problem]

    def jacobian(self, poses: Tensor, jacobians: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        return self.motion(poses, jacobians)[:, :3]

    def held(self) -> Held | None:
        known = type(self) is PositionTask and not self.reference and min(_six(self.weight, 3)) > 0
        return Held(position=self.target) if known else None

    def placement(self) -> Placement | None:
        return None if self.reference else Placement(self.target, None)

    def kernel_weights(self, turned: bool) -> tuple[float, ...] | None:
        weight = _six(self.weight, 3)
        if (
            type(self) is not PositionTask or self.reference or (turned and len(set(weight)) > 1)
        ):  # the weights are the world's axes'
            return None
        return (*weight, 0.0, 0.0, 0.0)

    def kernel_pieces(self) -> tuple[Piece, ...] | None:
        if type(self) is not PositionTask:
            return None
        return (Piece(pieces.POINT, self._row_weights(3), 0, self._place_of_reference),)

    def kernel_numbers(self) -> Tensor:
        return self.target


@dataclass(frozen=True, eq=False)
class OrientationTask(ReferredTask):
    """Bring a link to an orientation: ``log(R_t^T R)``, in the target's axes.

    Attributes:
        link: Name of the link; None for the tip.
        target: (*batch, 3, 3) rotation in the world, or in the frame of ``reference``.
        reference: Name of the link in whose frame the target is given; None for the world.
        weight: One number, or (3,) along the target's axes.
    """

    target: Tensor
    unit: ClassVar[str | tuple[str, ...]] = "rad"
    rows: ClassVar[int | None] = 3
    batched: ClassVar[Mapping[str, Kind]] = {"target": ROTATION}

    def residual(self, poses: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        back = self.target[problem].mT
        return rotations.matrix_to_rotvec(back @ self.pose(poses)[:, :3, :3], check=False)

    def jacobian(self, poses: Tensor, jacobians: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        back = self.target[problem].mT
        turn = rotations.matrix_to_rotvec(back @ self.pose(poses)[:, :3, :3], check=False)
        return rotations.left_jacobian_inverse(turn) @ (back @ self.motion(poses, jacobians)[:, 3:])

    def held(self) -> Held | None:
        known = type(self) is OrientationTask and not self.reference
        return _held_rotation(self.target, _six(self.weight, 3)) if known else None

    def placement(self) -> Placement | None:
        return None if self.reference else Placement(None, self.target)

    def kernel_weights(self, turned: bool) -> tuple[float, ...] | None:
        weight = _six(self.weight, 3)
        even = len(set(weight)) == 1 and not self.reference
        return (0.0, 0.0, 0.0, *weight) if even and type(self) is OrientationTask else None

    def kernel_pieces(self) -> tuple[Piece, ...] | None:
        if type(self) is not OrientationTask:
            return None
        return (Piece(pieces.TURN, self._row_weights(3), 0, self._place_of_reference),)

    def kernel_numbers(self) -> Tensor:
        return self.target.mT.flatten(-2)


def _held_rotation(rotation: Tensor, weight: tuple[float, ...]) -> Held:
    """What weights along the axes of a rotation (n, 3, 3) hold: where one axis is left free, the turn about it is open."""
    free = [axis for axis in range(3) if weight[axis] == 0]
    if not free:
        return Held(rotation=rotation)
    if len(free) > 1:
        return Held()
    return Held(
        axis=torch.eye(3, dtype=rotation.dtype, device=rotation.device)[free[0]], direction=rotation[:, :, free[0]]
    )


def _six(weight: float | Tensor, rows: int) -> tuple[float, ...]:
    """A weight as one number a row."""
    return tuple(torch.as_tensor(weight, dtype=torch.float64, device="cpu").expand(rows).tolist())
