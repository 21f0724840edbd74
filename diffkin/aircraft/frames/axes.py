"""Axes of aircraft and of simulators, and directions in them.

Local axes are NED (north, east, down) or ENU (east, north, up); body axes are FRD (forward, right, down) or FLU
(forward, left, up). Aircraft work speaks NED and FRD, robots and PyBullet speak ENU and FLU.
"""

from __future__ import annotations

import torch
from torch import Tensor

from diffkin._algebra import check_nonzero, safe_norm
from diffkin._checks import check_broadcast, check_finite, check_floating, check_last, check_pose, check_rotation
from diffkin.aircraft._inputs import check_same_device

__all__ = [
    "attitude_enu_flu_to_ned_frd",
    "attitude_enu_to_ned",
    "attitude_flu_to_frd",
    "attitude_frd_to_flu",
    "attitude_ned_frd_to_enu_flu",
    "attitude_ned_to_enu",
    "azimuth_elevation_to_direction",
    "broadcast_numbers",
    "direction_to_azimuth_elevation",
    "enu_to_ned",
    "flu_to_frd",
    "frd_to_flu",
    "ned_to_enu",
    "pose_enu_flu_to_ned_frd",
    "pose_ned_frd_to_enu_flu",
    "safe_atan2",
]


# -- vectors --------------------------------------------------------------------------------------------------------


def ned_to_enu(vector: Tensor) -> Tensor:
    """A vector in NED axes, given in ENU axes: ``(n, e, d) -> (e, n, -d)``. Its own inverse.

    Args:
        vector: (*batch, 3) in NED axes.

    Returns:
        (*batch, 3) in ENU axes.

    Raises:
        diffkin.errors.ShapeError: The last axis is not 3.
    """
    check_last(vector, (3,), "vector")
    return _swap(vector)


def enu_to_ned(vector: Tensor) -> Tensor:
    """A vector in ENU axes, given in NED axes: ``(e, n, u) -> (n, e, -u)``. Arguments and errors as ``ned_to_enu``."""
    check_last(vector, (3,), "vector")
    return _swap(vector)


def frd_to_flu(vector: Tensor) -> Tensor:
    """A vector in FRD body axes, given in FLU body axes: ``(x, y, z) -> (x, -y, -z)``. Its own inverse.

    Args:
        vector: (*batch, 3) in FRD axes.

    Returns:
        (*batch, 3) in FLU axes.

    Raises:
        diffkin.errors.ShapeError: The last axis is not 3.
    """
    check_last(vector, (3,), "vector")
    return _roll_over(vector)


def flu_to_frd(vector: Tensor) -> Tensor:
    """A vector in FLU body axes, given in FRD body axes: ``(x, y, z) -> (x, -y, -z)``. As ``frd_to_flu``."""
    check_last(vector, (3,), "vector")
    return _roll_over(vector)


# -- attitudes ------------------------------------------------------------------------------------------------------


def attitude_ned_to_enu(R_ned_body: Tensor) -> Tensor:
    """An attitude against NED, given against ENU: ``R_enu_body = C_enu_ned @ R_ned_body``, a product on the left.

    Args:
        R_ned_body: (*batch, 3, 3) rotations; the body axes are whatever they are.

    Returns:
        (*batch, 3, 3). A rotation: C exchanges two axes and flips one, so its determinant is +1.

    Raises:
        diffkin.errors.ShapeError: The last axes are not (3, 3).
        diffkin.errors.RotationError: A matrix is no rotation; the message says how far off it is.
    """
    check_rotation(R_ned_body, "R_ned_body")
    return _swap(R_ned_body.mT).mT


def attitude_enu_to_ned(R_enu_body: Tensor) -> Tensor:
    """An attitude against ENU, given against NED: a product on the left, as ``attitude_ned_to_enu``."""
    check_rotation(R_enu_body, "R_enu_body")
    return _swap(R_enu_body.mT).mT


def attitude_frd_to_flu(R_local_frd: Tensor) -> Tensor:
    """An attitude of FRD body axes, given for FLU: ``R_local_flu = R_local_frd @ C_frd_flu``, a product on the right.

    Args:
        R_local_frd: (*batch, 3, 3) rotations; the local axes are whatever they are.

    Returns:
        (*batch, 3, 3).

    Raises:
        diffkin.errors.ShapeError: The last axes are not (3, 3).
        diffkin.errors.RotationError: A matrix is no rotation; the message says how far off it is.
    """
    check_rotation(R_local_frd, "R_local_frd")
    return _roll_over(R_local_frd)


def attitude_flu_to_frd(R_local_flu: Tensor) -> Tensor:
    """An attitude of FLU body axes, given for FRD: a product on the right, as ``attitude_frd_to_flu``."""
    check_rotation(R_local_flu, "R_local_flu")
    return _roll_over(R_local_flu)


def attitude_ned_frd_to_enu_flu(R_ned_frd: Tensor) -> Tensor:
    """An aircraft's attitude as robots and PyBullet have it: ``R_enu_flu = C_enu_ned @ R_ned_frd @ C_frd_flu``.

    Args:
        R_ned_frd: (*batch, 3, 3) rotations from FRD body axes to NED.

    Returns:
        (*batch, 3, 3) rotations from FLU body axes to ENU.

    Raises:
        diffkin.errors.ShapeError: The last axes are not (3, 3).
        diffkin.errors.RotationError: A matrix is no rotation; the message says how far off it is.
    """
    check_rotation(R_ned_frd, "R_ned_frd")
    return _swap(_roll_over(R_ned_frd).mT).mT


def attitude_enu_flu_to_ned_frd(R_enu_flu: Tensor) -> Tensor:
    """The inverse of ``attitude_ned_frd_to_enu_flu``, with the same arguments and errors."""
    check_rotation(R_enu_flu, "R_enu_flu")
    return _swap(_roll_over(R_enu_flu).mT).mT


def pose_ned_frd_to_enu_flu(T_ned_frd: Tensor) -> Tensor:
    """An aircraft's pose as robots and PyBullet have it: its attitude and its position.

    Args:
        T_ned_frd: (*batch, 4, 4) poses of FRD body axes in NED.

    Returns:
        (*batch, 4, 4) poses of FLU body axes in ENU.

    Raises:
        diffkin.errors.ShapeError: The last axes are not (4, 4).
        diffkin.errors.RotationError: It is no pose; the message says why.
    """
    check_pose(T_ned_frd, "T_ned_frd")
    return _carry(T_ned_frd)


def pose_enu_flu_to_ned_frd(T_enu_flu: Tensor) -> Tensor:
    """The inverse of ``pose_ned_frd_to_enu_flu``, with the same arguments and errors."""
    check_pose(T_enu_flu, "T_enu_flu")
    return _carry(T_enu_flu)


# -- directions -----------------------------------------------------------------------------------------------------


def azimuth_elevation_to_direction(azimuth: Tensor, elevation: Tensor) -> Tensor:
    """The unit direction in NED axes of an azimuth (from north, clockwise seen from above) and an elevation (up).

    ``(cos el cos az, cos el sin az, -sin el)``. Smooth everywhere.

    Args:
        azimuth: (*batch,) [rad].
        elevation: (*batch,) [rad]; leading axes broadcast.

    Returns:
        (*batch, 3) in NED axes.

    Raises:
        diffkin.errors.DtypeError: A tensor is not floating point.
        diffkin.errors.ShapeError: The leading axes do not broadcast.
    """
    azimuth, elevation = broadcast_numbers(azimuth=azimuth, elevation=elevation)
    flat = torch.cos(elevation)
    return torch.stack((flat * torch.cos(azimuth), flat * torch.sin(azimuth), -torch.sin(elevation)), dim=-1)


def direction_to_azimuth_elevation(direction: Tensor) -> tuple[Tensor, Tensor]:
    """Azimuth and elevation of a direction in NED axes, the inverse of ``azimuth_elevation_to_direction``.

    Straight up and down there is no azimuth: 0 comes back, with zero derivatives of the azimuth; the elevation has a
    kink there, whose derivatives are given as those along the vertical.

    Args:
        direction: (*batch, 3) in NED axes, of any non-zero length.

    Returns:
        Azimuth in (-pi, pi] and elevation in [-pi/2, pi/2], (*batch,) each [rad].

    Raises:
        diffkin.errors.ShapeError: The last axis is not 3.
        diffkin.errors.NonFiniteError: It holds NaN or infinity.
        diffkin.errors.RotationError: A vector is zero.
    """
    check_last(direction, (3,), "direction")
    check_finite(direction, "direction")
    check_nonzero(direction, "direction")
    north, east, down = direction.unbind(-1)
    return safe_atan2(east, north), torch.atan2(-down, safe_norm(direction[..., :2]).squeeze(-1))


# -- shared ---------------------------------------------------------------------------------------------------------


def safe_atan2(y: Tensor, x: Tensor) -> Tensor:
    """``atan2(y, x)``, and 0 with zero derivatives where both are zero."""
    nowhere = (x == 0) & (y == 0)
    return torch.where(nowhere, 0.0, torch.atan2(y, torch.where(nowhere, 1.0, x)))


def broadcast_numbers(**numbers: Tensor) -> tuple[Tensor, ...]:
    """Tensors of numbers (*batch,), given by their names, checked and with their axes broadcast."""
    for name, tensor in numbers.items():
        check_floating(tensor, name)
    check_same_device(**numbers)
    check_broadcast(**{name: tensor.shape for name, tensor in numbers.items()})
    return tuple(torch.broadcast_tensors(*numbers.values()))


def _swap(vector: Tensor) -> Tensor:
    """``C_enu_ned v = C_ned_enu v`` over the last axis."""
    a, b, c = vector.unbind(-1)
    return torch.stack((b, a, -c), dim=-1)


def _roll_over(vector: Tensor) -> Tensor:
    """``C_flu_frd v = C_frd_flu v`` over the last axis; of a matrix, its product with C on the right."""
    a, b, c = vector.unbind(-1)
    return torch.stack((a, -b, -c), dim=-1)


def _carry(pose: Tensor) -> Tensor:
    """A pose with both its local and its body axes exchanged; its own inverse."""
    rotation = _swap(_roll_over(pose[..., :3, :3]).mT).mT
    top = torch.cat((rotation, _swap(pose[..., :3, 3]).unsqueeze(-1)), dim=-1)
    return torch.cat((top, pose[..., 3:, :]), dim=-2)
