"""A picture of a robot with its meshes, by PyBullet where it is installed, from its frames alone elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffkin.aircraft import Airframe
from diffkin.errors import ShapeError
from diffkin.plotting.animation import Animation, check_size
from diffkin.plotting.robots import configurations, shown_robot, targets_of
from diffkin.robot import Robot

__all__ = ["render"]


def render(
    robot: Robot | Airframe,
    q: Any = None,
    width: int = 640,
    height: int = 480,
    *,
    target: Any = None,
    base: Any = None,
    R_ned_body: Any = None,
) -> NDArray[np.uint8]:
    """Draw a robot with its meshes, or with simple shapes where it has none, the camera close enough that it fills the picture.

    Where PyBullet is not installed, the picture is that of ``plot``.

    Args:
        robot: A robot of any kind, or an airframe.
        q: (dof,) coordinates, a tensor, an array or a list; zero, or the nearest to it within limits, if None.
        width: Of the picture [pixels].
        height: Of the picture [pixels].
        target: (4, 4) pose or (k, 4, 4) poses in the robot's base, drawn as frames: x red, y green, z blue.
        base: (4, 4) pose of the base in the picture; the identity if None.
        R_ned_body: (3, 3) attitude of an airframe, in place of ``base``.

    Returns:
        (height, width, 3) uint8 red, green, blue.

    Raises:
        diffkin.errors.ShapeError: ``q`` is more than one configuration.
        diffkin.errors.DiffkinError: As ``plot``; an OptionError for a size that cannot be.
    """
    mechanism, placed = shown_robot(robot, base, R_ned_body)
    rows, goals = configurations(mechanism, q), targets_of(target)
    if len(rows) != 1:
        raise ShapeError(f"q must be one configuration, ({mechanism.dof},); got {len(rows)}. plot draws several.")
    check_size(width, height)
    from diffkin.simulation import is_installed, render_robot

    if is_installed():
        return render_robot(mechanism, rows[0], goals, placed, width, height, floor=not isinstance(robot, Airframe))
    film = Animation(robot, rows, goals, placed, 1.0, "", width, height)
    return next(film.frames())
