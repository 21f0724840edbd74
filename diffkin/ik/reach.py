"""A proof that targets cannot be reached: they want two points of the robot farther apart, or nearer, than they can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from diffkin._gate import kernel
from diffkin.ik.tasks import Task
from diffkin.ik.tasks.base import Held
from diffkin.kinematics import dispatch
from diffkin.robot.conversion import on_cpu

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["NO_ROTATION", "on_axis", "out_of_reach", "reach"]

_ROUNDING = 1e-9  # of the chain's length, that an inequality may be off by
NO_ROTATION = 2e-5
"""[rad] by which a target's rotation may be none, so that the nearest is meant."""


def reach(robot: Robot, link: int, rigid: bool = False) -> tuple[Tensor, Tensor, float, float]:
    """Two points that a robot keeps within a range of each other, see ``diffkin.kernels.ik.reach``.

    Args:
        robot: The robot.
        link: The link to place.
        rigid: Whether the link's rotation is given, and not its position alone.

    Returns:
        A point of the base (3,) [m], a point of the link in its axes (3,) [m], the least and the greatest distance [m].
    """
    key = ("reach", link, rigid)
    made: tuple[Tensor, Tensor, float, float] | None = robot.cache.get(key)
    if made is None:
        made = _reach(robot, link, rigid)
        if not (robot.lower.requires_grad or robot.upper.requires_grad):  # those may be stepped in place
            robot.cache[key] = made
    return made


def _reach(robot: Robot, link: int, rigid: bool) -> tuple[Tensor, Tensor, float, float]:
    here = on_cpu(robot)
    chain = kernel("ik.chain.pack_chain")(dispatch.mechanism(here.tree), link)
    if not len(chain.joints):
        place = torch.from_numpy(chain.start[9:12] * chain.length).to(robot.device)
        return place, torch.zeros_like(place), 0.0, 0.0
    lower, upper = (side.detach().double().numpy()[chain.moving] for side in (here.lower, here.upper))
    span = kernel("ik.reach.span")(chain, lower, upper, rigid)
    points: list[Any] = [span.base, kernel("ik.reach.in_link_axes")(chain, span.frame)]
    base, frame = (torch.from_numpy(np.ascontiguousarray(part) * chain.length).to(robot.device) for part in points)
    slack = _ROUNDING * chain.length
    return base, frame, span.least * chain.length - slack, span.most * chain.length + slack


def out_of_reach(
    robot: Robot,
    tasks: Sequence[Task],
    base: Tensor | None,
    batch: torch.Size,
    position_tolerance: float = 1e-6,
    rotation_tolerance: float = 1e-6,
) -> Tensor:
    """(*batch,) where the tasks of priority 0 that place a link are proven to be impossible.

    Args:
        robot: The robot.
        tasks: The tasks as the caller gave them. Those of the caller's own making prove nothing.
        base: (*batch, 4, 4) pose of the base in the world; the identity if None.
        batch: Leading axes of the problems.
        position_tolerance: By how much a position may be missed [m].
        rotation_tolerance: By how much a rotation may be missed [rad].
    """
    far = torch.zeros(batch.numel(), dtype=torch.bool, device=robot.device)
    flat = [task.for_batch(batch, torch.float64, robot.device) for task in tasks if task.priority == 0]
    if base is not None:
        places = base.detach().double().expand(*batch, 4, 4).reshape(-1, 4, 4)
        flat = [task.seen_from(places) if task.held() is not None else task for task in flat]
    known = [(robot.link_index(task.links[0]), held) for task in flat if (held := task.held()) is not None]
    for link, place in known:
        if place.position is None:
            continue
        position = place.position.detach()
        for rigid in (False, True):
            fixed, carried, least, most = reach(robot, link, rigid)
            ways = [_carried(held, carried) for other, held in known if other == link] if rigid else [(carried, 0.0)]
            for way in ways:
                if way is None:
                    continue
                shift, spread = way
                slack = position_tolerance + (rotation_tolerance + spread + NO_ROTATION) * float(carried.norm())
                distance = torch.linalg.vector_norm(position + shift - fixed, dim=-1)
                far |= (distance < least - slack) | (distance > most + slack)
    return far.reshape(batch)


def _carried(held: Held, point: Tensor) -> tuple[Tensor, float] | None:
    """Where a point (3,) of a link is held, from the link's origin in the base: (count, 3), and the angle [rad] by which
    that is left open; None where it is not held.
    """
    if held.rotation is not None:
        return held.rotation.detach() @ point, 0.0
    if held.axis is None or held.direction is None:
        return None
    along = on_axis(point, held.axis)
    return None if along is None else (along * held.direction.detach(), held.spread)


def on_axis(point: Tensor, axis: Tensor) -> float | None:
    """Where on an axis (3,) through the origin a point (3,) lies; None if a turn about the axis would move it."""
    axis = axis.to(point)
    along = point @ axis
    return None if float((point - along * axis).norm()) > _ROUNDING else float(along)
