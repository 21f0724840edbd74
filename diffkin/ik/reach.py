"""A proof that targets cannot be reached: they are farther away than all lengths of the way together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from diffkin.ik.tasks import Task
from diffkin.kinematics import PRISMATIC

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["out_of_reach", "reach"]


def reach(robot: Robot, link: int) -> float:
    """No configuration within the limits takes a link farther [m] from the base than this."""
    tree = robot.tree
    total = float(tree.link_offsets[link, :3, 3].detach().norm())
    for joint in tree.path(tree.link_joint[link]):
        total += float(tree.origins[joint, :3, 3].detach().norm())
        if tree.kinds[joint] == PRISMATIC:
            ends = [float(side[tree.coordinate[joint]]) for side in (robot.lower, robot.upper)]
            total += max(abs(tree.multiplier[joint] * end + tree.offset[joint]) for end in ends)
    return total


def out_of_reach(robot: Robot, tasks: Sequence[Task], base: Tensor | None, batch: torch.Size) -> Tensor:
    """(*batch,) where the position that some task must bring its link to is beyond ``reach``.

    Args:
        robot: The robot.
        tasks: The tasks as the caller gave them.
        base: (*batch, 4, 4) pose of the base in the world; the identity if None.
        batch: Leading axes of the problems.
    """
    far = torch.zeros(batch.numel(), dtype=torch.bool, device=robot.device)
    for task in tasks:
        weight = torch.as_tensor(task.weight)
        if task.priority or not task.batched or not bool((weight > 0).all()):
            continue
        flat = task.for_batch(batch, torch.float64, robot.device)
        if base is not None:
            flat = flat.seen_from(base.detach().double().expand(*batch, 4, 4).reshape(batch.numel(), 4, 4))
        place = flat.placement()
        if place is not None and place.position is not None:
            distance = torch.linalg.vector_norm(place.position.detach(), dim=-1)
            far |= distance > reach(robot, robot.link_index(task.links[0])) * (1.0 + 1e-6) + 1e-3
    return far.reshape(batch)
