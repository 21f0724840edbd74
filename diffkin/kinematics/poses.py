"""Forward kinematics of a tree: batches, base pose and dtype, then the fused kernel or the torch formula."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from diffkin.errors import ShapeError
from diffkin.kinematics import dispatch
from diffkin.kinematics.batched import link_poses
from diffkin.kinematics.tree import KinematicTree

__all__ = ["broadcast_batch", "forward", "full_precision", "in_dtype_of"]


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
        backend: None, or "reference" to force the plain torch path.

    Returns:
        (*batch, len(links), 4, 4) poses, or (*batch, 4, 4) of one.
    """
    tree, q, base = in_dtype_of(tree, q, base)
    if dispatch.kernel_applies(backend, tree, q, base):
        if base is not None:
            broadcast_batch(q.shape[:-1], base.shape[:-2], "q", "base")
        return dispatch.forward(tree, q, links if isinstance(links, int) else tuple(links), base)
    if isinstance(links, int):
        return forward(tree, q, (links,), base, backend).squeeze(-3)
    with full_precision(q):
        batch = q.shape[:-1]
        poses = link_poses(tree, q.reshape(batch.numel(), tree.dof), links).reshape(*batch, len(links), 4, 4)
        if base is None:
            return poses
        shape = broadcast_batch(batch, base.shape[:-2], "q", "base")
        return torch.matmul(base.unsqueeze(-3), poses).expand(*shape, len(links), 4, 4)


def in_dtype_of(tree: KinematicTree, q: Tensor, base: Tensor | None) -> tuple[KinematicTree, Tensor, Tensor | None]:
    """Promote tree, coordinates and base pose to one dtype, as torch promotes the operands of a product."""
    dtype = tree.dtype
    if q.dtype == dtype and (base is None or base.dtype == dtype):
        return tree, q, base
    dtype = torch.promote_types(q.dtype, dtype)
    if base is not None:
        dtype = torch.promote_types(dtype, base.dtype)
        base = base.to(dtype)
    return tree.in_dtype(dtype), q.to(dtype), base


def broadcast_batch(first: Sequence[int], second: Sequence[int], first_name: str, second_name: str) -> torch.Size:
    """The batch shape that two leading shapes broadcast to, or an error that names both."""
    try:
        return torch.broadcast_shapes(first, second)
    except RuntimeError:
        raise ShapeError(
            f"The leading axes of {first_name} {tuple(first)} and of {second_name} {tuple(second)} do not broadcast."
        ) from None


def full_precision(q: Tensor) -> AbstractContextManager[object]:
    """Autocast switched off: poses in half precision would be off by millimetres."""
    device = q.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        return torch.autocast(device, enabled=False)
    return nullcontext()
