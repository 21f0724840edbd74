"""Masses of a robot's links, with what hangs on them by joints that are not part of the robot."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffkin.robot.checks import LARGEST
from diffkin.robot.description import Description, JointDescription
from diffkin.robot.topology import Children

__all__ = ["masses_of"]

_Array = NDArray[np.float64]


def masses_of(
    description: Description, links: list[str], way: list[JointDescription], children: Children
) -> tuple[_Array, _Array]:
    """Mass and centre of mass of each link of a robot.

    A link on the way to the tip carries more than the next link: a camera, the fingers of a gripper. Their masses are
    counted to it, with their joints at value zero, as if they were welded. What hangs on the base besides the robot is
    none of it.

    Args:
        description: The whole model.
        links: Names of the robot's links, the base first.
        way: The robot's joints, parents first.
        children: The joints that hang on each link.

    Returns:
        Masses (links,) [kg], NaN where they are not known or larger than any mechanism's, and centres of mass (links, 3)
        in the links' frames [m].
    """
    index = {link: place for place, link in enumerate(links)}
    masses, moments = np.zeros(len(links)), np.zeros((len(links), 3))

    @np.errstate(over="ignore", invalid="ignore")
    def count(link: str, carrier: str, pose: _Array) -> None:
        inertial = description.inertials.get(link)
        if inertial is not None:
            masses[index[carrier]] += inertial.mass
            moments[index[carrier]] += inertial.mass * (pose[:3, :3] @ inertial.center + pose[:3, 3])

    own = {joint.child for joint in way}
    # A hidden link has no place of its own: what hangs on it counts to the link above it, which it turns against. No
    # format that hides links lets anything hang there but the next joint of the same body.
    for link in links:
        count(link, link, np.eye(4))
        if link == links[0]:
            continue
        waiting = [(joint, np.eye(4)) for joint in children[link] if joint.child not in own]
        while waiting:
            joint, above = waiting.pop()
            pose = above @ joint.origin
            count(joint.child, link, pose)
            waiting.extend((after, pose) for after in children[joint.child])
    known = masses != 0
    centers = np.where(known[:, None], moments / np.where(known, masses, 1.0)[:, None], 0.0)
    impossible = ~(masses <= LARGEST) | ~(np.abs(centers) <= LARGEST).all(axis=1)  # of no mechanism: not known
    masses[impossible], centers[impossible] = np.nan, 0.0
    return masses, centers
