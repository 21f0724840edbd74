"""The centre of mass of a tree as a differentiable function of its coordinates."""

from __future__ import annotations

from torch import Tensor

from diffkin._algebra import apply
from diffkin._checks import has_values
from diffkin.kinematics.poses import forward
from diffkin.kinematics.tree import KinematicTree

__all__ = ["center_of_mass"]


def center_of_mass(
    tree: KinematicTree,
    q: Tensor,
    masses: Tensor,
    centers: Tensor,
    base: Tensor | None = None,
    backend: str | None = None,
) -> Tensor:
    """Centre of mass, ``sum m_i (R_i c_i + p_i) / sum m_i`` (Siciliano et al., Robotics, 7.2.2).

    Args:
        tree: The mechanism.
        q: (*batch, dof) coordinates [rad or m].
        masses: (links,) masses of the links [kg], with a sum that is not zero.
        centers: (links, 3) centre of mass of each link in its own frame [m].
        base: (*batch, 4, 4) pose of the base in the world; broadcasts with ``q``.
        backend: None, or "reference" to force plain torch operations.

    Returns:
        (*batch, 3) centre of mass [m] in base axes, or in the world's where ``base`` is given.
    """
    links = list(range(len(tree.link_joint)))
    if has_values(masses) and not masses.requires_grad:  # those without a mass need no pose
        links = masses.nonzero()[:, 0].tolist()
        masses, centers = masses[links], centers[links]
    poses = forward(tree, q, links, base, backend)
    share = (masses / masses.sum()).to(poses.dtype)
    places = apply(poses[..., :3, :3], centers.to(poses.dtype)) + poses[..., :3, 3]
    return (share[:, None] * places).sum(dim=-2)
