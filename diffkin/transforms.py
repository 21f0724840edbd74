"""Rigid transforms: poses ``T_a_b`` as (*batch, 4, 4) matrices with ``p_a = T_a_b p_b``.

Tangent vectors are (*batch, 6): translation first [m], then rotation [rad].
"""

from __future__ import annotations

from math import factorial

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import apply, blend_series, matmul
from diffkin._checks import as_tensor, broadcast, check_devices, check_pose, take
from diffkin.errors import ShapeError
from diffkin.rotations import jacobians
from diffkin.rotations.exponential import matrix_to_rotvec, rotvec_to_matrix
from diffkin.rotations.skew import hat

__all__ = [
    "adjoint",
    "compose",
    "exp",
    "inverse",
    "left_jacobian",
    "left_jacobian_inverse",
    "log",
    "pose",
    "right_jacobian",
    "right_jacobian_inverse",
    "transform_points",
    "transform_vectors",
]

# Powers of the squared angle t^2: (t - sin t)/t^3 twice, (t^2/2 + cos t - 1)/t^4, (2 t - 3 sin t + t cos t)/(2 t^5), 1.
_SERIES = [
    [
        (-1) ** k / factorial(2 * k + 3),
        (-1) ** k / factorial(2 * k + 3),
        (-1) ** k / factorial(2 * k + 4),
        (-1) ** k * (k + 1) / factorial(2 * k + 5),
        float(k == 0),
    ]
    for k in range(10)
]


def pose(
    rotation: Float[Tensor, "*batch 3 3"] | None = None, translation: Float[Tensor, "*batch 3"] | None = None
) -> Float[Tensor, "*batch 4 4"]:
    """The pose of a rotation and a translation.

    Args:
        rotation: (*batch, 3, 3); the identity when left out.
        translation: (*batch, 3) [m]; zero when left out. Leading axes broadcast.

    Returns:
        (*batch, 4, 4).

    Raises:
        ShapeError: The last axes are wrong, or both arguments were left out.
    """
    if rotation is None and translation is None:
        raise ShapeError("pose(...) needs a rotation (*batch, 3, 3), a translation (*batch, 3) or both; got neither.")
    like = as_tensor(translation, "translation") if rotation is None else as_tensor(rotation, "rotation")
    if rotation is None:
        rotation = torch.eye(3, dtype=like.dtype, device=like.device)
    if translation is None:
        translation = torch.zeros(3, dtype=like.dtype, device=like.device)
    rotation, translation = take(rotation, (3, 3), "rotation"), take(translation, (3,), "translation")
    check_devices(rotation=rotation, translation=translation)
    batch = broadcast(rotation=rotation.shape[:-2], translation=translation.shape[:-1])
    return _assemble(rotation.expand(*batch, 3, 3), translation.expand(*batch, 3))


def _assemble(rotation: Tensor, translation: Tensor) -> Tensor:
    top = torch.cat([rotation, translation.unsqueeze(-1)], -1)
    last = torch.zeros_like(top[..., :1, :])
    last = torch.cat([last[..., :3], last[..., 3:] + 1.0], -1)
    return torch.cat([top, last], -2)


def compose(*poses: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """The product of poses from left to right: ``compose(T_a_b, T_b_c) = T_a_c``.

    Args:
        poses: One or more (*batch, 4, 4); leading axes broadcast.

    Returns:
        (*batch, 4, 4).

    Raises:
        ShapeError: The last axes are not (4, 4), or there is no pose.
    """
    if not poses:
        raise ShapeError("compose(...) needs at least one pose (*batch, 4, 4), got none.")
    poses = tuple(take(one, (4, 4), f"pose {number}") for number, one in enumerate(poses))
    check_devices(**{f"pose {number}": one for number, one in enumerate(poses)})
    broadcast(**{f"pose {number}": one.shape[:-2] for number, one in enumerate(poses)})
    result = poses[0]
    for one in poses[1:]:
        result = matmul(result, one)
    return result


def inverse(transform: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """The inverse pose ``T_b_a`` of ``T_a_b``: ``(R^T, -R^T p)``.

    Args:
        transform: (*batch, 4, 4).

    Returns:
        (*batch, 4, 4).

    Raises:
        ShapeError: The last axes are not (4, 4).
    """
    transform = take(transform, (4, 4), "transform")
    rotation = transform[..., :3, :3].mT
    return _assemble(rotation, -apply(rotation, transform[..., :3, 3]))


def exp(tangent: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 4 4"]:
    """The exponential of SE(3): ``(R, p) = (exp(w), J_left(w) v)`` of the tangent ``(v, w)``. Smooth everywhere.

    Barfoot, "State Estimation for Robotics", 2nd ed., section 8.1.3.

    Args:
        tangent: (*batch, 6): translation [m], rotation [rad].

    Returns:
        (*batch, 4, 4).

    Raises:
        ShapeError: The last axis is not 6.
    """
    tangent = take(tangent, (6,), "tangent")
    along, turn = tangent[..., :3], tangent[..., 3:]
    return _assemble(rotvec_to_matrix(turn), apply(jacobians.left_jacobian(turn), along))


def log(transform: Float[Tensor, "*batch 4 4"], *, check: bool = True) -> Float[Tensor, "*batch 6"]:
    """The logarithm of SE(3): the tangent whose ``exp`` is the pose, its angle in [0, pi].

    Smooth below the half turn, where the sign of the rotation is a choice (see ``rotations.matrix_to_rotvec``).

    Args:
        transform: (*batch, 4, 4).
        check: Whether to check that it is a pose; ``False`` spares time in a loop.

    Returns:
        (*batch, 6): translation [m], rotation [rad].

    Raises:
        ShapeError: The last axes are not (4, 4).
        RotationError: The rotation part is no rotation, or the last row is not (0, 0, 0, 1).
    """
    transform = take(transform, (4, 4), "transform")
    if check:
        check_pose(transform, "transform")
    turn = matrix_to_rotvec(transform[..., :3, :3], check=False)
    return torch.cat([apply(jacobians.left_jacobian_inverse(turn), transform[..., :3, 3]), turn], -1)


def adjoint(transform: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 6 6"]:
    """The adjoint of a pose, ``T exp(xi) T^-1 = exp(Ad xi)``: ``[[R, hat(p) R], [0, R]]``.

    It carries twists (linear, angular) and tangents (translation, rotation) from b's axes and origin to a's.

    Args:
        transform: (*batch, 4, 4) pose ``T_a_b``.

    Returns:
        (*batch, 6, 6).

    Raises:
        ShapeError: The last axes are not (4, 4).
    """
    transform = take(transform, (4, 4), "transform")
    rotation = transform[..., :3, :3]
    return _block_triangular(rotation, matmul(hat(transform[..., :3, 3]), rotation))


def transform_points(
    transform: Float[Tensor, "*batch 4 4"], points: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 3"]:
    """Carry points from b to a: ``p_a = R p_b + t``.

    Args:
        transform: (*batch, 4, 4) pose ``T_a_b``.
        points: (*batch, 3) [m]; leading axes broadcast. For n points per pose give the pose as (*batch, 1, 4, 4).

    Returns:
        (*batch, 3) [m].

    Raises:
        ShapeError: The last axes are wrong.
    """
    transform = take(transform, (4, 4), "transform")
    points = take(points, (3,), "points")
    check_devices(transform=transform, points=points)
    broadcast(transform=transform.shape[:-2], points=points.shape[:-1])
    return apply(transform[..., :3, :3], points) + transform[..., :3, 3]


def transform_vectors(
    transform: Float[Tensor, "*batch 4 4"], vectors: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 3"]:
    """Carry directions from b to a: ``v_a = R v_b``; the translation plays no part.

    Args:
        transform: (*batch, 4, 4) pose ``T_a_b``.
        vectors: (*batch, 3); leading axes broadcast.

    Returns:
        (*batch, 3).

    Raises:
        ShapeError: The last axes are wrong.
    """
    transform = take(transform, (4, 4), "transform")
    vectors = take(vectors, (3,), "vectors")
    check_devices(transform=transform, vectors=vectors)
    broadcast(transform=transform.shape[:-2], vectors=vectors.shape[:-1])
    return apply(transform[..., :3, :3], vectors)


def _closed(angle: Tensor) -> Tensor:
    """The same functions times t^2, t^3, t^2 and t^3, so that none overflows at large angles, and 1/t to make up for it."""
    sine, cosine = torch.sin(angle) / angle, torch.cos(angle) / angle
    first = 1.0 - sine
    second = 0.5 + (cosine - 1.0 / angle) / angle
    third = (1.0 - 1.5 * sine + 0.5 * torch.cos(angle)) / angle
    return torch.cat([first / angle, first, second, third, 1.0 / angle], -1)


def _coupling(tangent: Tensor) -> Tensor:
    """The upper right block Q of the left Jacobian, translation against rotation."""
    along, turn = tangent[..., :3], tangent[..., 3:]
    one, both, two, three, shorter = blend_series(turn, _closed, _SERIES, 1.0).unsqueeze(-1).split(1, -2)
    p, w = hat(along), hat(turn) * shorter
    wp, pw = matmul(w, p), matmul(p, w)
    wpw = matmul(w, pw)
    ends = matmul(w, wp) + matmul(pw, w) - 3.0 * wpw
    return 0.5 * p + one * (wp + pw) + both * wpw + two * ends + three * (matmul(wpw, w) + matmul(w, wpw))


def _block_triangular(diagonal: Tensor, corner: Tensor) -> Tensor:
    top = torch.cat([diagonal, corner], -1)
    return torch.cat([top, torch.cat([torch.zeros_like(diagonal), diagonal], -1)], -2)


def left_jacobian(tangent: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 6 6"]:
    """Left Jacobian of the exponential: ``exp(xi + d) = exp(J d) exp(xi)`` to first order in d. Smooth everywhere.

    ``[[J, Q], [0, J]]`` with J that of the rotation (Barfoot, "State Estimation for Robotics", 2nd ed., section 8.1.5).

    Args:
        tangent: (*batch, 6): translation [m], rotation [rad].

    Returns:
        (*batch, 6, 6).

    Raises:
        ShapeError: The last axis is not 6.
    """
    tangent = take(tangent, (6,), "tangent")
    return _block_triangular(jacobians.left_jacobian(tangent[..., 3:]), _coupling(tangent))


def left_jacobian_inverse(tangent: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 6 6"]:
    """Inverse of the left Jacobian: ``[[J^-1, -J^-1 Q J^-1], [0, J^-1]]``. Smooth for angles below 2 pi.

    Args:
        tangent: (*batch, 6): translation [m], rotation [rad].

    Returns:
        (*batch, 6, 6).

    Raises:
        ShapeError: The last axis is not 6.
    """
    tangent = take(tangent, (6,), "tangent")
    inner = jacobians.left_jacobian_inverse(tangent[..., 3:])
    return _block_triangular(inner, -matmul(matmul(inner, _coupling(tangent)), inner))


def right_jacobian(tangent: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 6 6"]:
    """Right Jacobian of the exponential: ``exp(xi + d) = exp(xi) exp(J d)`` to first order in d; ``J_left(-xi)``.

    Args:
        tangent: (*batch, 6): translation [m], rotation [rad].

    Returns:
        (*batch, 6, 6).

    Raises:
        ShapeError: The last axis is not 6.
    """
    return left_jacobian(-take(tangent, (6,), "tangent"))


def right_jacobian_inverse(tangent: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 6 6"]:
    """Inverse of the right Jacobian; see ``left_jacobian_inverse``.

    Args:
        tangent: (*batch, 6): translation [m], rotation [rad].

    Returns:
        (*batch, 6, 6).

    Raises:
        ShapeError: The last axis is not 6.
    """
    return left_jacobian_inverse(-take(tangent, (6,), "tangent"))
