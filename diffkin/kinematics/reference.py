"""Forward kinematics as a textbook has it: what the fast forms, ``batched.py`` and the kernels, are tested against."""

from __future__ import annotations

import torch
from torch import Tensor

from diffkin.kinematics.tree import REVOLUTE, KinematicTree
from diffkin.rotations import rotvec_to_matrix
from diffkin.transforms import compose, pose

__all__ = ["link_poses"]


def link_poses(tree: KinematicTree, q: Tensor) -> Tensor:
    """The pose of every link: ``T_base_joint = T_base_parent @ origin @ motion(value)``, joint after joint.

    Craig, Introduction to Robotics, 3.5; Siciliano et al., Robotics: Modelling, Planning and Control, 2.8.

    Args:
        tree: The mechanism, in the dtype of ``q``.
        q: (*batch, dof) coordinates [rad or m].

    Returns:
        (*batch, links, 4, 4) poses ``T_base_link`` of all links.
    """
    T_base = [torch.eye(4, dtype=q.dtype, device=q.device).expand(*q.shape[:-1], 4, 4)]  # the base itself is joint -1
    for joint, parent in enumerate(tree.parents):
        value = tree.multiplier[joint] * q[..., tree.coordinate[joint], None] + tree.offset[joint]
        along = tree.axes[joint] * value
        motion = pose(rotvec_to_matrix(along)) if tree.kinds[joint] == REVOLUTE else pose(translation=along)
        T_base.append(compose(T_base[parent + 1], tree.origins[joint], motion))
    links = zip(tree.link_joint, tree.link_offsets, strict=True)
    return torch.stack([compose(T_base[joint + 1], offset) for joint, offset in links], dim=-3)
