"""Interpolation between rotations: slerp and squad."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import matmul
from diffkin._checks import broadcast, check_floating, check_rotation
from diffkin.rotations.exponential import matrix_to_rotvec, rotvec_to_matrix

__all__ = ["slerp", "squad"]


def _advance(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    turn = matrix_to_rotvec(matmul(start.mT, end), check=False)
    return matmul(start, rotvec_to_matrix(t.unsqueeze(-1) * turn))


def _fraction(t: Tensor | float, like: Tensor) -> Tensor:
    fraction = t if isinstance(t, Tensor) else torch.as_tensor(t, dtype=like.dtype, device=like.device)
    check_floating(fraction, "t")
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
        t: (*batch,) fraction of the way; all leading axes broadcast.

    Returns:
        (*batch, 3, 3).

    Raises:
        ShapeError: The last axes are not (3, 3).
        RotationError: A matrix is no rotation; the message says how far off it is.
    """
    check_rotation(start, "start")
    check_rotation(end, "end")
    fraction = _fraction(t, start)
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
    keys = {"before": before, "start": start, "end": end, "after": after}
    for name, matrix in keys.items():
        check_rotation(matrix, name)
    fraction = _fraction(t, start)
    leading = {name: matrix.shape[:-2] for name, matrix in keys.items()}
    broadcast(**leading, t=fraction.shape)
    control = _control(before, start, end), _control(start, end, after)
    straight = _advance(start, end, fraction)
    bent = _advance(control[0], control[1], fraction)
    return _advance(straight, bent, 2.0 * fraction * (1.0 - fraction))


def _control(before: Tensor, key: Tensor, after: Tensor) -> Tensor:
    turn = matrix_to_rotvec(matmul(key.mT, after), check=False) + matrix_to_rotvec(matmul(key.mT, before), check=False)
    return matmul(key, rotvec_to_matrix(-0.25 * turn))
