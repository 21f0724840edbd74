"""Where to draw coordinates from: the limits, and a bounded range where there are none."""

from __future__ import annotations

import torch
from torch import Tensor

from diffkin.kinematics.tree import PRISMATIC, KinematicTree

__all__ = ["sampling_range"]

_TURN = 2.0 * torch.pi
_MOST_TURN = 2.0 * _TURN * 1.002
"""A turning joint with more freedom than two turns, rounded up as people do (6.2832, 6.29), is drawn from one: the others
lead to the same poses."""
_MOST_SLIDE = 1e3
"""A slide of more than a kilometre stands for one without limits."""


def sampling_range(tree: KinematicTree, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    """The bounded range within the limits that samples of each coordinate are drawn from.

    The limits themselves where they are within two turns [rad], of a slide within a kilometre. Otherwise, and where one
    or both are missing, the 2 pi [rad or m] within the limits that lie nearest to zero: from -pi to pi, or up from the
    lower limit, or down from the upper.

    Args:
        tree: The mechanism; a coordinate is a slide if it moves a prismatic joint.
        lower: (dof,) lower limits [rad or m], -inf where there are none.
        upper: (dof,) upper limits, inf where there are none.

    Returns:
        Finite lower and upper bounds, (dof,) each, of the dtype of the limits.
    """
    slides = torch.zeros_like(lower, dtype=torch.bool)
    for joint, coordinate in enumerate(tree.coordinate):
        slides[coordinate] |= tree.kinds[joint] == PRISMATIC
    width = upper - lower
    near = width <= torch.where(slides, torch.full_like(width, _MOST_SLIDE), _MOST_TURN)
    low = torch.minimum(torch.full_like(lower, -torch.pi).clamp_min(lower), upper - _TURN)
    return torch.where(near, lower, low), torch.where(near, upper, torch.minimum(low + _TURN, upper))
