"""A serial chain seen joint by joint: the target in the frame of the joint whose turn it is.

Once the joints before it are set, what is left is the inverse kinematics of the rest of the chain, and the target in
the joint's own frame is all that it depends on.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from diffkin import kinematics
from diffkin._algebra import matmul, perpendicular
from diffkin.robot import Robot

__all__ = ["JointOrder"]


class JointOrder:
    """The coordinates of a robot in the order in which its chain meets them, and the frames where it does.

    Args:
        robot: A robot with a tip.

    Attributes:
        order: Coordinate of each turn. Coordinates that do not move the tip come last.
        shared: Coordinates that drive more than one joint on the way; the rest of the chain depends on them too.
    """

    def __init__(self, robot: Robot) -> None:
        tree = robot.tree
        tip = robot.link_index(None)
        path = tree.path(tree.link_joint[tip])
        first = {tree.coordinate[joint]: joint for joint in reversed(path)}
        order = sorted(first, key=lambda coordinate: path.index(first[coordinate]))
        idle = [coordinate for coordinate in range(tree.dof) if coordinate not in first]
        driven = [tree.coordinate[joint] for joint in path]
        self.order = tuple(order + idle)
        self.shared = tuple(coordinate for coordinate in order if driven.count(coordinate) > 1)
        joints = [first.get(coordinate) for coordinate in self.order]
        eye = torch.eye(4, dtype=tree.dtype, device=tree.device)
        turned = [eye if joint is None else tree.origins[joint] @ _axis_frame(tree.axes[joint]) for joint in joints]
        self.tree = dataclasses.replace(
            tree,
            link_joint=tuple(-1 if joint is None else tree.parents[joint] for joint in joints),
            link_offsets=torch.stack(turned),
        )

    @property
    def turns(self) -> tuple[int, ...]:
        """All turns."""
        return tuple(range(len(self.order)))

    def targets(self, q: Tensor, T_target: Tensor, turns: tuple[int, ...]) -> Tensor:
        """The target seen from joints that have not moved yet, with their axis as z.

        Args:
            q: (batch, dof) coordinates; those of a turn and after it do not matter to it.
            T_target: (batch, 4, 4) target ``T_base_tip``.
            turns: Which.

        Returns:
            (turns, batch, 3, 4) rotation and position [m].
        """
        frames = kinematics.forward(self.tree.on(q.device), q, turns).transpose(0, 1)
        back = frames[..., :3, :3].transpose(-1, -2)
        shifted = T_target[:, :3, :] - torch.nn.functional.pad(frames[..., :3, 3:], (3, 0))
        return matmul(back, shifted)


def _axis_frame(axis: Tensor) -> Tensor:
    """(4, 4) a frame whose z axis is the given one."""
    y = perpendicular(axis)
    frame = torch.eye(4, dtype=axis.dtype, device=axis.device)
    frame[:3, :3] = torch.stack((torch.linalg.cross(y, axis), y, axis), dim=-1)
    return frame
