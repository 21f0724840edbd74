"""Attitude control: laws, allocation of torques to actuators, attitudes to follow."""

from diffkin.aircraft.control.attitude_reference import AttitudeReference, attitude_reference, minimum_jerk
from diffkin.aircraft.control.bounded_least_squares import bounded_least_squares
from diffkin.aircraft.control.laws import (
    attitude_error,
    geometric_pd,
    log_pd,
    rate_error,
    saturate,
    sqrt_cascade,
    sqrt_law,
)
from diffkin.aircraft.control.rotors import QuadrotorMixer
from diffkin.aircraft.control.surfaces import allocate_surfaces

__all__ = [
    "AttitudeReference",
    "QuadrotorMixer",
    "allocate_surfaces",
    "attitude_error",
    "attitude_reference",
    "bounded_least_squares",
    "geometric_pd",
    "log_pd",
    "minimum_jerk",
    "rate_error",
    "saturate",
    "sqrt_cascade",
    "sqrt_law",
]
