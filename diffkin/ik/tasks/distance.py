"""The task of a distance between points of two links."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from diffkin._algebra import apply
from diffkin.errors import OptionError, ShapeError
from diffkin.ik.tasks.base import Task
from diffkin.ik.tasks.kinds import NUMBER, Kind
from diffkin.kernels.lists.pieces import DISTANCE, Piece
from diffkin.rotations import hat

__all__ = ["DistanceTask"]

Point = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class DistanceTask(Task):
    """Hold two points of two links at a distance: ``|a - b| - d``, for instance a rod between two hands.

    Attributes:
        link_a: Name of a link; None for the tip.
        link_b: Name of another link.
        distance: (*batch,) or one number, above 0 [m]. Points that are to be one are ``PositionTask(reference=...)``.
        point_a: Point in the axes of ``link_a`` [m].
        point_b: Point in the axes of ``link_b`` [m].
    """

    link_a: str | None
    link_b: str | None
    distance: Tensor | float
    point_a: Point = (0.0, 0.0, 0.0)
    point_b: Point = (0.0, 0.0, 0.0)
    unit: ClassVar[str | tuple[str, ...]] = "m"
    rows: ClassVar[int | None] = 1
    batched: ClassVar[Mapping[str, Kind]] = {"distance": NUMBER}

    def __post_init__(self) -> None:
        object.__setattr__(self, "links", (self.link_a, self.link_b))
        super().__post_init__()
        if not bool((torch.as_tensor(self.distance, device="cpu").detach() > 0).all()):
            raise OptionError(
                "distance of DistanceTask must be above 0. To bring two points together, give the one as the target of "
                "diffkin.ik.PositionTask in the frame of the other link: reference=..."
            )
        for point, name in ((self.point_a, "point_a"), (self.point_b, "point_b")):
            if len(point) != 3 or not all(map(math.isfinite, point)):
                raise ShapeError(f"{name} must be three finite numbers, got {point!r}.")

    def residual(self, poses: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        gap, _ = self._gap(poses)
        return torch.linalg.vector_norm(gap, dim=-1, keepdim=True) - self._target("distance")[problem].unsqueeze(-1)

    def jacobian(self, poses: Tensor, jacobians: Tensor, q: Tensor, problem: Tensor) -> Tensor:
        gap, arms = self._gap(poses)
        along = gap / torch.linalg.vector_norm(gap, dim=-1, keepdim=True).clamp_min(1e-12)
        points = jacobians[..., :3, :] - hat(arms) @ jacobians[..., 3:, :]
        return along.unsqueeze(-2) @ (points[:, 0] - points[:, 1])

    def kernel_pieces(self) -> tuple[Piece, ...] | None:
        if type(self) is not DistanceTask:
            return None
        a, b = (tuple(map(float, point)) for point in (self.point_a, self.point_b))
        return (Piece(DISTANCE, self._row_weights(1), 0, 1, axis=a, offset=b),)

    def kernel_numbers(self) -> Tensor:
        return self._target("distance").unsqueeze(-1)

    def _gap(self, poses: Tensor) -> tuple[Tensor, Tensor]:
        """The way (n, 3) from the second point to the first, and the points (n, 2, 3) from their links' origins."""
        arms = apply(poses[..., :3, :3], poses.new_tensor([self.point_a, self.point_b]))
        places = poses[..., :3, 3] + arms
        return places[:, 0] - places[:, 1], arms
