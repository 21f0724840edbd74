"""Vectors as skew-symmetric matrices, and the adjoint of a rotation."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._checks import take, take_rotation

__all__ = ["adjoint", "hat", "vee"]


def hat(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The matrix of the cross product: ``hat(a) @ b = a x b``.

    Args:
        vector: (*batch, 3).

    Returns:
        (*batch, 3, 3) skew-symmetric matrices.

    Raises:
        ShapeError: The last axis is not 3.
    """
    vector = take(vector, (3,), "vector")
    x, y, z = vector.unbind(-1)
    o = torch.zeros_like(x)
    return torch.stack([o, -z, y, z, o, -x, -y, x, o], -1).unflatten(-1, (3, 3))


def vee(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """The vector of a skew-symmetric matrix, ``vee(hat(a)) = a``; of any other matrix, of its skew part.

    Args:
        matrix: (*batch, 3, 3).

    Returns:
        (*batch, 3) ``(m21 - m12, m02 - m20, m10 - m01) / 2``.

    Raises:
        ShapeError: The last axes are not (3, 3).
    """
    matrix = take(matrix, (3, 3), "matrix")
    _, m01, m02, m10, _, m12, m20, m21, _ = matrix.flatten(-2).unbind(-1)
    return 0.5 * torch.stack([m21 - m12, m02 - m20, m10 - m01], -1)


def adjoint(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The adjoint of a rotation, the matrix Ad with ``R hat(a) R^T = hat(Ad a)``: R itself.

    Args:
        matrix: (*batch, 3, 3) rotations.

    Returns:
        (*batch, 3, 3).

    Raises:
        ShapeError: The last axes are not (3, 3).
        RotationError: The matrix is no rotation.
    """
    matrix = take_rotation(matrix, "matrix")
    return matrix
