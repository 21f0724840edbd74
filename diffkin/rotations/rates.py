"""Rates of quaternions, Rodrigues vectors and modified Rodrigues vectors, and angular velocity in body axes.

Each map is a matrix times the other side. ``omega_body`` is that of ``dR/dt = R hat(omega_body)``. For rotation vectors
the pair is ``right_jacobian_inverse`` and ``right_jacobian``, for Euler angles ``euler_rate_matrix`` and
``body_rate_matrix``. Source: Schaub and Junkins, "Analytical Mechanics of Space Systems", chapter 3.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import check_nonzero, dot, rescale
from diffkin._checks import take
from diffkin.rotations.skew import hat

__all__ = [
    "gibbs_body_rate_matrix",
    "gibbs_rate_matrix",
    "mrp_body_rate_matrix",
    "mrp_rate_matrix",
    "quat_xyzw_body_rate_matrix",
    "quat_xyzw_rate_matrix",
]


def _diagonal(factor: Tensor) -> Tensor:
    """``factor I`` of (*batch, 1)."""
    return factor.unsqueeze(-1) * torch.eye(3, dtype=factor.dtype, device=factor.device)


def _outer(vector: Tensor) -> Tensor:
    return vector.unsqueeze(-1) * vector.unsqueeze(-2)


def quat_xyzw_rate_matrix(quat_xyzw: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4 3"]:
    """Matrix from angular velocity to the quaternion's rate, ``dq/dt = M omega_body = q (omega_body, 0) / 2``.

    Smooth everywhere. The length of q does not change.

    Args:
        quat_xyzw: (*batch, 4).

    Returns:
        (*batch, 4, 3).

    Raises:
        ShapeError: The last axis is not 4.
    """
    quat_xyzw = take(quat_xyzw, (4,), "quat_xyzw")
    half = 0.5 * quat_xyzw
    vector = half[..., :3]
    return torch.cat([_diagonal(half[..., 3:]) + hat(vector), -vector.unsqueeze(-2)], -2)


def quat_xyzw_body_rate_matrix(quat_xyzw: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3 4"]:
    """Matrix from the quaternion's rate to angular velocity, ``omega_body = M dq/dt``.

    ``4 / |q|^2`` times the transpose of ``quat_xyzw_rate_matrix``; a rate along q itself gives none.

    Args:
        quat_xyzw: (*batch, 4), any non-zero length.

    Returns:
        (*batch, 3, 4).

    Raises:
        ShapeError: The last axis is not 4.
        RotationError: A quaternion is zero.
    """
    quat_xyzw = take(quat_xyzw, (4,), "quat_xyzw")
    check_nonzero(quat_xyzw, "quat_xyzw")
    scaled, scale = rescale(quat_xyzw)
    return quat_xyzw_rate_matrix(scaled).mT * (4.0 / dot(scaled, scaled)).unsqueeze(-1) / scale.unsqueeze(-1)


def mrp_rate_matrix(mrp: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Matrix from angular velocity to the rate of a modified Rodrigues vector, ``dm/dt = M omega_body``.

    ``((1 - |m|^2) I + 2 hat(m) + 2 m m^T) / 4``. Smooth everywhere, on the shadow set too.

    Args:
        mrp: (*batch, 3).

    Returns:
        (*batch, 3, 3).

    Raises:
        ShapeError: The last axis is not 3.
    """
    mrp = take(mrp, (3,), "mrp")
    half = 0.5 * mrp
    return _diagonal(0.25 - dot(half, half)) + hat(half) + 2.0 * _outer(half)


def mrp_body_rate_matrix(mrp: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Matrix from the rate of a modified Rodrigues vector to angular velocity, ``omega_body = M dm/dt``.

    ``16 / (1 + |m|^2)^2`` times the transpose of ``mrp_rate_matrix``. Smooth everywhere.

    Args:
        mrp: (*batch, 3).

    Returns:
        (*batch, 3, 3).

    Raises:
        ShapeError: The last axis is not 3.
    """
    mrp = take(mrp, (3,), "mrp")
    m, scale = rescale(mrp, small=False)
    square, one = dot(m, m), 1.0 / scale  # both over the scale, as 1 + |m|^2 over its square
    rate = _diagonal(one * one - square) + 2.0 * (_outer(m) - hat(one * m))
    return rate * ((2.0 / (one * one + square)) ** 2 * one * one).unsqueeze(-1)


def gibbs_rate_matrix(gibbs: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Matrix from angular velocity to the rate of a Rodrigues (Gibbs) vector, ``dg/dt = M omega_body``.

    ``(I + hat(g) + g g^T) / 2``. Smooth everywhere.

    Args:
        gibbs: (*batch, 3).

    Returns:
        (*batch, 3, 3).

    Raises:
        ShapeError: The last axis is not 3.
    """
    gibbs = take(gibbs, (3,), "gibbs")
    return 0.5 * (_diagonal(torch.ones_like(gibbs[..., :1])) + hat(gibbs) + _outer(gibbs))


def gibbs_body_rate_matrix(gibbs: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Matrix from the rate of a Rodrigues (Gibbs) vector to angular velocity, ``omega_body = M dg/dt``.

    ``2 (I - hat(g)) / (1 + |g|^2)``. Smooth everywhere.

    Args:
        gibbs: (*batch, 3).

    Returns:
        (*batch, 3, 3).

    Raises:
        ShapeError: The last axis is not 3.
    """
    gibbs = take(gibbs, (3,), "gibbs")
    g, scale = rescale(gibbs, small=False)
    one = 1.0 / scale
    factor = 2.0 / (one * one + dot(g, g)) * one
    return _diagonal(factor * one) - hat(factor * g)
