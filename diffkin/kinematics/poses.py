"""Forward kinematics of a tree: one dtype for all that is given, then the kernel or the torch formula."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from diffkin._checks import as_tensor
from diffkin.kinematics import batched, dispatch
from diffkin.kinematics.tree import KinematicTree

__all__ = ["forward", "in_dtype_of"]


def forward(
    tree: KinematicTree,
    q: Tensor,
    links: Sequence[int] | int,
    base: Tensor | None = None,
    backend: str | None = None,
) -> Tensor:
    """Poses of links as a function of the coordinates.

    Args:
        tree: The mechanism.
        q: (*batch, dof) coordinates [rad or m].
        links: Indices of the links, or the index of one.
        base: (*batch, 4, 4) pose of the base in the world; broadcasts with ``q``.
        backend: None, or "reference" to force plain torch operations (``batched.py``).

    Returns:
        (*batch, len(links), 4, 4) poses, or (*batch, 4, 4) of one.

    Raises:
        diffkin.errors.ShapeError: The leading axes of ``q`` and ``base`` do not broadcast.
        diffkin.errors.UnknownNameError: Unknown backend.
    """
    tree, q, base = in_dtype_of(tree, q, base)
    route = dispatch if dispatch.kernel_applies(backend, tree, q, base) else batched
    return route.forward(tree, q, links if isinstance(links, int) else tuple(links), base)


def in_dtype_of(tree: KinematicTree, q: Tensor, base: Tensor | None) -> tuple[KinematicTree, Tensor, Tensor | None]:
    """Promote tree, coordinates and base pose to one dtype, as torch promotes the operands of a product."""
    tree.check_unchanged()
    dtype = tree.dtype
    q = as_tensor(q, "q", dtype, tree.device)
    base = None if base is None else as_tensor(base, "base", dtype, tree.device)
    if q.dtype == dtype and (base is None or base.dtype == dtype):
        return tree, q, base
    dtype = torch.promote_types(q.dtype, dtype)
    if base is not None:
        dtype = torch.promote_types(dtype, base.dtype)
        base = base.to(dtype)
    return tree.in_dtype(dtype), q.to(dtype), base
