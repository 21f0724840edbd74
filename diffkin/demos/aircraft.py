"""The aircraft demos by their names."""

from __future__ import annotations

from diffkin.aircraft import Airframe
from diffkin.demos.attitude import AttitudeDemo
from diffkin.demos.flying import FlyingDemo
from diffkin.demos.scene import Demo
from diffkin.demos.tracking import TrackingDemo
from diffkin.errors import closest

__all__ = ["AIRCRAFT_MODES", "aircraft_demo"]

AIRCRAFT_MODES = ("attitude", "gimbal_lock", "track", "fly")
"""What there is to play with an aircraft."""


def aircraft_demo(mode: str, airframe: Airframe, *, sequence: str = "ZYX", seed: int = 0) -> Demo:
    """An aircraft demo.

    Args:
        mode: "attitude" (sliders of Euler angles turn it), "gimbal_lock" (the same with the axes of rotation as rings),
            "track" (its camera follows a car) or "fly" (a controller turns it by Bullet's dynamics).
        airframe: The aircraft.
        sequence: Of the Euler angles.
        seed: Of the attitudes to fly to.

    Returns:
        The demo.

    Raises:
        diffkin.errors.UnknownNameError: There is no such mode or sequence.
    """
    if mode == "attitude":
        return AttitudeDemo(airframe, sequence)
    if mode == "gimbal_lock":
        return AttitudeDemo(airframe, sequence, rings=True)
    if mode == "track":
        return TrackingDemo(airframe)
    if mode == "fly":
        return FlyingDemo(airframe, seed)
    raise closest(mode, AIRCRAFT_MODES, "mode")
