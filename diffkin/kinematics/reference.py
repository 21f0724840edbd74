"""The pose of a tree as plain torch operations: any dtype, device, batch and order of derivative."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from diffkin.kinematics.tree import PRISMATIC, KinematicTree

__all__ = ["joint_frames", "link_frame", "link_poses", "stack_poses"]


def joint_frames(tree: KinematicTree, q: Tensor, joints: Sequence[int]) -> dict[int, tuple[Tensor, Tensor]]:
    """Carry the base frame along the tree to the given joints and all joints before them.

    The batch is the last axis, so that every operation runs over contiguous numbers.

    Args:
        tree: The mechanism, in the dtype of ``q``.
        q: (count, dof) coordinates.
        joints: The joints that are asked for.

    Returns:
        For each joint on the way its rotation (3, 3, count), second axis the column, in frames turned so that the joint
        axis is the third column, and its position (3, count) [m], both in the base frame and after the joint's motion.
    """
    steps = tree.steps if tree.steps is not None else tree.derive()[0]
    wanted = sorted({joint for tip in joints for joint in tree.path(tip)})
    columns = q.transpose(0, 1)
    count = q.shape[0]
    root = torch.eye(3, dtype=q.dtype, device=q.device)[..., None].expand(3, 3, count)
    frames: dict[int, tuple[Tensor, Tensor]] = {-1: (root, q.new_zeros(3, 1).expand(3, count))}
    for joint in wanted:
        value = columns[tree.coordinate[joint]]
        if tree.multiplier[joint] != 1.0:
            value = value * tree.multiplier[joint]
        if tree.offset[joint] != 0.0:
            value = value + tree.offset[joint]
        rotation, position = frames[tree.parents[joint]]
        xy, yx, z, step = torch.matmul(steps[joint], rotation).split((2, 2, 1, 1), dim=1)
        position = position + step[:, 0]
        if tree.kinds[joint] == PRISMATIC:
            position = position + z[:, 0] * value
            rotation = torch.cat((xy, z), dim=1)
        else:
            rotation = torch.cat((torch.addcmul(xy * value.cos(), yx, value.sin()), z), dim=1)
        frames[joint] = (rotation, position)
    return frames


def link_poses(tree: KinematicTree, q: Tensor, links: Sequence[int]) -> Tensor:
    """Poses of links in the base frame.

    Args:
        tree: The mechanism, in the dtype of ``q``.
        q: (count, dof) coordinates.
        links: Indices of the links.

    Returns:
        (count, len(links), 4, 4) poses ``T_base_link``.
    """
    if not links:
        return q.new_zeros(q.shape[0], 0, 4, 4)
    frames = joint_frames(tree, q, [tree.link_joint[link] for link in links])
    return stack_poses([link_frame(tree, frames, link) for link in links])


def link_frame(tree: KinematicTree, frames: dict[int, tuple[Tensor, Tensor]], link: int) -> tuple[Tensor, Tensor]:
    """Rotation (3, 3, count) and position (3, count) of a link, from the frame of the joint that carries it."""
    mounts = tree.mounts if tree.mounts is not None else tree.derive()[1]
    rotation, position = frames[tree.link_joint[link]]
    placed = torch.matmul(mounts[link], rotation)
    return placed[:, :3], placed[:, 3] + position


def stack_poses(places: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Poses (count, links, 4, 4) from rotations (3, 3, count) and positions (3, count)."""
    upper = torch.stack([torch.cat((rotation, position[:, None]), dim=1) for rotation, position in places])
    upper = upper.permute(3, 0, 1, 2)
    last = upper.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*upper.shape[:2], 1, 4)
    return torch.cat((upper, last), dim=-2)
