"""Forward kinematics of a tree: one dtype for all that is given, then the kernel or the torch formula."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from diffkin._checks import as_tensor, check_devices, check_floating
from diffkin.errors import ShapeError
from diffkin.kinematics import batched, dispatch
from diffkin.kinematics.tree import KinematicTree

__all__ = ["check_dense", "checked", "forward", "forward_of_checked", "in_dtype_of"]


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
    return forward_of_checked(tree, *checked(tree, q, base), links, backend)


def forward_of_checked(
    tree: KinematicTree, q: Tensor, base: Tensor | None, links: Sequence[int] | int, backend: str | None
) -> Tensor:
    """As ``forward``, of coordinates and a base whose shapes are known to be right."""
    tree, q, base = in_dtype_of(tree, q, base)
    chosen = links if isinstance(links, int) else tuple(links)
    if dispatch.kernel_applies(backend, tree, q, base):
        return dispatch.forward(tree, q, chosen, base)
    check_dense(tree, q=q, base=base)
    return batched.forward(tree, q, chosen, base)


def check_dense(tree: KinematicTree, **tensors: Tensor | None) -> None:
    """Raise unless these are dense and beside the tree; what kernels take is."""
    for name, tensor in tensors.items():
        if tensor is not None:
            check_floating(tensor, name)
    check_devices(**tensors, tree=tree.origins)


def checked(tree: KinematicTree, q: Tensor, base: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Coordinates and base pose as tensors of the right shape.

    Raises:
        diffkin.errors.ShapeError: The last axes of ``q`` or ``base`` are wrong.
    """
    q = as_tensor(q, "q", tree.dtype, tree.device)
    base = None if base is None else as_tensor(base, "base", tree.dtype, tree.device)
    if q.ndim == 0 or q.shape[-1] != tree.dof:
        raise ShapeError(f"q must have shape (*batch, {tree.dof}), got {tuple(q.shape)}.")
    if base is not None and base.shape[-2:] != (4, 4):
        raise ShapeError(f"base must have shape (*batch, 4, 4), got {tuple(base.shape)}.")
    return q, base


def in_dtype_of(tree: KinematicTree, q: Tensor, base: Tensor | None) -> tuple[KinematicTree, Tensor, Tensor | None]:
    """Promote tree, coordinates and base pose to one dtype, as torch promotes the operands of a product.

    Raises:
        diffkin.errors.ChangedError: The tree was changed in place.
        diffkin.errors.DtypeError: A tensor is not floating point.
    """
    tree.check_unchanged()
    dtype = tree.dtype
    if q.dtype == dtype and (base is None or base.dtype == dtype):
        return tree, q, base
    check_floating(q, "q")
    dtype = torch.promote_types(q.dtype, dtype)
    if base is not None:
        check_floating(base, "base")
        dtype = torch.promote_types(dtype, base.dtype)
        base = base.to(dtype)
    return tree.in_dtype(dtype), q.to(dtype), base
