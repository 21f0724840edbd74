"""Coordinates drawn within a robot's limits."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from diffkin._given import generator_of, whole
from diffkin.errors import OptionError
from diffkin.kinematics.ranges import sampling_range

if TYPE_CHECKING:
    from diffkin.robot.robot import Robot

__all__ = ["sample"]

_COPIES = 4  # of the result, that are in memory while it is drawn


def sample(robot: Robot, count: int, seed: int | torch.Generator = 0) -> Tensor:
    """Coordinates drawn uniformly; arguments, result and errors as ``Robot.sample``."""
    count = whole(count, "count", 0, 2**62)
    needed, there = _COPIES * 8 * count * max(1, robot.dof), _memory()
    if needed > there:
        raise OptionError(
            f"{count} samples of {robot.dof} coordinates take {needed / 2**30:.3g} GiB, this machine has "
            f"{there / 2**30:.3g}. Draw them in parts, from one generator: sample(n, seed=generator)."
        )
    robot.check_unchanged()
    generator = generator_of(seed, device="cpu")
    unit = torch.rand(count, robot.dof, generator=generator, dtype=torch.float64, device=generator.device)
    limits = (side.to(device=unit.device, dtype=torch.float64) for side in (robot.lower, robot.upper))
    low, high = sampling_range(robot.tree, *limits)
    drawn = low + unit * (high - low)
    return torch.minimum(torch.maximum(drawn.to(robot.lower), robot.lower), robot.upper)


def _memory() -> int:
    """Bytes of memory that the machine has; more than any, where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return 2**46
