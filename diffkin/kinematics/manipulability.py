"""Yoshikawa's manipulability."""

from __future__ import annotations

import torch
from torch import Tensor

from diffkin._algebra import matmul
from diffkin.kinematics.jacobians import jacobian
from diffkin.kinematics.tree import KinematicTree

__all__ = ["manipulability"]


def manipulability(tree: KinematicTree, q: Tensor, link: int) -> Tensor:
    """``sqrt(det(J J^T))`` (*batch,), of ``J^T J`` for fewer than six coordinates; see ``Robot.manipulability``."""
    rows = jacobian(tree, q, link)
    gram = matmul(rows.mT, rows) if rows.shape[-1] < 6 else matmul(rows, rows.mT)
    volume = torch.linalg.det(gram)
    # double where: the root of a singular arm's zero has no gradient
    positive = volume > 0
    return torch.where(positive, torch.where(positive, volume, torch.ones_like(volume)).sqrt(), 0.0 * volume)
