"""Nearness: of all coordinates that give the same pose, those a whole turn apart, and how much each joint counts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from diffkin._checks import as_double, check_finite, check_last
from diffkin.errors import OptionError
from diffkin.kinematics import REVOLUTE, KinematicTree

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["check_joint_weights", "nearest_turn", "turning"]

_TURN = 2.0 * math.pi


def turning(tree: KinematicTree, lower: Tensor, upper: Tensor) -> Tensor:
    """(dof,) which coordinates a whole turn leads back: they turn all their joints by whole turns, with room for one."""
    whole = [True] * tree.dof
    for joint, coordinate in enumerate(tree.coordinate):
        whole[coordinate] &= tree.kinds[joint] == REVOLUTE and float(tree.multiplier[joint]).is_integer()
    return torch.tensor(whole, dtype=torch.bool, device=lower.device) & (upper - lower >= _TURN)


def nearest_turn(q: Tensor, reference: Tensor, lower: Tensor, upper: Tensor, turns: Tensor, farthest: float) -> Tensor:
    """Coordinates moved by whole turns, as near to a reference as limits and rounding allow.

    Args:
        q: (*batch, dof) coordinates within the limits.
        reference: (*batch, dof) where to be near; of two places equally near, the upper is taken.
        lower: (dof,) limits; upper likewise.
        upper: (dof,) limits.
        turns: (dof,) which coordinates may be turned, see ``turning``.
        farthest: The largest coordinate to lead to.

    Returns:
        (*batch, dof), those that need not be moved to the bit as they were.
    """
    if not bool(turns.any()):
        return q
    least = torch.ceil((q - upper.clamp_max(farthest)) / _TURN)
    most = torch.floor((q - lower.clamp_min(-farthest)) / _TURN)
    count = torch.ceil((q - reference - math.pi) / _TURN)
    count = torch.minimum(torch.maximum(count, least), most)
    move = turns & (least <= most) & (count != 0.0)
    moved = torch.minimum(torch.maximum(q - _TURN * count, lower), upper)
    return torch.where(move, moved, q)


def check_joint_weights(given: Any, robot: Robot) -> Tensor:
    """(dof,) float64 weights of the squared differences in a distance between coordinates, checked; ones for None."""
    if given is None:
        return torch.ones(robot.dof, dtype=torch.float64, device=robot.device)
    weights = as_double(given, "joint_weights", robot.device)
    check_last(weights, (robot.dof,), "joint_weights")
    check_finite(weights, "joint_weights")
    if weights.ndim != 1 or bool((weights < 0).any()):
        raise OptionError(f"joint_weights must be ({robot.dof},) numbers from 0 on, got {weights.tolist()}.")
    return weights
