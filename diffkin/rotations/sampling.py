"""Random rotations."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin.rotations.quaternion import quat_xyzw_to_matrix

__all__ = ["random_rotation"]


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
        seed: An integer, or a generator to draw from (on ``device``).
        dtype: Of the result.
        device: Of the result.

    Returns:
        (*shape, 3, 3).
    """
    generator = seed if isinstance(seed, torch.Generator) else torch.Generator(device).manual_seed(seed)
    leading = (shape,) if isinstance(shape, int) else tuple(shape)
    quat = torch.randn(*leading, 4, generator=generator, dtype=torch.float64, device=device)
    return quat_xyzw_to_matrix(quat).to(dtype)
