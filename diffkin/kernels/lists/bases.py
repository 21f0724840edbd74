"""Bases that are solved for as well: the pose of a base after a step of shifts and turns, in ``W`` lanes."""

from __future__ import annotations

import numpy as np

from diffkin.kernels.compiled import exact, inline
from diffkin.kernels.lists.turns import dot3
from diffkin.kernels.vectors.strict import fma, load, select, sincos, sqrt, store

__all__ = ["moved", "turned_about_up", "turned_by_cube"]


@exact
def _exponential(w0, w1, w2, out, at):
    """The rotation of a rotation vector by columns: ``I + a [w] + b [w]^2``."""
    square = dot3(w0, w1, w2, w0, w1, w2)
    small = square < 1e-6
    angle = sqrt(select(small, 1.0, square))
    sine, cosine = sincos(0.5 * angle)
    half = sine / angle
    a = select(small, fma(square, fma(square, 1.0 / 120.0, -1.0 / 6.0), 1.0), 2.0 * (half * cosine))
    b = select(small, fma(square, fma(square, 1.0 / 720.0, -1.0 / 24.0), 0.5), 2.0 * (half * half))
    store(out, at, fma(b, w0 * w0 - square, 1.0))
    store(out, at + 1, fma(b, w0 * w1, a * w2))
    store(out, at + 2, fma(b, w0 * w2, -1.0 * (a * w1)))
    store(out, at + 3, fma(b, w0 * w1, -1.0 * (a * w2)))
    store(out, at + 4, fma(b, w1 * w1 - square, 1.0))
    store(out, at + 5, fma(b, w1 * w2, a * w0))
    store(out, at + 6, fma(b, w0 * w2, a * w1))
    store(out, at + 7, fma(b, w1 * w2, -1.0 * (a * w0)))
    store(out, at + 8, fma(b, w2 * w2 - square, 1.0))


@exact
def moved(base, move, world, turn, out):
    """The base after shifts and turns ``move`` (6,) along its own axes, ``(R exp(w), p + R s)``, or along the world's,
    ``(exp(w) R, p + s)``.

    Args:
        base: (12,) rows of lanes: columns x, y, z, origin.
        move: (6,) shifts, then turns.
        world: Whether they are the world's.
        turn: (9,) memory.
        out: (12,) the pose.
    """
    s0, s1, s2 = load(move, 0), load(move, 1), load(move, 2)
    _exponential(load(move, 3), load(move, 4), load(move, 5), turn, 0)
    for i in range(3):
        x, y, z, p = load(base, i), load(base, 3 + i), load(base, 6 + i), load(base, 9 + i)
        if world:
            store(out, 9 + i, p + load(move, i))
            continue
        store(out, 9 + i, p + fma(z, s2, fma(y, s1, x * s0)))
        for j in range(3):
            t0, t1, t2 = load(turn, 3 * j), load(turn, 3 * j + 1), load(turn, 3 * j + 2)
            store(out, 3 * j + i, fma(z, t2, fma(y, t1, x * t0)))
    if world:
        for j in range(3):
            v0, v1, v2 = load(base, 3 * j), load(base, 3 * j + 1), load(base, 3 * j + 2)
            for i in range(3):
                store(out, 3 * j + i, fma(load(turn, 6 + i), v2, fma(load(turn, 3 + i), v1, load(turn, i) * v0)))


@inline
def turned_by_cube(l, base, u0, u1, u2):
    """Turn the base in lane ``l`` by the rotation that a point of the unit cube stands for, uniform if the point is
    (Shoemake, Graphics Gems III, 1992).
    """
    a, b = np.sqrt(1.0 - u0), np.sqrt(u0)
    x, y = a * np.sin(2.0 * np.pi * u1), a * np.cos(2.0 * np.pi * u1)
    z, w = b * np.sin(2.0 * np.pi * u2), b * np.cos(2.0 * np.pi * u2)
    for i in range(3):
        v0, v1, v2 = base[i, l], base[3 + i, l], base[6 + i, l]
        base[i, l] = v0 * (1 - 2 * (y * y + z * z)) + v1 * (2 * (x * y + z * w)) + v2 * (2 * (x * z - y * w))
        base[3 + i, l] = v0 * (2 * (x * y - z * w)) + v1 * (1 - 2 * (x * x + z * z)) + v2 * (2 * (y * z + x * w))
        base[6 + i, l] = v0 * (2 * (x * z + y * w)) + v1 * (2 * (y * z - x * w)) + v2 * (1 - 2 * (x * x + y * y))


@inline
def turned_about_up(l, base, angle):
    """Turn the base in lane ``l`` about the world's z axis."""
    c, s = np.cos(angle), np.sin(angle)
    for j in range(0, 9, 3):
        x, y = base[j, l], base[j + 1, l]
        base[j, l], base[j + 1, l] = c * x - s * y, s * x + c * y
