"""Exponential and logarithm: rotation vectors to and from matrices and quaternions.

All series are in the squared angle, so value, first and second derivative are right at the zero rotation and near it.
"""

from __future__ import annotations

from math import factorial

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import blend_series, check_nonzero, dot, quaternion_row, rescale
from diffkin._checks import take, take_rotation
from diffkin.rotations.skew import hat

__all__ = ["matrix_to_rotvec", "quat_xyzw_to_rotvec", "rotvec_to_matrix", "rotvec_to_quat_xyzw"]

# Powers of the squared angle: sin(t)/t, sin(t/2)/t, cos(t/2).
_EXP_SERIES = [
    [
        (-1) ** k / factorial(2 * k + 1),
        (-1) ** k / (2 * 4**k * factorial(2 * k + 1)),
        (-1) ** k / (4**k * factorial(2 * k)),
    ]
    for k in range(6)
]
_MATRIX_SERIES = [row[:2] for row in _EXP_SERIES]
_QUAT_SERIES = [row[1:] for row in _EXP_SERIES]
# Powers of |m|^2 of 4 atan(|m|)/|m|, m the modified Rodrigues vector.
_LOG_SERIES = [[4 * (-1) ** k / (2 * k + 1)] for k in range(9)]


def _matrix_closed(angle: Tensor) -> Tensor:
    return torch.cat([torch.sin(angle), torch.sin(0.5 * angle)], -1) / angle


def _quat_closed(angle: Tensor) -> Tensor:
    half = 0.5 * angle
    return torch.cat([torch.sin(half) / angle, torch.cos(half)], -1)


def _log_closed(length: Tensor) -> Tensor:
    return 4.0 * torch.atan(length) / length


def _row_to_rotvec(row: Tensor) -> Tensor:
    """Rotation vector of a quaternion of any length with w >= 0, by ``v = 4 atan(|m|) m / |m|``, m = u / (|q| + w)."""
    mrp = row[..., :3] / (torch.sqrt(dot(row, row)) + row[..., 3:])
    return mrp * blend_series(mrp, _log_closed, _LOG_SERIES, 0.01)


def rotvec_to_matrix(rotvec: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The exponential: rotation matrix of a rotation vector (axis times angle).

    Rodrigues' formula ``R = I + a hat(v) + b (v v^T - |v|^2 I)`` with ``a = sin t / t``, ``b = 2 (sin(t/2) / t)^2``.
    Smooth everywhere; value, first and second derivatives are right at every angle, zero included.

    Args:
        rotvec: (*batch, 3) [rad].

    Returns:
        (*batch, 3, 3).

    Raises:
        ShapeError: The last axis is not 3.
    """
    rotvec = take(rotvec, (3,), "rotvec")
    factors = blend_series(rotvec, _matrix_closed, _MATRIX_SERIES, 0.0625)
    bent = rotvec * factors[..., 1:]
    outer = bent.unsqueeze(-1) * (bent + bent).unsqueeze(-2)
    cosine = 1.0 - 2.0 * dot(bent, bent)
    eye = torch.eye(3, dtype=rotvec.dtype, device=rotvec.device)
    return outer + hat(rotvec * factors[..., :1]) + cosine.unsqueeze(-1) * eye


def matrix_to_rotvec(matrix: Float[Tensor, "*batch 3 3"], *, check: bool = True) -> Float[Tensor, "*batch 3"]:
    """The logarithm: rotation vector of a rotation matrix, its angle in [0, pi].

    Through the best conditioned quaternion, so it is as precise near the half turn as near zero. Smooth below the half
    turn. At the half turn either sign is an answer; one comes back, with the (finite) derivatives of its side.

    Args:
        matrix: (*batch, 3, 3) rotations.
        check: Whether to check that they are rotations; ``False`` spares time in a loop.

    Returns:
        (*batch, 3) [rad].

    Raises:
        ShapeError: The last axes are not (3, 3).
        RotationError: The matrix is no rotation; the message says how far off it is.
    """
    matrix = take_rotation(matrix, "matrix", values=check)
    return _row_to_rotvec(quaternion_row(matrix))


def rotvec_to_quat_xyzw(rotvec: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 4"]:
    """Unit quaternion of a rotation vector, the twin with ``w >= 0``.

    ``(v sin(t/2) / t, cos(t/2))``; smooth but for the jump of sign where ``cos(t/2)`` is zero.

    Args:
        rotvec: (*batch, 3) [rad].

    Returns:
        (*batch, 4).

    Raises:
        ShapeError: The last axis is not 3.
    """
    rotvec = take(rotvec, (3,), "rotvec")
    factors = blend_series(rotvec, _quat_closed, _QUAT_SERIES, 0.0625)
    quat = torch.cat([rotvec * factors[..., :1], factors[..., 1:]], -1)
    return torch.where(factors[..., 1:] < 0, -quat, quat)


def quat_xyzw_to_rotvec(quat_xyzw: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3"]:
    """Rotation vector of a quaternion of any non-zero length, its angle in [0, pi].

    ``4 atan(|m|) m / |m|`` with the modified Rodrigues vector ``m = u / (|q| + w)`` of the twin with ``w >= 0``.
    At the half turn (w = 0) the sign jumps; derivatives there are those of the side chosen.

    Args:
        quat_xyzw: (*batch, 4).

    Returns:
        (*batch, 3) [rad].

    Raises:
        ShapeError: The last axis is not 4.
        RotationError: A quaternion is zero.
    """
    quat_xyzw = take(quat_xyzw, (4,), "quat_xyzw")
    check_nonzero(quat_xyzw, "quat_xyzw")
    scaled, _ = rescale(quat_xyzw)
    return _row_to_rotvec(torch.where(scaled[..., 3:] < 0, -scaled, scaled))
