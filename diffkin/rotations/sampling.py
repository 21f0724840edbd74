"""Random rotations, as matrices and as quaternions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._checks import as_device, check_dtype
from diffkin._given import generator_of, whole
from diffkin.rotations.quaternion import quat_xyzw_normalize, quat_xyzw_to_matrix

__all__ = ["random_quat_xyzw", "random_rotation"]


def _gaussian(shape: int | Sequence[int], seed: int | torch.Generator, dtype: torch.dtype, device: Any) -> Tensor:
    """Gaussian quaternions (*shape, 4), float64 on ``device``, drawn on the device of the generator."""
    check_dtype(dtype)
    device = as_device(device)
    leading = [shape] if isinstance(shape, (int, np.integer)) or not isinstance(shape, Iterable) else list(shape)
    counts = [whole(count, "Each axis of shape", 0, 2**31 - 1) for count in leading]
    generator = generator_of(seed, device=device)
    drawn = torch.randn(*counts, 4, generator=generator, dtype=torch.float64, device=generator.device)
    return drawn.to(device)


def random_quat_xyzw(
    shape: int | Sequence[int] = (),
    seed: int | torch.Generator = 0,
    *,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> Float[Tensor, "*shape 4"]:
    """Unit quaternions drawn uniformly, the twins with ``w >= 0``: those of ``random_rotation`` for the same seed.

    Args:
        shape: Leading axes of the result.
        seed: An integer, or a generator to draw from.
        dtype: Of the result.
        device: Of the result.

    Returns:
        (*shape, 4).

    Raises:
        OptionError: The shape or the seed is no whole number.
        DtypeError: The dtype is no floating-point dtype.
        DeviceError: There is no such device.
    """
    quat = quat_xyzw_normalize(_gaussian(shape, seed, dtype, device))
    return torch.where(quat[..., 3:] < 0, -quat, quat).to(dtype)


def random_rotation(
    shape: int | Sequence[int] = (),
    seed: int | torch.Generator = 0,
    *,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> Float[Tensor, "*shape 3 3"]:
    """Rotations drawn uniformly (Haar measure): normalised Gaussian quaternions (Shoemake, 1992).

    Args:
        shape: Leading axes of the result.
        seed: An integer, or a generator to draw from.
        dtype: Of the result.
        device: Of the result.

    Returns:
        (*shape, 3, 3).

    Raises:
        OptionError: The shape or the seed is no whole number.
        DtypeError: The dtype is no floating-point dtype.
        DeviceError: There is no such device.
    """
    return quat_xyzw_to_matrix(_gaussian(shape, seed, dtype, device)).to(dtype)
