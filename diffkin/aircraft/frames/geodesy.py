"""Positions on the earth: geodetic coordinates, earth-centred axes (ECEF) and local NED or ENU axes, on WGS 84."""

from __future__ import annotations

import torch
from torch import Tensor

from diffkin._algebra import apply, safe_norm
from diffkin._checks import broadcast, check_finite, check_last
from diffkin.aircraft._inputs import check_same_device
from diffkin.aircraft.frames.axes import enu_to_ned, ned_to_enu, safe_atan2

__all__ = [
    "FLATTENING",
    "SEMI_MAJOR_AXIS",
    "ecef_to_enu",
    "ecef_to_geodetic",
    "ecef_to_ned",
    "ecef_to_ned_rotation",
    "enu_to_ecef",
    "geodetic_to_ecef",
    "geodetic_to_enu",
    "geodetic_to_ned",
    "enu_to_geodetic",
    "ned_to_ecef",
    "ned_to_geodetic",
]

SEMI_MAJOR_AXIS = 6378137.0
"""Equatorial radius of WGS 84 [m]."""

FLATTENING = 1.0 / 298.257223563
"""Flattening of WGS 84."""

_E2 = FLATTENING * (2.0 - FLATTENING)
_SEMI_MINOR_AXIS = SEMI_MAJOR_AXIS * (1.0 - FLATTENING)
_SECOND_E2 = _E2 / (1.0 - _E2)


def geodetic_to_ecef(geodetic: Tensor) -> Tensor:
    """Earth-centred coordinates of a geodetic position. Smooth everywhere.

    ``((N + h) cos lat cos lon, (N + h) cos lat sin lon, (N (1 - e^2) + h) sin lat)`` with the radius of curvature
    ``N = a / sqrt(1 - e^2 sin^2 lat)`` (NIMA TR8350.2, World Geodetic System 1984).

    Args:
        geodetic: (*batch, 3) latitude [rad], longitude [rad], height above the ellipsoid [m].

    Returns:
        (*batch, 3) ECEF coordinates [m].

    Raises:
        diffkin.errors.ShapeError: The last axis is not 3.
        diffkin.errors.NonFiniteError: It holds NaN or infinity.
    """
    _check(geodetic, "geodetic")
    latitude, longitude, height = geodetic.unbind(-1)
    sine, cosine = torch.sin(latitude), torch.cos(latitude)
    curvature = SEMI_MAJOR_AXIS / torch.sqrt(1.0 - _E2 * sine * sine)
    flat = (curvature + height) * cosine
    z = (curvature * (1.0 - _E2) + height) * sine
    return torch.stack((flat * torch.cos(longitude), flat * torch.sin(longitude), z), dim=-1)


def ecef_to_geodetic(ecef: Tensor) -> Tensor:
    """Geodetic position of earth-centred coordinates, the inverse of ``geodetic_to_ecef``.

    Bowring's iteration on the parametric latitude u, ``tan lat = (z + e'^2 b sin^3 u) / (p - e^2 a cos^3 u)`` (Bowring,
    The accuracy of geodetic latitude and height equations, Survey Review, 1985), four times: at heights above -10 km it
    is exact to rounding. On the axis of the earth the longitude is given as 0 with zero derivatives.

    Args:
        ecef: (*batch, 3) ECEF coordinates [m], more than 5000 km from the centre of the earth.

    Returns:
        (*batch, 3) latitude and longitude [rad], the latter above -pi and at most pi, height above the ellipsoid [m].

    Raises:
        diffkin.errors.ShapeError: The last axis is not 3.
        diffkin.errors.NonFiniteError: It holds NaN or infinity.
    """
    _check(ecef, "ecef")
    x, y, z = ecef.unbind(-1)
    flat = safe_norm(ecef[..., :2]).squeeze(-1)
    u = torch.atan2(z * SEMI_MAJOR_AXIS, flat * _SEMI_MINOR_AXIS)
    latitude = u
    for _ in range(4):
        up = z + _SECOND_E2 * _SEMI_MINOR_AXIS * torch.sin(u) ** 3
        out = flat - _E2 * SEMI_MAJOR_AXIS * torch.cos(u) ** 3
        latitude = torch.atan2(up, out)
        u = torch.atan2((1.0 - FLATTENING) * up, out)
    sine = torch.sin(latitude)
    height = flat * torch.cos(latitude) + z * sine - SEMI_MAJOR_AXIS * torch.sqrt(1.0 - _E2 * sine * sine)
    return torch.stack((latitude, safe_atan2(y, x), height), dim=-1)


def ecef_to_ned_rotation(origin: Tensor) -> Tensor:
    """Rotation from earth-centred axes to the NED axes at a place: rows north, east and down in ECEF.

    Args:
        origin: (*batch, 3) geodetic place: latitude [rad], longitude [rad], height [m] (without effect).

    Returns:
        (*batch, 3, 3) ``R_ned_ecef``.

    Raises:
        diffkin.errors.ShapeError: The last axis is not 3.
        diffkin.errors.NonFiniteError: It holds NaN or infinity.
    """
    _check(origin, "origin")
    latitude, longitude, _ = origin.unbind(-1)
    s, c = torch.sin(latitude), torch.cos(latitude)
    so, co = torch.sin(longitude), torch.cos(longitude)
    north = torch.stack((-s * co, -s * so, c), dim=-1)
    east = torch.stack((-so, co, torch.zeros_like(s)), dim=-1)
    down = torch.stack((-c * co, -c * so, -s), dim=-1)
    return torch.stack((north, east, down), dim=-2)


def ecef_to_ned(ecef: Tensor, origin: Tensor) -> Tensor:
    """Coordinates in the NED axes at a place: ``R_ned_ecef (p - p_origin)``.

    Args:
        ecef: (*batch, 3) ECEF coordinates [m].
        origin: (*batch, 3) geodetic place of the origin: latitude [rad], longitude [rad], height [m].

    Returns:
        (*batch, 3) NED coordinates [m].

    Raises:
        diffkin.errors.ShapeError: A last axis is not 3.
        diffkin.errors.NonFiniteError: A tensor holds NaN or infinity.
    """
    _check_pair(origin, ecef=ecef)
    return apply(ecef_to_ned_rotation(origin), ecef - geodetic_to_ecef(origin))


def ned_to_ecef(ned: Tensor, origin: Tensor) -> Tensor:
    """The inverse of ``ecef_to_ned``, with the same origin and errors."""
    _check_pair(origin, ned=ned)
    return geodetic_to_ecef(origin) + apply(ecef_to_ned_rotation(origin).mT, ned)


def ecef_to_enu(ecef: Tensor, origin: Tensor) -> Tensor:
    """Coordinates in the ENU axes at a place; arguments and errors as ``ecef_to_ned``."""
    return ned_to_enu(ecef_to_ned(ecef, origin))


def enu_to_ecef(enu: Tensor, origin: Tensor) -> Tensor:
    """The inverse of ``ecef_to_enu``, with the same origin and errors."""
    return ned_to_ecef(enu_to_ned(enu), origin)


def geodetic_to_ned(geodetic: Tensor, origin: Tensor) -> Tensor:
    """A geodetic position (*batch, 3) in the NED axes at the geodetic place ``origin`` [m]; as ``ecef_to_ned``."""
    return ecef_to_ned(geodetic_to_ecef(geodetic), origin)


def ned_to_geodetic(ned: Tensor, origin: Tensor) -> Tensor:
    """The inverse of ``geodetic_to_ned``, with the same origin and errors."""
    return ecef_to_geodetic(ned_to_ecef(ned, origin))


def geodetic_to_enu(geodetic: Tensor, origin: Tensor) -> Tensor:
    """A geodetic position (*batch, 3) in the ENU axes at the geodetic place ``origin`` [m]; as ``ecef_to_ned``."""
    return ecef_to_enu(geodetic_to_ecef(geodetic), origin)


def enu_to_geodetic(enu: Tensor, origin: Tensor) -> Tensor:
    """The inverse of ``geodetic_to_enu``, with the same origin and errors."""
    return ecef_to_geodetic(enu_to_ecef(enu, origin))


def _check(tensor: Tensor, name: str) -> None:
    check_last(tensor, (3,), name)
    check_finite(tensor, name)


def _check_pair(origin: Tensor, **vector: Tensor) -> None:
    pair = {**vector, "origin": origin}
    for name, tensor in pair.items():
        _check(tensor, name)
    check_same_device(**pair)
    broadcast(**{name: tensor.shape[:-1] for name, tensor in pair.items()})
