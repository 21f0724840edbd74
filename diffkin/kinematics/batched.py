"""Poses as plain torch operations, two of them a joint: any dtype, device, batch and order of derivative.

The fast form of ``reference.py``. It serves whatever no kernel serves, and what ``backend="reference"`` forces.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from diffkin._algebra import matmul, product
from diffkin._checks import broadcast
from diffkin.kinematics.tree import PRISMATIC, KinematicTree

__all__ = ["forward", "joint_frames", "link_frame", "link_poses", "stack_poses"]


def forward(tree: KinematicTree, q: Tensor, links: tuple[int, ...] | int, base: Tensor | None) -> Tensor:
    """Poses (*batch, len(links), 4, 4), or (*batch, 4, 4) of one; arguments as ``kinematics.forward``, of one dtype."""
    if isinstance(links, int):
        return forward(tree, q, (links,), base).squeeze(-3)
    batch = q.shape[:-1]
    poses = link_poses(tree, q.reshape(batch.numel(), tree.dof), links).reshape(*batch, len(links), 4, 4)
    if base is None:
        return poses
    shape = broadcast(q=batch, base=base.shape[:-2])
    return matmul(base.unsqueeze(-3), poses).expand(*shape, len(links), 4, 4)


def joint_frames(tree: KinematicTree, q: Tensor, joints: Sequence[int]) -> dict[int, Tensor]:
    """Carry the base frame along the tree to the given joints and all joints before them.

    A joint takes two operations, a matrix product and a product, over contiguous numbers: small batches and GPUs wait for
    the number of operations, large batches for memory.

    Args:
        tree: The mechanism, in the dtype of ``q``.
        q: (count, dof) coordinates.
        joints: The joints that are asked for.

    Returns:
        For each joint on the way its frame after the joint's motion, in the base frame: (3, 2, 3, count), six rows by
        their coordinates, that ``KinematicTree.derive`` explains. The last two rows are the joint's axis and, of a
        revolute joint, its origin [m]. The base is -1, with a count of 1.
    """
    steps = tree.steps if tree.steps is not None else tree.derive()[0]
    wanted = sorted({joint for tip in joints for joint in tree.path(tip)})
    root = torch.eye(6, 3, dtype=q.dtype, device=q.device)[[0, 1, 5, 5, 2, 5]]  # x, y, 0, 0, z, 0
    frames = {-1: root.reshape(3, 2, 3, 1)}
    if wanted:
        for joint, motion in zip(wanted, _motions(tree, q, wanted), strict=True):
            rows = product(steps[joint], frames[tree.parents[joint]].reshape(6, -1))
            frames[joint] = rows.reshape(3, 2, 3, -1) * motion
    return frames


def _motions(tree: KinematicTree, q: Tensor, joints: Sequence[int]) -> tuple[Tensor, ...]:
    """What joints multiply their rows by: (3, 1, 1, count) each, cosine, sine and 1, or 1, value and 1."""
    values = q.transpose(0, 1)
    coordinates = [tree.coordinate[joint] for joint in joints]
    if coordinates != list(range(tree.dof)):
        values = values[coordinates]
    if any(tree.multiplier[joint] != 1.0 or tree.offset[joint] != 0.0 for joint in joints):
        multiplier, offset = (q.new_tensor([part[j] for j in joints]) for part in (tree.multiplier, tree.offset))
        values = values * multiplier[:, None] + offset[:, None]
    one = torch.ones_like(values)
    first, second = values.cos(), values.sin()
    kinds = [tree.kinds[joint] == PRISMATIC for joint in joints]
    if any(kinds):
        slides = torch.tensor(kinds, device=q.device)[:, None]
        first, second = torch.where(slides, one, first), torch.where(slides, values, second)
    return torch.stack((first, second, one), dim=1)[:, :, None, None].unbind(0)


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
    return stack_poses([link_frame(tree, frames, link) for link in links], q.shape[0])


def link_frame(tree: KinematicTree, frames: dict[int, Tensor], link: int) -> Tensor:
    """The frame (4, 3, count) of a link, axes and origin, from that of the joint that carries it; count 1 on the base."""
    mounts = tree.mounts if tree.mounts is not None else tree.derive()[1]
    return product(mounts[link], frames[tree.link_joint[link]].reshape(6, -1)).reshape(4, 3, -1)


def stack_poses(places: Sequence[Tensor], count: int) -> Tensor:
    """Poses (count, links, 4, 4) from frames (4, 3, count) or (4, 3, 1)."""
    stacked = torch.stack([place.expand(4, 3, count) for place in places]) if len(places) > 1 else places[0][None]
    upper = stacked.expand(len(places), 4, 3, count).permute(3, 0, 2, 1)
    last = upper.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*upper.shape[:2], 1, 4)
    return torch.cat((upper, last), dim=-2)
