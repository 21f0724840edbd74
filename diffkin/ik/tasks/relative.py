"""What tasks of one link have in common whose targets are in the world or in the frame of another link."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from diffkin import transforms
from diffkin.ik.tasks.base import LinkTask, TaskT
from diffkin.rotations import hat

__all__ = ["ReferredTask"]


@dataclass(frozen=True, eq=False)
class ReferredTask(LinkTask):
    """Base of tasks of one link, seen from the world or from another link.

    Attributes:
        link: Name of the link; None for the tip.
        reference: Name of the link in whose frame targets are given; None for the world.
    """

    reference: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reference is not None:
            object.__setattr__(self, "links", (self.link, self.reference))

    @property
    def _place_of_reference(self) -> int:
        """In ``links``; -1 for the world."""
        return len(self.links) - 1 if self.reference is not None else -1

    def seen_from(self: TaskT, base: Tensor) -> TaskT:
        return self if len(self.links) > 1 else super().seen_from(base)

    def pose(self, poses: Tensor) -> Tensor:
        """(n, 4, 4) pose of the link in the world or in its reference."""
        return poses[:, 0] if self.reference is None else transforms.inverse(poses[:, 1]) @ poses[:, 0]

    def motion(self, poses: Tensor, jacobians: Tensor) -> Tensor:
        """(n, 6, free) geometric Jacobian of the link as seen from the world, or from its reference in axes of that.

        With p the way from the reference to the link: ``v = R^T (v_l - v_r + p x w_r)`` and ``w = R^T (w_l - w_r)``
        (Siciliano et al., Robotics, 3.1: velocities in a moving frame).
        """
        if self.reference is None:
            return jacobians[:, 0]
        back = poses[:, 1, :3, :3].mT
        way = poses[:, 0, :3, 3] - poses[:, 1, :3, 3]
        linear = jacobians[:, 0, :3] - jacobians[:, 1, :3] + hat(way) @ jacobians[:, 1, 3:]
        return torch.cat((back @ linear, back @ (jacobians[:, 0, 3:] - jacobians[:, 1, 3:])), dim=-2)
