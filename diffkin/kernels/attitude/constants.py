"""Numbers on which the attitude kernels and the torch path must agree. No Numba, so that both may import it."""

from __future__ import annotations

import math

__all__ = ["BULLET", "BULLET_MAX_RATE", "BULLET_MAX_TURN", "INTEGRATORS", "LIE_MIDPOINT", "RK4"]

RK4, LIE_MIDPOINT, BULLET = 0, 1, 2
"""The integrators as the kernels number them."""

INTEGRATORS = ("rk4", "lie_midpoint", "bullet")
"""Their names, in the order of their numbers."""

BULLET_MAX_RATE = 100.0
"""Bullet clamps each component of the angular velocity, in world axes, to this [rad/s]."""

BULLET_MAX_TURN = math.pi / 4
"""Bullet takes sine and cosine of at most this turn in a step [rad]."""
