"""What a model file says, in one form for every format: links, joints and where they sit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FREE", "KINDS", "MOVING", "Description", "JointDescription", "Mimic"]

MOVING = ("revolute", "continuous", "prismatic")
"""The kinds of joints that have a value."""
FREE = ("floating", "planar")
"""The kinds that are the base pose where the whole robot hangs on one, and that a robot cannot have elsewhere."""
KINDS = (*MOVING, "fixed", *FREE)
"""All kinds of joints, as URDF names them."""


@dataclass(frozen=True)
class Mimic:
    """A joint's value is ``multiplier * value of source + offset``."""

    source: str
    multiplier: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, eq=False)
class JointDescription:
    """One joint of a model file.

    Attributes:
        name: Unique name of the joint.
        kind: One of ``KINDS``.
        parent: Link it hangs on.
        child: Link it carries.
        origin: (4, 4) float64 pose of the joint, and of the child link at value zero, in the parent link's frame.
        axis: (3,) float64 unit axis in the joint's frame.
        lower: Lower limit [rad or m], -inf if unlimited.
        upper: Upper limit [rad or m], inf if unlimited.
        mimic: The joint it copies, if any.
    """

    name: str
    kind: str
    parent: str
    child: str
    origin: NDArray[np.float64]
    axis: NDArray[np.float64]
    lower: float = -np.inf
    upper: float = np.inf
    mimic: Mimic | None = None


@dataclass(frozen=True, eq=False)
class Description:
    """All links and joints of a model file.

    Attributes:
        name: The robot's name in the file.
        links: Names of all links, in file order.
        joints: All joints, in file order.
        source: Path of the file, or its text where it was given as one; what a simulator can load.
        hidden: Links that a format needs between two joints but that nobody would name; a robot does not list them.
    """

    name: str
    links: tuple[str, ...]
    joints: tuple[JointDescription, ...]
    source: str
    hidden: frozenset[str] = frozenset()
