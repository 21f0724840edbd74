"""Yoshikawa's manipulability."""

from __future__ import annotations

import torch
from torch import Tensor

from diffkin.kinematics.batched import full_precision
from diffkin.kinematics.jacobians import jacobian
from diffkin.kinematics.tree import KinematicTree

__all__ = ["manipulability"]


def manipulability(tree: KinematicTree, q: Tensor, link: int) -> Tensor:
    """``sqrt(det(J J^T))`` (*batch,), of ``J^T J`` for fewer than six coordinates; see ``Robot.manipulability``."""
    rows = jacobian(tree, q, link)
    with full_precision(q):
        tall = rows.shape[-1] < 6
        gram = rows.transpose(-1, -2) @ rows if tall else rows @ rows.transpose(-1, -2)
        volume = torch.linalg.det(gram)
        # double where: the root of a singular arm's zero has no gradient
        positive = volume > 0
        return torch.where(positive, torch.where(positive, volume, torch.ones_like(volume)).sqrt(), 0.0 * volume)
