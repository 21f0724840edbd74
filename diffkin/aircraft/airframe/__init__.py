"""Airframes: robots that fly, their points, rays and mass, and how they point."""

from diffkin.aircraft.airframe.airframe import Airframe, BodyPoint, BodyRay
from diffkin.aircraft.airframe.mass import MassProperties, mass_properties
from diffkin.aircraft.airframe.named_airframes import load_airframe
from diffkin.aircraft.airframe.point_axis import align_vectors, least_turn, point_axis
from diffkin.aircraft.airframe.point_jacobians import point_jacobian, ray_jacobian
from diffkin.aircraft.airframe.pointing import KeepOut, Pointing, RayTarget, bank_pitch, point
from diffkin.ik.tasks.pointing import (
    BankPitchLimitTask,
    KeepOutConeTask,
    RayAtPointTask,
    RayDirectionTask,
    WingsLevelTask,
    turn_to,
)

__all__ = [
    "Airframe",
    "BankPitchLimitTask",
    "BodyPoint",
    "BodyRay",
    "KeepOut",
    "KeepOutConeTask",
    "MassProperties",
    "Pointing",
    "RayAtPointTask",
    "RayDirectionTask",
    "RayTarget",
    "WingsLevelTask",
    "align_vectors",
    "bank_pitch",
    "least_turn",
    "load_airframe",
    "mass_properties",
    "point",
    "point_axis",
    "point_jacobian",
    "ray_jacobian",
    "turn_to",
]
