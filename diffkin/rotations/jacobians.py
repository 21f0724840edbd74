"""Jacobians of the exponential and their inverses (Barfoot, "State Estimation for Robotics", 2nd ed., section 8.1.5).

``exp(v + d) = exp(J_left d) exp(v) = exp(v) exp(J_right d)`` to first order in d, with exp ``rotvec_to_matrix``.
Hence ``omega_world = J_left dv/dt`` and ``omega_body = J_right dv/dt``.
"""

from __future__ import annotations

from math import factorial

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import blend_series, dot
from diffkin._checks import take
from diffkin.rotations.skew import hat

__all__ = ["left_jacobian", "left_jacobian_inverse", "right_jacobian", "right_jacobian_inverse"]

# Powers of the squared angle: (1 - cos t) / t^2, (t - sin t) / t^3, 1.
_SERIES = [[(-1) ** k / factorial(2 * k + 2), (-1) ** k / factorial(2 * k + 3), float(k == 0)] for k in range(8)]
# Powers of the squared angle of (1 - (t/2) cot(t/2)) / t^2: |B_2k| / (2k)!, B the Bernoulli numbers; and of 1.
_BERNOULLI = [1 / 6, 1 / 30, 1 / 42, 1 / 30, 5 / 66, 691 / 2730, 7 / 6, 3617 / 510]
_INVERSE_SERIES = [[number / factorial(2 * k + 2), float(k == 0)] for k, number in enumerate(_BERNOULLI)]


def _closed(angle: Tensor) -> Tensor:
    ratio = torch.sin(0.5 * angle) / angle
    return torch.cat([2.0 * ratio * ratio, (1.0 - torch.sin(angle) / angle) / angle, 1.0 / angle], -1)


def _inverse_closed(angle: Tensor) -> Tensor:
    half = 0.5 * angle
    return torch.cat([(1.0 - half * torch.cos(half) / torch.sin(half)) / angle, 1.0 / angle], -1)


def _assemble(first: Tensor, rotvec: Tensor, second: tuple[Tensor, Tensor]) -> Tensor:
    """``I + hat(first v) + second (v v^T - |v|^2 I)``; second comes in two factors, so that long v overflow nothing."""
    eye = torch.eye(3, dtype=rotvec.dtype, device=rotvec.device)
    left, right = second[0] * rotvec, second[1] * rotvec
    outer = left.unsqueeze(-1) * right.unsqueeze(-2)
    return outer + hat(first * rotvec) + (1.0 - dot(left, right)).unsqueeze(-1) * eye


def left_jacobian(rotvec: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Left Jacobian of the exponential: ``I + (1 - cos t)/t^2 hat(v) + (t - sin t)/t^3 hat(v)^2``. Smooth everywhere.

    Args:
        rotvec: (*batch, 3) [rad].

    Returns:
        (*batch, 3, 3).

    Raises:
        ShapeError: The last axis is not 3.
    """
    rotvec = take(rotvec, (3,), "rotvec")
    first, *second = blend_series(rotvec, _closed, _SERIES, 0.25).split(1, -1)
    return _assemble(first, rotvec, (second[0], second[1]))


def left_jacobian_inverse(rotvec: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Inverse of the left Jacobian: ``I - hat(v)/2 + (1 - (t/2) cot(t/2))/t^2 hat(v)^2``.

    Smooth for angles below 2 pi. At whole turns but zero the Jacobian has no inverse and huge entries come back.

    Args:
        rotvec: (*batch, 3) [rad].

    Returns:
        (*batch, 3, 3).

    Raises:
        ShapeError: The last axis is not 3.
    """
    rotvec = take(rotvec, (3,), "rotvec")
    second = blend_series(rotvec, _inverse_closed, _INVERSE_SERIES, 0.25).split(1, -1)
    return _assemble(torch.full_like(second[0], -0.5), rotvec, (second[0], second[1]))


def right_jacobian(rotvec: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Right Jacobian of the exponential, ``J_right(v) = J_left(-v)``: ``omega_body = J_right(v) dv/dt``.

    Args:
        rotvec: (*batch, 3) [rad].

    Returns:
        (*batch, 3, 3).

    Raises:
        ShapeError: The last axis is not 3.
    """
    return left_jacobian(rotvec).mT


def right_jacobian_inverse(rotvec: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Inverse of the right Jacobian: ``dv/dt = J_right(v)^-1 omega_body``; see ``left_jacobian_inverse``.

    Args:
        rotvec: (*batch, 3) [rad].

    Returns:
        (*batch, 3, 3).

    Raises:
        ShapeError: The last axis is not 3.
    """
    return left_jacobian_inverse(rotvec).mT
