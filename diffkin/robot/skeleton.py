"""What of a robot can be drawn from its frames alone: its bones, its size, and where its joints are."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin import kinematics
from diffkin.kinematics import PRISMATIC

if TYPE_CHECKING:
    from diffkin.robot.robot import Robot

__all__ = ["Bone", "bones_of", "joint_poses", "reach_of"]

_LEAST = 1e-6  # of the reach: shorter bones are points


@dataclass(frozen=True, eq=False)
class Bone:
    """A straight piece of a robot.

    Attributes:
        joint: The joint that carries it, -1 for the base.
        start: (3,) in the joint's frame [m].
        end: (3,) in the joint's frame [m].
        toward: The joint at its end; None where it ends at a link.
    """

    joint: int
    start: Float[Tensor, " 3"]
    end: Float[Tensor, " 3"]
    toward: int | None = None


def bones_of(robot: Robot) -> tuple[Bone, ...]:
    """Bones from every joint to those that it carries, and to the links where the robot ends.

    Args:
        robot: Any robot.

    Returns:
        The bones, those without length left out. One that leads to a joint that slides ends where that joint is at
        value zero.
    """
    tree = robot.tree
    origins, offsets = tree.origins.detach().double().cpu(), tree.link_offsets.detach().double().cpu()
    zero, least = torch.zeros(3, dtype=torch.float64, device="cpu"), _LEAST * reach_of(robot)
    bones = [Bone(parent, zero, origins[joint, :3, 3], joint) for joint, parent in enumerate(tree.parents)]
    carrying = set(tree.parents)
    for index, (link, joint) in enumerate(zip(robot.link_names, tree.link_joint, strict=True)):
        if link == robot.tip or (joint not in carrying and link in robot.leaves):
            bones.append(Bone(joint, zero, offsets[index, :3, 3]))
    return tuple(bone for bone in bones if float((bone.end - bone.start).norm()) > least)


def reach_of(robot: Robot) -> float:
    """How far the robot can reach from its base at most, along its longest way, slides drawn out as far as limits let.

    Args:
        robot: Any robot.

    Returns:
        [m]; 0.2 for a robot without any length.
    """
    tree = robot.tree
    lengths = torch.linalg.vector_norm(tree.origins.detach().double().cpu()[:, :3, 3], dim=-1).tolist()
    ends = torch.linalg.vector_norm(tree.link_offsets.detach().double().cpu()[:, :3, 3], dim=-1).tolist()
    lower, upper = (side.detach().double().cpu().tolist() for side in (robot.lower, robot.upper))
    at: list[float] = []
    for joint, parent in enumerate(tree.parents):
        slide = 0.0
        if tree.kinds[joint] == PRISMATIC:
            values = (
                tree.multiplier[joint] * side[tree.coordinate[joint]] + tree.offset[joint] for side in (lower, upper)
            )
            slide = max((abs(value) for value in values if abs(value) != torch.inf), default=0.0)
        at.append((at[parent] if parent >= 0 else 0.0) + lengths[joint] + slide)
    reached = [end + (at[joint] if joint >= 0 else 0.0) for joint, end in zip(tree.link_joint, ends, strict=True)]
    return max(*reached, *at, 0.0) or 0.2


def joint_poses(
    robot: Robot, q: Float[Tensor, "*batch dof"], base: Float[Tensor, "4 4"] | None = None
) -> Float[Tensor, "*batch joints1 4 4"]:
    """Poses of the base and of the frames of all joints after their motion, in the order of the tree.

    Args:
        robot: Any robot.
        q: (*batch, dof) coordinates.
        base: (4, 4) pose of the base; the identity if None.

    Returns:
        (*batch, joints + 1, 4, 4), the base first.
    """
    tree = robot.tree
    count = tree.joints + 1
    frames = dataclasses.replace(
        tree,
        link_joint=tuple(range(-1, tree.joints)),
        link_offsets=torch.eye(4, dtype=tree.dtype, device=tree.device).repeat(count, 1, 1),
    )
    return kinematics.forward(frames, q, range(count), base)
