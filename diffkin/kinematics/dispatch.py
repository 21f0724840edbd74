"""The one place that decides between the fused CPU kernels and the torch formula.

Kernels serve float32 and float64 on the CPU, outside torch.func transforms, tracing, compilation and forward mode. For
gradients to the coordinates there is a kernel too; whatever else is asked for takes the torch formula.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad

from diffkin._checks import is_transformed
from diffkin.errors import closest
from diffkin.kinematics.tree import KinematicTree

__all__ = ["BACKENDS", "forward", "jacobian", "kernel_applies", "mechanism"]

BACKENDS = ("reference",)

_DTYPES: dict[torch.dtype, type[np.floating[Any]]] = {torch.float32: np.float32, torch.float64: np.float64}
_PLAIN = (Tensor, torch.nn.Parameter)


def kernel_applies(backend: str | None, tree: KinematicTree, *tensors: Tensor | None) -> bool:
    """Whether a kernel gives what the torch formula would give for these tensors.

    Args:
        backend: None, or "reference" to say no.
        tree: The mechanism.
        *tensors: Coordinates, base pose, point; None for one that is not given.

    Returns:
        True if all of them are plain CPU tensors of one dtype that has kernels, and nothing is traced or transformed.

    Raises:
        diffkin.errors.UnknownNameError: Unknown backend.
    """
    if backend is not None:
        if backend not in BACKENDS:
            raise closest(backend, BACKENDS, "backend")
        return False
    if torch.compiler.is_compiling() or is_transformed() or torch.jit.is_tracing():
        return False
    if tree.dof == 0 or tree.has_gradient or tree.steps is None or forward_ad._current_level >= 0:
        return False
    dtype = tree.dtype
    if not tree.origins.is_cpu or dtype not in _DTYPES:
        return False
    for tensor in tensors:  # a loop, for speed
        if tensor is not None and not (type(tensor) in _PLAIN and tensor.dtype == dtype and tensor.is_cpu):
            return False
    return True


def forward(tree: KinematicTree, q: Tensor, links: tuple[int, ...] | int, base: Tensor | None) -> Tensor:
    """Poses (*batch, len(links), 4, 4) by the kernel, or (*batch, 4, 4) of one; arguments as ``kinematics.forward``."""
    if base is not None and (base.ndim > 2 or (base.requires_grad and torch.is_grad_enabled())):
        shape = torch.broadcast_shapes(q.shape[:-1], base.shape[:-2])
        axes = _axes(links)
        poses = torch.matmul(base.unsqueeze(-3) if axes else base, forward(tree, q, links, None))
        return poses.expand(*shape, *axes, 4, 4)
    if q.requires_grad and torch.is_grad_enabled():
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
    at = None if point is None else _array(point if point.ndim == 1 else point.expand(*batch, 3).reshape(-1, 3))
    placed = None if base is None else _array(base if base.ndim == 2 else base.expand(*batch, 4, 4).reshape(-1, 4, 4))
    rows = _kernel("jacobian")(plan, _rows(flat, tree.dof), at, local, placed)
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
        batched = torch._C._functorch.is_legacy_batchedtensor(grad)  # autograd.grad(..., is_grads_batched=True)
        if torch.is_grad_enabled() or batched or not kernel_applies(None, tree, q, grad, base):
            from diffkin.kinematics.poses import forward as poses_of

            keep = torch.is_grad_enabled()
            with torch.enable_grad():
                poses = poses_of(tree, q, links, base, backend="reference")
                (pulled,) = torch.autograd.grad(poses, q, grad, create_graph=keep)
            return pulled, None, None, None
        placed = None if base is None else _array(base)
        # of a sum, autograd gives one number expanded over the batch: not worth writing out
        if grad.numel() and not any(grad.stride()[: q.ndim - 1]):
            grad = grad[(0,) * (q.ndim - 1)]
        seeds = _array(grad).reshape(-1, *(_axes(links) or (1,)), 4, 4)
        rows = _kernel("backward")(_plan(tree, links), _rows(q, tree.dof), seeds, placed)
        return torch.from_numpy(rows.reshape(q.shape)), None, None, None


def _poses(tree: KinematicTree, q: Tensor, links: tuple[int, ...] | int, base: Tensor | None) -> np.ndarray[Any, Any]:
    placed = None if base is None else _array(base)
    poses = _kernel("forward")(_plan(tree, links), _rows(q, tree.dof), placed)
    return poses.reshape(*q.shape[:-1], *_axes(links), 4, 4)


def _axes(links: tuple[int, ...] | int) -> tuple[int, ...]:
    """The axis of several links; none for one that is named by itself."""
    return () if isinstance(links, int) else (len(links),)


@cache
def _kernel(name: str) -> Any:
    """A kernel by name, imported at its first call and kept: asking for it again takes a microsecond."""
    return getattr(importlib.import_module(f"diffkin.kernels.tree.{name}"), name)


def _array(tensor: Tensor) -> np.ndarray[Any, Any]:
    return tensor.detach().contiguous().numpy()


def _rows(q: Tensor, dof: int) -> np.ndarray[Any, Any]:
    """Coordinates as (count, dof); reshaped in NumPy, since torch takes microseconds for it."""
    array = np.ascontiguousarray((q.detach() if q.requires_grad else q).numpy())
    return array if array.ndim == 2 else array.reshape(array.size // dof, dof)


def _plan(tree: KinematicTree, links: tuple[int, ...] | int) -> Any:
    """The kernel's plan for these links, made once per tree."""
    plan = tree.cache.get(links)
    if plan is None:
        from diffkin.kernels.tree.plan import make_plan

        plan = tree.cache[links] = make_plan(
            mechanism(tree), [links] if isinstance(links, int) else list(links), _DTYPES[tree.dtype]
        )
    return plan


def mechanism(tree: KinematicTree) -> Any:
    """The tree in the arrays that kernels take."""
    from diffkin.kernels.tree.mechanism import Mechanism

    return Mechanism(
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
