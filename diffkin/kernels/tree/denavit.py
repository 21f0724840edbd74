"""Constant transforms between joints, split after Denavit and Hartenberg (1955)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Denavit", "aligned", "denavit", "is_rigid", "neat_sincos", "screw"]


class Denavit(NamedTuple):
    """The numbers of ``Rz(theta) Tz(d) Tx(a) Rx(alpha) Rz(turn) Tz(shift)``; of alpha sine and cosine."""

    theta: float
    d: float
    a: float
    sine: float
    cosine: float
    turn: float
    shift: float


def aligned(axis: NDArray[np.float64]) -> NDArray[np.float64]:
    """A pose that turns z to the unit vector ``axis``."""
    pose = np.eye(4)
    x, y, z = (float(v) for v in axis)
    if z == 1.0:
        return pose
    other = (0.0, z, -y) if abs(x) < 0.6 else (-z, 0.0, x)  # at right angles to the axis, and not short
    norm = math.sqrt(other[0] ** 2 + other[1] ** 2 + other[2] ** 2)
    b = (other[0] / norm, other[1] / norm, other[2] / norm)
    pose[:3, 0] = (b[1] * z - b[2] * y, b[2] * x - b[0] * z, b[0] * y - b[1] * x)
    pose[:3, 1] = b
    pose[:3, 2] = (x, y, z)
    return pose


def screw(angle: float, height: float) -> NDArray[np.float64]:
    """Rz(angle) Tz(height)."""
    pose = np.eye(4)
    s, c = neat_sincos(angle)
    pose[0, 0], pose[0, 1], pose[1, 0], pose[1, 1], pose[2, 3] = c, -s, s, c, height
    return pose


def neat_sincos(angle: float) -> tuple[float, float]:
    """Sine and cosine, exact at multiples of a quarter turn."""
    s, c = math.sin(angle), math.cos(angle)
    return (0.0 if abs(s) < 4e-16 else s), (0.0 if abs(c) < 4e-16 else c)


def denavit(pose: NDArray[np.float64], snap: float) -> Denavit | None:
    """Split a pose (4, 4).

    None where the two z axes are neither parallel to within ``snap`` nor far enough from parallel for the common normal
    to be well determined.
    """
    m = pose.tolist()
    ux, uy, uz = m[0][2], m[1][2], m[2][2]
    px, py, pz = m[0][3], m[1][3], m[2][3]
    sine = math.hypot(ux, uy)
    if sine <= snap and uz > 0:
        whole = math.atan2(m[1][0], m[0][0])
        if math.hypot(px, py) <= snap:  # one axis: the whole turn joins the parent's motion
            return Denavit(whole, pz, 0.0, 0.0, 1.0, 0.0, 0.0)
        theta = math.atan2(py, px)
        st, ct = neat_sincos(theta)
        return Denavit(theta, pz, ct * px + st * py, 0.0, 1.0, whole - theta, 0.0)
    if sine < 0.05:
        return None
    ct, st = -uy / sine, ux / sine  # x axis along z cross u
    theta = math.atan2(st, ct)
    t = (ct * py - st * px) / sine  # along u from the point to the foot of the common normal
    d, a = pz + t * uz, ct * px + st * py
    # Rz(turn) = Rx(-alpha) Rz(-theta) R: its first column
    x0, x1 = ct * m[0][0] + st * m[1][0], ct * m[1][0] - st * m[0][0]
    turn = math.atan2(uz * x1 + sine * m[2][0], x0)
    if abs(uz) <= snap:
        sine, uz = 1.0, 0.0
    return Denavit(theta, d, a, sine, uz, turn, -t)


def is_rigid(pose: NDArray[np.float64], tolerance: float) -> bool:
    """Whether the upper left 3x3 block is a rotation to within ``tolerance``."""
    rotation = pose[:3, :3]
    return bool(np.abs(rotation.T @ rotation - np.eye(3)).max() <= tolerance and np.linalg.det(rotation) > 0)
