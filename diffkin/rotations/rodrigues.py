"""Rodrigues (Gibbs) vectors, and modified Rodrigues parameters with their shadow set."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import dot, quaternion_row, rescale
from diffkin._checks import take, take_rotation
from diffkin.rotations.quaternion import matrix_to_quat_xyzw, quat_xyzw_to_matrix

__all__ = ["gibbs_to_matrix", "matrix_to_gibbs", "matrix_to_mrp", "mrp_shadow", "mrp_to_matrix"]


def gibbs_to_matrix(gibbs: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrix of a Rodrigues (Gibbs) vector, axis times ``tan(t/2)``. Smooth everywhere.

    The quaternion ``(g, 1)``, normalised (Schaub and Junkins, section 3.4).

    Args:
        gibbs: (*batch, 3).

    Returns:
        (*batch, 3, 3).

    Raises:
        ShapeError: The last axis is not 3.
    """
    gibbs = take(gibbs, (3,), "gibbs")
    return quat_xyzw_to_matrix(torch.cat([gibbs, torch.ones_like(gibbs[..., :1])], -1))


def matrix_to_gibbs(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Rodrigues (Gibbs) vector of a rotation matrix: axis times ``tan(t/2)``, ``u / w`` of its quaternion.

    Smooth below the half turn, where it goes to infinity: w is kept no smaller than the dtype's epsilon, so a large
    finite vector along the axis comes back, which ``gibbs_to_matrix`` turns into the same rotation to rounding.

    Args:
        matrix: (*batch, 3, 3) rotations.

    Returns:
        (*batch, 3).

    Raises:
        ShapeError: The last axes are not (3, 3).
        RotationError: The matrix is no rotation; the message says how far off it is.
    """
    quat = matrix_to_quat_xyzw(matrix)
    w = quat[..., 3:]
    eps = torch.finfo(w.dtype).eps
    return quat[..., :3] / torch.where(w < eps, eps, w)


def mrp_to_matrix(mrp: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrix of modified Rodrigues parameters, axis times ``tan(t/4)``. Smooth everywhere.

    The quaternion ``(2 m, 1 - |m|^2)``, normalised (Schaub and Junkins, section 3.5).

    Args:
        mrp: (*batch, 3), of either set.

    Returns:
        (*batch, 3, 3).

    Raises:
        ShapeError: The last axis is not 3.
    """
    mrp = take(mrp, (3,), "mrp")
    m, scale = rescale(mrp, small=False)
    one = 1.0 / scale  # the quaternion over the squared scale
    return quat_xyzw_to_matrix(torch.cat([2.0 * one * m, one * one - dot(m, m)], -1))


def matrix_to_mrp(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Modified Rodrigues parameters of a rotation matrix: axis times ``tan(t/4)``, of length at most 1.

    ``u / (1 + w)`` of the quaternion with ``w >= 0``. Smooth below the half turn; there (length 1) the vector and its
    shadow, its negative, are both right and one comes back, with the derivatives of its side.

    Args:
        matrix: (*batch, 3, 3) rotations.

    Returns:
        (*batch, 3).

    Raises:
        ShapeError: The last axes are not (3, 3).
        RotationError: The matrix is no rotation; the message says how far off it is.
    """
    matrix = take_rotation(matrix, "matrix")
    row = quaternion_row(matrix)
    return row[..., :3] / (torch.sqrt(dot(row, row)) + row[..., 3:])


def mrp_shadow(mrp: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """The other modified Rodrigues vector of the same rotation, ``-m / |m|^2``, the long way round.

    Switch to it when ``|m| > 1``. The zero vector's shadow lies at infinity; zero comes back, the same rotation.

    Args:
        mrp: (*batch, 3).

    Returns:
        (*batch, 3).

    Raises:
        ShapeError: The last axis is not 3.
    """
    mrp = take(mrp, (3,), "mrp")
    m, scale = rescale(mrp)
    square = dot(m, m)
    return -m / torch.where(square == 0, 1.0, square) / scale
