"""The kernels of kinematics: when one may answer for a tree, and how it is called.

This is the one place of the package that decides it, by ``kernel_applies``. Whatever no kernel serves, second derivatives
of a pose among it, takes the torch formula of ``batched.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from diffkin import autograd
from diffkin._algebra import matmul
from diffkin._checks import broadcast
from diffkin._gate import DTYPES, array, kernel, kernels_apply
from diffkin.errors import closest
from diffkin.kinematics import batched
from diffkin.kinematics.tree import KinematicTree

__all__ = ["BACKENDS", "forward", "jacobian", "kernel_applies", "mechanism"]

BACKENDS = ("reference",)


def kernel_applies(backend: str | None, tree: KinematicTree, *tensors: Tensor | None) -> bool:
    """Whether a kernel gives what the torch formula would give for these tensors.

    Args:
        backend: None, or "reference" to say no.
        tree: The mechanism.
        *tensors: Coordinates, base pose, point; None for one that is not given.

    Returns:
        True if kernels serve these tensors, see ``_gate.kernels_apply``, and the tree: it has coordinates, and no
        gradient flows to its geometry.

    Raises:
        diffkin.errors.UnknownNameError: Unknown backend.
    """
    if backend is not None:
        if backend not in BACKENDS:
            raise closest(backend, BACKENDS, "backend")
        return False
    if tree.dof == 0 or tree.has_gradient:
        return False
    first = tensors[0] if tensors else None
    if tree.watch.owns and first is not None and first.dtype == tree.dtype:
        return kernels_apply(first, *tensors[1:])  # the geometry lies in memory of its own
    return kernels_apply(tree.origins, *tensors)


def forward(tree: KinematicTree, q: Tensor, links: tuple[int, ...] | int, base: Tensor | None) -> Tensor:
    """Poses (*batch, len(links), 4, 4) by the kernel, or (*batch, 4, 4) of one; arguments as ``kinematics.forward``."""
    if base is not None and (base.ndim > 2 or (base.requires_grad and torch.is_grad_enabled())):
        shape = broadcast(q=q.shape[:-1], base=base.shape[:-2])
        axes = _axes(links)
        poses = matmul(base.unsqueeze(-3) if axes else base, forward(tree, q, links, None))
        return poses.expand(*shape, *axes, 4, 4)
    if q.requires_grad and torch.is_grad_enabled() and _moves(tree, links):
        poses = _Forward.apply(q, tree, links, base)
        return poses
    return torch.from_numpy(_poses(tree, q, links, base))


def jacobian(
    tree: KinematicTree,
    q: Tensor,
    link: int,
    point: Tensor | None,
    local: bool,
    base: Tensor | None,
    batch: torch.Size,
) -> Tensor:
    """Geometric Jacobian (*batch, 6, dof) by the kernel, without gradients; arguments as ``kinematics.jacobian``."""
    plan = _plan(tree, link)
    flat = q if q.shape[:-1] == batch else q.expand(*batch, tree.dof)
    at = None if point is None else array(point if point.ndim == 1 else point.expand(*batch, 3).reshape(-1, 3))
    placed = None if base is None else array(base if base.ndim == 2 else base.expand(*batch, 4, 4).reshape(-1, 4, 4))
    rows = kernel("tree.jacobian.jacobian")(plan, _rows(flat, tree.dof), at, local, placed)
    return torch.from_numpy(rows.reshape(*batch, 6, tree.dof))


class _Forward(torch.autograd.Function):
    """Poses by the kernel with a kernel for their gradient; second derivatives by the torch formula."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, tree: KinematicTree, links: tuple[int, ...] | int, base: Tensor | None) -> Tensor:
        ctx.save_for_backward(q, base)
        ctx.tree, ctx.links = tree, links
        return torch.from_numpy(_poses(tree, q, links, base))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, None, None, None]:
        q, base = ctx.saved_tensors
        tree, links, grad = ctx.tree, ctx.links, grads[0]
        many = torch._C._functorch.is_legacy_batchedtensor(grad)  # autograd.grad(..., is_grads_batched=True)
        if torch.is_grad_enabled() or many or not kernel_applies(None, tree, q, grad, base):
            keep = torch.is_grad_enabled()
            with autograd.recording():
                poses = batched.forward(tree, q, links, base)
                (pulled,) = torch.autograd.grad(poses, q, grad, create_graph=keep)
            return pulled, None, None, None
        placed = None if base is None else array(base)
        # of a sum, autograd gives one number expanded over the batch: not worth writing out
        if grad.numel() and not any(grad.stride()[: q.ndim - 1]):
            grad = grad[(0,) * (q.ndim - 1)]
        seeds = array(grad).reshape(-1, *(_axes(links) or (1,)), 4, 4)
        rows = kernel("tree.backward.backward")(_plan(tree, links), _rows(q, tree.dof), seeds, placed)
        return torch.from_numpy(rows.reshape(q.shape)), None, None, None


def _moves(tree: KinematicTree, links: tuple[int, ...] | int) -> bool:
    """Whether some of these links ride on a joint. Poses of the others are constants, which require no gradients."""
    chosen = (links,) if isinstance(links, int) else links
    return any(tree.link_joint[link] >= 0 for link in chosen)


def _poses(tree: KinematicTree, q: Tensor, links: tuple[int, ...] | int, base: Tensor | None) -> np.ndarray[Any, Any]:
    placed = None if base is None else array(base)
    poses = kernel("tree.forward.forward")(_plan(tree, links), _rows(q, tree.dof), placed)
    if q.ndim == 1 and isinstance(links, int):
        return poses[0, 0]
    return poses.reshape(*q.shape[:-1], *_axes(links), 4, 4)


def _axes(links: tuple[int, ...] | int) -> tuple[int, ...]:
    """The axis of several links; none for one that is named by itself."""
    return () if isinstance(links, int) else (len(links),)


def _rows(q: Tensor, dof: int) -> np.ndarray[Any, Any]:
    """Coordinates as (count, dof); reshaped in NumPy, since torch takes microseconds for it."""
    rows = np.ascontiguousarray((q.detach() if q.requires_grad else q).numpy())
    return rows if rows.ndim == 2 else rows.reshape(rows.size // dof, dof)


def _plan(tree: KinematicTree, links: tuple[int, ...] | int) -> Any:
    """The kernel's plan for these links, made once per tree."""
    plan = tree.cache.get(links)
    if plan is None:
        chosen = [links] if isinstance(links, int) else list(links)
        plan = tree.cache[links] = kernel("tree.plan.make_plan")(mechanism(tree), chosen, DTYPES[tree.dtype])
    return plan


def mechanism(tree: KinematicTree) -> Any:
    """The tree in the arrays that kernels take."""
    return kernel("tree.mechanism.Mechanism")(
        dof=tree.dof,
        parent=np.array(tree.parents, dtype=np.int64),
        kind=np.array(tree.kinds, dtype=np.int64),
        coordinate=np.array(tree.coordinate, dtype=np.int64),
        multiplier=np.array(tree.multiplier, dtype=np.float64),
        offset=np.array(tree.offset, dtype=np.float64),
        origin=tree.origins.detach().double().numpy(),
        axis=tree.axes.detach().double().numpy(),
        frame_joint=np.array(tree.link_joint, dtype=np.int64),
        frame_offset=tree.link_offsets.detach().double().numpy(),
    )
