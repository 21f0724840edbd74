"""Interpolation between rotations: slerp and squad."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import matmul
from diffkin._checks import as_tensor, broadcast, check_devices, check_floating, take_rotation
from diffkin.rotations.exponential import matrix_to_rotvec, rotvec_to_matrix

__all__ = ["slerp", "squad"]


def _advance(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    turn = matrix_to_rotvec(matmul(start.mT, end), check=False)
    return matmul(start, rotvec_to_matrix(t.unsqueeze(-1) * turn))


def _fraction(t: Any, *rotations: Tensor) -> Tensor:
    """``t`` as a tensor; one number alone takes the dtype and device of the rotations, as in torch."""
    fraction = as_tensor(t, "t")
    check_floating(fraction, "t")
    if fraction.ndim == 0:
        dtype = rotations[0].dtype
        for other in rotations[1:]:
            dtype = torch.promote_types(dtype, other.dtype)
        fraction = fraction.to(dtype=dtype, device=rotations[0].device)
    return fraction


def slerp(
    start: Float[Tensor, "*batch 3 3"], end: Float[Tensor, "*batch 3 3"], t: Float[Tensor, "*batch"] | float
) -> Float[Tensor, "*batch 3 3"]:
    """Turn from one attitude to another at constant rate, the short way: ``start exp(t log(start^T end))``.

    ``t`` outside [0, 1] goes on turning. Smooth in all three arguments but where the attitudes are half a turn apart:
    both ways are then equally short and one is taken (see ``matrix_to_rotvec``).

    Args:
        start: (*batch, 3, 3) rotations.
        end: (*batch, 3, 3) rotations.
        t: (*batch,) fraction of the way; all leading axes broadcast. One number alone does not widen the dtype.

    Returns:
        (*batch, 3, 3).

    Raises:
        ShapeError: The last axes are not (3, 3).
        RotationError: A matrix is no rotation; the message says how far off it is.
    """
    start = take_rotation(start, "start")
    end = take_rotation(end, "end")
    fraction = _fraction(t, start, end)
    check_devices(start=start, end=end, t=fraction)
    broadcast(start=start.shape[:-2], end=end.shape[:-2], t=fraction.shape)
    return _advance(start, end, fraction)


def squad(
    before: Float[Tensor, "*batch 3 3"],
    start: Float[Tensor, "*batch 3 3"],
    end: Float[Tensor, "*batch 3 3"],
    after: Float[Tensor, "*batch 3 3"],
    t: Float[Tensor, "*batch"] | float,
) -> Float[Tensor, "*batch 3 3"]:
    """Smooth interpolation through a sequence of attitudes: the segment from ``start`` to ``end``.

    Spherical quadrangle interpolation (Shoemake, "Quaternion calculus and fast animation", 1987):
    ``slerp(slerp(start, end, t), slerp(s, e, t), 2 t (1 - t))`` with the control attitude of a key R between its
    neighbours P and N ``R exp(-(log(R^T N) + log(R^T P)) / 4)``. The angular velocity is continuous from one segment to
    the next when keys are evenly spaced in time. At the first (last) segment repeat ``start`` (``end``).

    Args:
        before: (*batch, 3, 3) key before ``start``.
        start: (*batch, 3, 3) key at ``t = 0``.
        end: (*batch, 3, 3) key at ``t = 1``.
        after: (*batch, 3, 3) key after ``end``.
        t: (*batch,) fraction of the segment; all leading axes broadcast.

    Returns:
        (*batch, 3, 3).

    Raises:
        ShapeError: The last axes are not (3, 3).
        RotationError: A matrix is no rotation; the message says how far off it is.
    """
    before, start = take_rotation(before, "before"), take_rotation(start, "start")
    end, after = take_rotation(end, "end"), take_rotation(after, "after")
    fraction = _fraction(t, before, start, end, after)
    keys = {"before": before, "start": start, "end": end, "after": after}
    check_devices(**keys, t=fraction)
    leading = {name: matrix.shape[:-2] for name, matrix in keys.items()}
    broadcast(**leading, t=fraction.shape)
    control = _control(before, start, end), _control(start, end, after)
    straight = _advance(start, end, fraction)
    bent = _advance(control[0], control[1], fraction)
    return _advance(straight, bent, 2.0 * fraction * (1.0 - fraction))


def _control(before: Tensor, key: Tensor, after: Tensor) -> Tensor:
    turn = matrix_to_rotvec(matmul(key.mT, after), check=False) + matrix_to_rotvec(matmul(key.mT, before), check=False)
    return matmul(key, rotvec_to_matrix(-0.25 * turn))
