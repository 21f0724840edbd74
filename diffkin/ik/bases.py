"""Bases that are solved for as well: which coordinates they have, and how these move them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffkin import rotations, transforms
from diffkin._algebra import apply

__all__ = ["BASES", "FREE_BASE", "FreeBase"]


@dataclass(frozen=True)
class FreeBase:
    """A base pose ``(R, p)`` moved by a step of shifts s and turns w along some axes of its own or of the world.

    Along its own axes it becomes ``(R exp(w), p + R s)``, along the world's ``(exp(w) R, p + s)``.

    Attributes:
        shifts: Axes along which it may be shifted; the first coordinates of a step.
        turns: Axes about which it may be turned, through its origin; those that follow.
        world: Whether the axes are the world's.
    """

    shifts: tuple[int, ...] = ()
    turns: tuple[int, ...] = ()
    world: bool = False

    @property
    def count(self) -> int:
        """How many coordinates there are."""
        return len(self.shifts) + len(self.turns)

    def moved(self, base: Tensor, step: Tensor) -> Tensor:
        """Base poses (n, 4, 4) after a step (n, count)."""
        if not self.count:
            return base
        shift = self._spread(step[:, : len(self.shifts)], self.shifts)
        turn = rotations.rotvec_to_matrix(self._spread(step[:, len(self.shifts) :], self.turns))
        if self.world:
            return transforms.pose(turn @ base[:, :3, :3], base[:, :3, 3] + shift)
        return base @ transforms.pose(turn, shift)

    def columns(self, poses: Tensor, base: Tensor) -> Tensor:
        """Columns (n, links, 6, count) of the Jacobians of links (n, links, 4, 4): a turn moves one by ``w x (p - o)``."""
        axes = self._axes(base)[:, None].expand(*poses.shape[:2], 3, 3)
        lever = poses[..., :3, 3] - base[:, None, :3, 3]
        shift, turn = axes[..., list(self.shifts)], axes[..., list(self.turns)]
        shifts = torch.cat((shift, torch.zeros_like(shift)), dim=-2)
        return torch.cat((shifts, torch.cat((-rotations.hat(lever) @ turn, turn), dim=-2)), dim=-1)

    def pull(self, base: Tensor, by_base: Tensor) -> Tensor:
        """The gradient (n, count) by a step, from that by base poses (n, 4, 4)."""
        shift = apply(self._axes(base).mT, by_base[:, :3, 3])
        rotation, by_rotation = base[:, :3, :3], by_base[:, :3, :3]
        # of hat(w) R, or of R hat(w), against the gradient by R
        spin = by_rotation @ rotation.mT if self.world else rotation.mT @ by_rotation
        (_, m10, m20), (m01, _, m21), (m02, m12, _) = (column.unbind(-1) for column in spin.unbind(-1))
        turn = torch.stack((m21 - m12, m02 - m20, m10 - m01), dim=-1)
        return torch.cat((shift[:, list(self.shifts)], turn[:, list(self.turns)]), dim=-1)

    def placed(self, found: Tensor, given: Tensor | None) -> Tensor:
        """Base poses (n, 4, 4) as found, and as functions of what of the given ones no step can change."""
        if given is None:
            return found
        origin = found[:, :3, 3]
        if len(self.shifts) < 3:
            kept = [axis for axis in range(3) if axis not in self.shifts]
            origin = origin.clone()
            origin[:, kept] = given[:, kept, 3]
        rotation = found[:, :3, :3]
        if len(self.turns) < 3:
            rotation = rotation @ _tilts(given[:, :3, :3])
        return transforms.pose(rotation, origin)

    def _axes(self, base: Tensor) -> Tensor:
        """(n, 3, 3) the axes of shifts and turns, as columns in the world."""
        rotation = base[:, :3, :3]
        return torch.eye(3, dtype=base.dtype, device=base.device).expand_as(rotation) if self.world else rotation

    @staticmethod
    def _spread(step: Tensor, axes: tuple[int, ...]) -> Tensor:
        """(n, 3) a step along some axes, zero along the others."""
        whole = step.new_zeros(len(step), 3)
        return whole.index_copy(1, torch.tensor(axes, dtype=torch.long, device=step.device), step)


def _tilts(rotation: Tensor) -> Tensor:
    """(n, 3, 3) the identity, which follows a rotation R as it tilts, not as it turns about the world's z axis.

    In axes of R: ``R^T exp(-yaw z) D R`` with the change ``D`` of R in the world, and the turn about z in it taken out.
    """
    at = rotation.detach()
    change = rotation @ at.mT
    yaw = torch.atan2(change[:, 1, 0] - change[:, 0, 1], change[:, 0, 0] + change[:, 1, 1])
    back = rotations.rotvec_to_matrix(torch.nn.functional.pad(-yaw.unsqueeze(-1), (2, 0)))
    return at.mT @ back @ change @ at


BASES = {
    None: FreeBase(),
    "rotation": FreeBase(turns=(0, 1, 2)),
    "pose": FreeBase(shifts=(0, 1, 2), turns=(0, 1, 2)),
    "planar": FreeBase(shifts=(0, 1), turns=(2,), world=True),
}
"""What each choice of ``free_base`` frees."""

FREE_BASE = {name: base.count for name, base in BASES.items()}
"""How many base coordinates each adds."""
