"""Orders of magnitude: how far whole turns may lead, what rounding leaves of a tolerance, from where targets are far."""

from __future__ import annotations

import math

__all__ = ["NEAR2", "ROUNDING", "farthest_turn"]

NEAR2 = 16.0
"""Squared residual above that of any target within the reach of an arm, which is two lengths of the arm and half a turn away
at most. Slides alone come from farther, and for them the problem is linear."""
ROUNDING = 2.0**-53
"""Largest relative error of one rounding in float64."""


def farthest_turn(tolerance: float, count: int, single: bool) -> float:
    """The largest coordinate [rad] that whole turns may lead to, so that rounding it leaves the tolerance in reach.

    Args:
        tolerance: The smaller one, in m or rad.
        count: How many coordinates may be turned.
        single: Whether they are rounded to float32.
    """
    rounding = 2.0**-24 if single else 64.0 * ROUNDING  # in float64 the judge takes its doubt off as well
    return max(2.0 * math.pi, tolerance / (rounding * max(1, count)))
