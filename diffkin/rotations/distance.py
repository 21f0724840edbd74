"""Geodesic distance between rotations."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import matmul, safe_norm
from diffkin._checks import broadcast, check_devices, take_rotation
from diffkin.rotations.skew import vee

__all__ = ["angle_between"]


def angle_between(
    first: Float[Tensor, "*batch 3 3"], second: Float[Tensor, "*batch 3 3"], *, check: bool = True
) -> Float[Tensor, "*batch"]:
    """Angle of the rotation from one attitude to another, in [0, pi]: the geodesic distance on SO(3).

    ``atan2(sin, cos)`` with the sine from the skew part and the cosine from the trace of ``first^T second``: as precise
    near 0 and pi as between. The distance has a kink at 0 and at pi; there zero derivatives come back, and all
    derivatives are finite everywhere, the first ones at most 1 in norm.

    Args:
        first: (*batch, 3, 3) rotations.
        second: (*batch, 3, 3) rotations; leading axes broadcast.
        check: Whether to check that they are rotations; ``False`` spares time in a loop.

    Returns:
        (*batch,) [rad].

    Raises:
        ShapeError: The last axes are not (3, 3).
        RotationError: A matrix is no rotation; the message says how far off it is.
    """
    first = take_rotation(first, "first", values=check)
    second = take_rotation(second, "second", values=check)
    check_devices(first=first, second=second)
    broadcast(first=first.shape[:-2], second=second.shape[:-2])
    between = matmul(first.mT, second)
    cosine = 0.5 * (between.diagonal(dim1=-2, dim2=-1).sum(-1, keepdim=True) - 1.0)
    return torch.atan2(safe_norm(vee(between)), cosine).squeeze(-1)
