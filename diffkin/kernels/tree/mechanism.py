"""A mechanism as plain arrays: what kernels know of a robot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FIXED", "PRISMATIC", "REVOLUTE", "Mechanism"]

REVOLUTE, PRISMATIC, FIXED = 0, 1, 2
"""Kinds of joints."""


@dataclass(frozen=True)
class Mechanism:
    """A tree of n joints and m frames fixed to them; joint k moves by ``multiplier[k] * q[coordinate[k]] + offset[k]``.

    Attributes:
        dof: Number of coordinates.
        parent: (n,) the joint each joint is carried by, -1 for the base; always less than its own index.
        kind: (n,) REVOLUTE, PRISMATIC or FIXED.
        coordinate: (n,) index into the coordinates.
        multiplier: (n,) factor of the coordinate, 1 but for mimic joints.
        offset: (n,) joint value at coordinate zero [rad or m].
        origin: (n, 4, 4) pose of each joint's frame in its parent's, at joint value zero.
        axis: (n, 3) unit axis in the joint's own frame.
        frame_joint: (m,) the joint that carries each frame, -1 for the base.
        frame_offset: (m, 4, 4) pose of each frame in its joint's frame.
    """

    dof: int
    parent: NDArray[np.int64]
    kind: NDArray[np.int64]
    coordinate: NDArray[np.int64]
    multiplier: NDArray[np.float64]
    offset: NDArray[np.float64]
    origin: NDArray[np.float64]
    axis: NDArray[np.float64]
    frame_joint: NDArray[np.int64]
    frame_offset: NDArray[np.float64]
