"""Numbers on which the attitude kernels and the torch path must agree. No Numba, so that both may import it."""

from __future__ import annotations

import math

__all__ = [
    "BULLET",
    "BULLET_MAX_RATE",
    "BULLET_MAX_TURN",
    "DAMPING",
    "INTEGRATORS",
    "LIE_MIDPOINT",
    "OWN_INERTIA",
    "OWN_INVERSE",
    "OWN_ROTOR",
    "OWN_TORQUE",
    "RK4",
    "STEP",
    "TORQUE_EACH_STEP",
]

RK4, LIE_MIDPOINT, BULLET = 0, 1, 2
"""The integrators as the kernels number them."""

INTEGRATORS = ("rk4", "lie_midpoint", "bullet")
"""Their names, in the order of their numbers."""

BULLET_MAX_RATE = 100.0
"""Bullet clamps each component of the angular velocity, in world axes, to this [rad/s]."""

BULLET_MAX_TURN = math.pi / 4
"""Bullet takes sine and cosine of at most this turn in a step [rad]."""

OWN_INERTIA, OWN_INVERSE, OWN_ROTOR, OWN_TORQUE, TORQUE_EACH_STEP = range(5)
"""Places in the integers ``flags`` of the kernels: 1 where each body has its own row, 0 where one row serves all; then
whether there is a torque for each step."""

STEP, DAMPING = range(2)
"""Places in the float64 ``options`` of the kernels: the time step [s] and Bullet's damping [1/s]."""
