"""Quaternions, scalar last (xyzw): their algebra, and to and from matrices, scalar first (wxyz) too.

Every function takes any non-zero quaternion and, where a rotation is meant, means the unit one along it; ``q`` and
``-q`` are the same rotation. Functions that convert *to* a quaternion return the unit twin with ``w >= 0``.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import check_nonzero, dot, promote, quaternion_row, rescale
from diffkin._checks import broadcast, check_devices, take, take_rotation

__all__ = [
    "matrix_to_quat_wxyz",
    "matrix_to_quat_xyzw",
    "quat_wxyz_to_matrix",
    "quat_wxyz_to_xyzw",
    "quat_xyzw_conjugate",
    "quat_xyzw_inverse",
    "quat_xyzw_multiply",
    "quat_xyzw_normalize",
    "quat_xyzw_rotate",
    "quat_xyzw_to_matrix",
    "quat_xyzw_to_wxyz",
]


def quat_xyzw_to_matrix(quat_xyzw: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrix of a quaternion of any non-zero length.

    ``R = I + (2 / |q|^2) (w hat(u) + u u^T - |u|^2 I)`` with ``u = (x, y, z)`` (Shuster, "A Survey of Attitude
    Representations", 1993).

    Args:
        quat_xyzw: (*batch, 4).

    Returns:
        (*batch, 3, 3).

    Raises:
        ShapeError: The last axis is not 4.
        RotationError: A quaternion is zero.
    """
    quat_xyzw = take(quat_xyzw, (4,), "quat_xyzw")
    check_nonzero(quat_xyzw, "quat_xyzw")
    quat_xyzw, _ = rescale(quat_xyzw)
    scaled = quat_xyzw * (2.0 / dot(quat_xyzw, quat_xyzw))
    x, y, z, w = quat_xyzw.unbind(-1)
    x2, y2, z2, _ = scaled.unbind(-1)
    xx, yy, zz = x * x2, y * y2, z * z2
    xy, xz, yz = x * y2, x * z2, y * z2
    wx, wy, wz = w * x2, w * y2, w * z2
    entries = [1 - yy - zz, xy - wz, xz + wy, xy + wz, 1 - xx - zz, yz - wx, xz - wy, yz + wx, 1 - xx - yy]
    return torch.stack(entries, -1).unflatten(-1, (3, 3))


def matrix_to_quat_xyzw(matrix: Float[Tensor, "*batch 3 3"], *, check: bool = True) -> Float[Tensor, "*batch 4"]:
    """Unit quaternion of a rotation matrix, the twin with ``w >= 0``.

    The best conditioned row of the matrix ``4 q q^T``, which is linear in R, normalised (Shepperd, 1978; Sarabandi and
    Thomas, 2019), so the precision is the same at every angle. At the half turn (w = 0) the sign is a choice and
    jumps; derivatives there are those of the side chosen.

    Args:
        matrix: (*batch, 3, 3) rotations.
        check: Whether to check that they are rotations; ``False`` spares time in a loop.

    Returns:
        (*batch, 4).

    Raises:
        ShapeError: The last axes are not (3, 3).
        RotationError: The matrix is no rotation; the message says how far off it is.
    """
    matrix = take_rotation(matrix, "matrix", values=check)
    row = quaternion_row(matrix)
    return row / torch.sqrt(dot(row, row))


def quat_xyzw_to_wxyz(quat_xyzw: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """The same quaternion with the scalar first, as MuJoCo, Eigen's constructor and Drake write it.

    Args:
        quat_xyzw: (*batch, 4).

    Returns:
        (*batch, 4).

    Raises:
        ShapeError: The last axis is not 4.
    """
    return take(quat_xyzw, (4,), "quat_xyzw").roll(1, -1)


def quat_wxyz_to_xyzw(quat_wxyz: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """The same quaternion with the scalar last, as all other functions here take it.

    Args:
        quat_wxyz: (*batch, 4).

    Returns:
        (*batch, 4).

    Raises:
        ShapeError: The last axis is not 4.
    """
    return take(quat_wxyz, (4,), "quat_wxyz").roll(-1, -1)


def quat_wxyz_to_matrix(quat_wxyz: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrix of a quaternion with the scalar first; see ``quat_xyzw_to_matrix``.

    Args:
        quat_wxyz: (*batch, 4), any non-zero length.

    Returns:
        (*batch, 3, 3).

    Raises:
        ShapeError: The last axis is not 4.
        RotationError: A quaternion is zero.
    """
    return quat_xyzw_to_matrix(quat_wxyz_to_xyzw(quat_wxyz))


def matrix_to_quat_wxyz(matrix: Float[Tensor, "*batch 3 3"], *, check: bool = True) -> Float[Tensor, "*batch 4"]:
    """Unit quaternion of a rotation matrix with the scalar first, ``w >= 0``; see ``matrix_to_quat_xyzw``.

    Args:
        matrix: (*batch, 3, 3) rotations.
        check: Whether to check that they are rotations; ``False`` spares time in a loop.

    Returns:
        (*batch, 4).

    Raises:
        ShapeError: The last axes are not (3, 3).
        RotationError: The matrix is no rotation; the message says how far off it is.
    """
    return quat_xyzw_to_wxyz(matrix_to_quat_xyzw(matrix, check=check))


def quat_xyzw_normalize(quat_xyzw: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """The unit quaternion along ``quat_xyzw``, its sign kept.

    Args:
        quat_xyzw: (*batch, 4).

    Returns:
        (*batch, 4).

    Raises:
        ShapeError: The last axis is not 4.
        RotationError: A quaternion is zero.
    """
    quat_xyzw = take(quat_xyzw, (4,), "quat_xyzw")
    check_nonzero(quat_xyzw, "quat_xyzw")
    scaled, _ = rescale(quat_xyzw)
    return scaled / torch.sqrt(dot(scaled, scaled))


def quat_xyzw_conjugate(quat_xyzw: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """``(-x, -y, -z, w)``: the inverse rotation, of the same length.

    Args:
        quat_xyzw: (*batch, 4).

    Returns:
        (*batch, 4).

    Raises:
        ShapeError: The last axis is not 4.
    """
    quat_xyzw = take(quat_xyzw, (4,), "quat_xyzw")
    return torch.cat([-quat_xyzw[..., :3], quat_xyzw[..., 3:]], -1)


def quat_xyzw_inverse(quat_xyzw: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """The quaternion with ``q q^-1 = (0, 0, 0, 1)``: the conjugate over the squared length.

    Args:
        quat_xyzw: (*batch, 4).

    Returns:
        (*batch, 4).

    Raises:
        ShapeError: The last axis is not 4.
        RotationError: A quaternion is zero.
    """
    quat_xyzw = take(quat_xyzw, (4,), "quat_xyzw")
    conjugate = quat_xyzw_conjugate(quat_xyzw)
    check_nonzero(quat_xyzw, "quat_xyzw")
    scaled, scale = rescale(conjugate)
    return scaled / dot(scaled, scaled) / scale


def quat_xyzw_multiply(
    first: Float[Tensor, "*batch 4"], second: Float[Tensor, "*batch 4"]
) -> Float[Tensor, "*batch 4"]:
    """Hamilton's product: the matrix of the product is the product of the matrices. Lengths multiply, signs are kept.

    Args:
        first: (*batch, 4) quaternions, xyzw.
        second: (*batch, 4) quaternions, xyzw; leading axes broadcast.

    Returns:
        (*batch, 4).

    Raises:
        ShapeError: A last axis is not 4.
    """
    first = take(first, (4,), "first")
    second = take(second, (4,), "second")
    check_devices(first=first, second=second)
    broadcast(first=first.shape[:-1], second=second.shape[:-1])
    first, second = promote(first, second)
    a, b = torch.broadcast_tensors(first[..., :3], second[..., :3])
    v = first[..., 3:], second[..., 3:]
    return torch.cat([v[0] * b + v[1] * a + torch.linalg.cross(a, b), v[0] * v[1] - dot(a, b)], -1)


def quat_xyzw_rotate(
    quat_xyzw: Float[Tensor, "*batch 4"], vector: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 3"]:
    """Rotate a vector: ``v + 2 (w u x v + u x (u x v)) / |q|^2``.

    Args:
        quat_xyzw: (*batch, 4), any non-zero length.
        vector: (*batch, 3); leading axes broadcast.

    Returns:
        (*batch, 3).

    Raises:
        ShapeError: The last axes are not 4 and 3.
        RotationError: A quaternion is zero.
    """
    quat_xyzw = take(quat_xyzw, (4,), "quat_xyzw")
    vector = take(vector, (3,), "vector")
    check_nonzero(quat_xyzw, "quat_xyzw")
    check_devices(quat_xyzw=quat_xyzw, vector=vector)
    broadcast(quat_xyzw=quat_xyzw.shape[:-1], vector=vector.shape[:-1])
    quat_xyzw, vector = promote(rescale(quat_xyzw)[0], vector)
    u, v = torch.broadcast_tensors(quat_xyzw[..., :3], vector)
    turned = torch.linalg.cross(u, v) * (2.0 / dot(quat_xyzw, quat_xyzw))
    return vector + quat_xyzw[..., 3:] * turned + torch.linalg.cross(u, turned)
