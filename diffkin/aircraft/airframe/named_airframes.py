"""Airframes by name, with their points and rays; from a URDF or a robot too."""

from __future__ import annotations

import os
from collections.abc import Mapping

from diffkin.aircraft._inputs import check_kind
from diffkin.aircraft.airframe.airframe import Airframe, BodyPoint, BodyRay
from diffkin.robot import Robot, load_robot

__all__ = ["load_airframe"]

_NAMES = ("nose", "left_wingtip", "right_wingtip", "tail", "camera", "antenna")
_WING_POINTS = {name: BodyPoint(name) for name in _NAMES}
_ROTOR_POINTS = {name: BodyPoint(name) for name in ("front_rotor", "left_rotor", "rear_rotor", "right_rotor")}
_RAYS = {"nose": BodyRay("nose"), "boresight": BodyRay("camera"), "antenna": BodyRay("antenna", axis=(0.0, 0.0, 1.0))}

# Points and rays of the aircraft known by name; on a quadrotor the rotors abeam are what a wing's tips are.
_AIRFRAMES: dict[str, tuple[dict[str, BodyPoint], dict[str, BodyRay]]] = {
    "fixed_wing": (_WING_POINTS, _RAYS),
    "quadrotor": (
        {
            **_WING_POINTS,
            "left_wingtip": BodyPoint("left_rotor"),
            "right_wingtip": BodyPoint("right_rotor"),
            **_ROTOR_POINTS,
        },
        _RAYS,
    ),
}


def load_airframe(
    robot: str | os.PathLike[str] | Robot,
    points: Mapping[str, BodyPoint] | None = None,
    rays: Mapping[str, BodyRay] | None = None,
) -> Airframe:
    """An airframe by name, from a URDF or from a robot.

    Args:
        robot: "fixed_wing", "quadrotor", anything ``load_robot`` takes, or a robot; its base link must be FLU.
        points: Named points. None takes those of a named aircraft, else the origin of every link under the link's name.
        rays: Named rays. None takes those of a named aircraft, else the x axis of every link under the link's name.

    Returns:
        The airframe.

    Raises:
        diffkin.errors.UnknownNameError: There is no such robot or link.
        diffkin.errors.ModelFileError: The file cannot be read.
    """
    check_kind(robot, (str, os.PathLike, Robot), "robot", "Give a name, the path of a URDF or a robot.")
    loaded = robot if isinstance(robot, Robot) else load_robot(robot)
    known_points: Mapping[str, BodyPoint] = {link: BodyPoint(link) for link in loaded.link_names}
    known_rays: Mapping[str, BodyRay] = {link: BodyRay(link) for link in loaded.link_names}
    usual = _AIRFRAMES.get(loaded.name, ({}, {}))
    if usual[0] and all(mark.link in loaded.link_names for mark in usual[0].values()):
        known_points, known_rays = usual
    chosen_points, chosen_rays = known_points if points is None else points, known_rays if rays is None else rays
    for marks, what in ((chosen_points, "points"), (chosen_rays, "rays")):
        check_kind(marks, Mapping, what, "Give a dictionary of names and what they stand for.")
    return Airframe(loaded, dict(chosen_points), dict(chosen_rays))
