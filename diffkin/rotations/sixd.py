"""The continuous 6D representation: the first two columns of a rotation matrix, for networks."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import check_nonzero, dot, rescale, unit
from diffkin._checks import has_values, take, take_rotation
from diffkin.errors import RotationError

__all__ = ["matrix_to_rot6d", "rot6d_to_matrix"]


def rot6d_to_matrix(rot6d: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrix of two vectors: Gram-Schmidt makes them the first two columns.

    Zhou et al., "On the Continuity of Rotation Representations in Neural Networks", 2019. Smooth while the vectors are
    not parallel. Where they are and values cannot be checked, columns of zeros come back, with no NaN.

    Args:
        rot6d: (*batch, 6): first column, then second column, of any length and any angle but 0 and pi between them.

    Returns:
        (*batch, 3, 3).

    Raises:
        ShapeError: The last axis is not 6.
        RotationError: A vector is zero or the two are parallel.
    """
    rot6d = take(rot6d, (6,), "rot6d")
    a, b = rot6d[..., :3], rot6d[..., 3:]
    if has_values(rot6d):
        check_nonzero(a, "The first vector of rot6d")
        check_nonzero(b, "The second vector of rot6d")
    a, b = rescale(a)[0], rescale(b)[0]
    normal = torch.linalg.cross(a, b)
    if has_values(rot6d):
        sine_squared = dot(normal, normal).detach() / (dot(a, a) * dot(b, b)).detach()
        if not bool((sine_squared > (4.0 * torch.finfo(rot6d.dtype).eps) ** 2).all()):
            raise RotationError("rot6d holds two parallel vectors, which span no plane; give two that do.")
    x, z = unit(a), unit(normal)
    return torch.stack([x, torch.linalg.cross(z, x), z], -1)


def matrix_to_rot6d(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 6"]:
    """The first two columns of a rotation matrix, one after the other. Smooth everywhere.

    Args:
        matrix: (*batch, 3, 3) rotations.

    Returns:
        (*batch, 6).

    Raises:
        ShapeError: The last axes are not (3, 3).
        RotationError: The matrix is no rotation; the message says how far off it is.
    """
    matrix = take_rotation(matrix, "matrix")
    return matrix[..., :2].mT.flatten(-2)
