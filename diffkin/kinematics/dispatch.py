"""The one place that decides between the fused CPU kernels and the torch formula."""

from __future__ import annotations

from torch import Tensor

from diffkin.errors import closest
from diffkin.kinematics.tree import KinematicTree

__all__ = ["BACKENDS", "forward", "kernel_applies"]

BACKENDS = ("reference",)


def kernel_applies(backend: str | None, tree: KinematicTree, *tensors: Tensor | None) -> bool:
    if backend is not None and backend not in BACKENDS:
        raise closest(backend, BACKENDS, "backend")
    return False


def forward(tree: KinematicTree, q: Tensor, links: tuple[int, ...], base: Tensor | None) -> Tensor:
    raise NotImplementedError
