"""Rigid bodies in lanes: where their numbers stand, and the equations of motion by angular momentum p."""

from __future__ import annotations

from diffkin.kernels.attitude.constants import OWN_INERTIA, OWN_INVERSE, OWN_ROTOR, OWN_TORQUE
from diffkin.kernels.attitude.turns import apply, cross, dot
from diffkin.kernels.compiled import inline
from diffkin.kernels.vectors.wide import load, sqrt

__all__ = [
    "INERTIA",
    "INVERSE",
    "ROTOR",
    "ROWS",
    "TORQUE",
    "drag",
    "held",
    "momentum",
    "momentum_rate",
    "rate_of",
    "read_body",
    "read_lanes",
    "read_step",
]

INERTIA, INVERSE, ROTOR, TORQUE, ROWS = 0, 9, 18, 21, 24
"""Rows of lanes at which the constants of the bodies begin, and how many there are."""


@inline
def read_lanes(array, rows, first, count, scale, target, row):
    """Put ``rows`` numbers of each body into lanes; bodies past the last are copies of it.

    Args:
        array: (bodies, rows).
        rows: How many numbers.
        first: The body of the first lane.
        count: Number of bodies.
        scale: 1, or 0 where one row of the array serves all bodies.
        target: (rows, lanes) to write to.
        row: The row of ``target`` to begin at.
    """
    for l in range(target.shape[1]):
        b = min(first + l, count - 1) * scale
        for i in range(rows):
            target[row + i, l] = array[b, i]


@inline
def read_step(array, rows, first, count, scale, k, target, row):
    """The same of step ``k`` of an array that has a row for each step."""
    for l in range(target.shape[1]):
        b = min(first + l, count - 1) * scale
        for i in range(rows):
            target[row + i, l] = array[b, k, i]


@inline
def read_body(inertia, inverse, rotor, torque, flags, first, count, body):
    """Fill the block ``body`` (ROWS, lanes) for bodies ``first`` on; the torque is that of the first step."""
    read_lanes(inertia, 9, first, count, flags[OWN_INERTIA], body, INERTIA)
    read_lanes(inverse, 9, first, count, flags[OWN_INVERSE], body, INVERSE)
    read_lanes(rotor, 3, first, count, flags[OWN_ROTOR], body, ROTOR)
    read_step(torque, 3, first, count, flags[OWN_TORQUE], 0, body, TORQUE)


@inline
def drag(w0, w1, w2, damping):
    """``d (1 + |w|)``."""
    return damping * (1.0 + sqrt(dot(w0, w1, w2, w0, w1, w2)))


@inline
def held(body, p0, p1, p2, w0, w1, w2, damping):
    """What acts besides the turning of the axes: the torque, held over the step, less damping."""
    t0, t1, t2 = load(body, TORQUE), load(body, TORQUE + 1), load(body, TORQUE + 2)
    if damping != 0.0:
        s = drag(w0, w1, w2, damping)
        t0 = t0 - s * (p0 - load(body, ROTOR))
        t1 = t1 - s * (p1 - load(body, ROTOR + 1))
        t2 = t2 - s * (p2 - load(body, ROTOR + 2))
    return t0, t1, t2


@inline
def momentum_rate(body, p0, p1, p2, w0, w1, w2, damping):
    """``dp/dt = p x w + torque - J w d (1 + |w|)``."""
    c0, c1, c2 = cross(p0, p1, p2, w0, w1, w2)
    t0, t1, t2 = held(body, p0, p1, p2, w0, w1, w2, damping)
    return c0 + t0, c1 + t1, c2 + t2


@inline
def momentum(body, w0, w1, w2):
    """``p = J w + h``."""
    x, y, z = apply(body, INERTIA, w0, w1, w2)
    return x + load(body, ROTOR), y + load(body, ROTOR + 1), z + load(body, ROTOR + 2)


@inline
def rate_of(body, p0, p1, p2):
    """``w = J^-1 (p - h)``."""
    return apply(body, INVERSE, p0 - load(body, ROTOR), p1 - load(body, ROTOR + 1), p2 - load(body, ROTOR + 2))
