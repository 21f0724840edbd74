"""Simple shapes for links that have none of their own: rods along the links, drums and boxes for the joints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diffkin.kinematics import PRISMATIC
from diffkin.robot.skeleton import bones_of, reach_of

if TYPE_CHECKING:
    from diffkin.robot.robot import Robot

__all__ = ["Shape", "simple_shapes", "thickness"]

_Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Shape:
    """A shape on a joint's frame.

    Attributes:
        joint: The joint that carries it, -1 for the base.
        kind: "cylinder" (along z), "box" or "sphere".
        size: Radius and length of a cylinder, three sides of a box, radius of a sphere [m].
        pose: (4, 4) its middle in the joint's frame.
        part: "link", "joint" or "base", what it stands for.
    """

    joint: int
    kind: str
    size: tuple[float, ...]
    pose: _Array
    part: str


def thickness(robot: Robot) -> float:
    """Radius of the rods of a robot [m], by its reach and by the length of its bones."""
    lengths = [float((bone.end - bone.start).norm()) for bone in bones_of(robot)]
    reach = reach_of(robot)
    return min(0.025 * reach, 0.2 * float(np.median(lengths))) if lengths else 0.025 * reach


def simple_shapes(robot: Robot) -> tuple[Shape, ...]:
    """Shapes for a whole robot, from its frames alone.

    Args:
        robot: Any robot.

    Returns:
        A rod with a ball at its end along every bone, a drum about the axis of every joint that turns, a box along the
        axis of every one that slides, with a rail as long as its limits, and a foot.
    """
    tree, radius = robot.tree, thickness(robot)
    origins, axes = (tensor.detach().double().cpu().numpy() for tensor in (tree.origins, tree.axes))
    shapes = [Shape(-1, "cylinder", (2.2 * radius, 0.8 * radius), np.eye(4), "base")]
    for bone in bones_of(robot):
        start, end = bone.start.numpy(), bone.end.numpy()
        length = float(np.linalg.norm(end - start))
        pose = _along(end - start, (start + end) / 2)
        shapes.append(Shape(bone.joint, "cylinder", (radius, length), pose, "link"))
        if bone.toward is None:
            shapes.append(Shape(bone.joint, "sphere", (radius,), _along(end - start, end), "link"))
    for joint in range(tree.joints):
        pose = _along(axes[joint], np.zeros(3))
        if tree.kinds[joint] != PRISMATIC:
            shapes.append(Shape(joint, "cylinder", (1.6 * radius, 3.4 * radius), pose, "joint"))
            continue
        shapes.append(Shape(joint, "box", (2.8 * radius, 2.8 * radius, 3.4 * radius), pose, "joint"))
        coordinate = tree.coordinate[joint]
        ends = [
            tree.multiplier[joint] * float(side[coordinate]) + tree.offset[joint] for side in (robot.lower, robot.upper)
        ]
        low, high = min(*ends, 0.0), max(*ends, 0.0)  # from where the joint sits
        if np.isfinite(low) and np.isfinite(high) and high > low:
            middle = origins[joint] @ _along(axes[joint], (low + high) / 2 * axes[joint])
            shapes.append(Shape(tree.parents[joint], "cylinder", (0.6 * radius, high - low), middle, "link"))
    return tuple(shapes)


def _along(axis: _Array, middle: _Array) -> _Array:
    """(4, 4) pose with its z along an axis."""
    z = axis / np.linalg.norm(axis)
    helper = np.eye(3)[int(np.argmin(np.abs(z)))]
    x = helper - (helper @ z) * z
    x /= np.linalg.norm(x)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = np.stack((x, np.cross(z, x), z), axis=-1), middle
    return pose
