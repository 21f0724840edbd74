"""Air data: speed, angle of attack, sideslip, and the stability and wind axes they define. Body axes are FRD."""

from __future__ import annotations

import torch
from torch import Tensor

from diffkin._algebra import matmul, safe_norm
from diffkin._checks import check_finite, check_floating, check_last, check_rotation
from diffkin.aircraft.frames.axes import broadcast_numbers, safe_atan2

__all__ = [
    "air_data_to_velocity",
    "stability_to_body",
    "velocity_to_air_data",
    "wind_to_body",
    "wind_to_body_angles",
    "wind_to_stability",
]


def stability_to_body(alpha: Tensor) -> Tensor:
    """Rotation from stability axes to body axes: ``R_body_stability = R_y(-alpha)``.

    Stability axes are body axes turned nose-down by the angle of attack, so that their x axis is the projection of the
    velocity on the plane of symmetry (Stevens, Lewis & Johnson, Aircraft Control and Simulation, 3rd ed., 2.3).

    Args:
        alpha: (*batch,) angle of attack [rad].

    Returns:
        (*batch, 3, 3) ``R_body_stability``.

    Raises:
        diffkin.errors.DtypeError: ``alpha`` is not floating point.
    """
    check_floating(alpha, "alpha")
    cosine, sine, zero, one = torch.cos(alpha), torch.sin(alpha), torch.zeros_like(alpha), torch.ones_like(alpha)
    return _matrix((cosine, zero, -sine), (zero, one, zero), (sine, zero, cosine))


def wind_to_stability(beta: Tensor) -> Tensor:
    """Rotation from wind axes to stability axes: ``R_stability_wind = R_z(beta)``; x of the wind axes is the velocity.

    Args:
        beta: (*batch,) sideslip, positive with the wind in the right ear [rad].

    Returns:
        (*batch, 3, 3) ``R_stability_wind``.

    Raises:
        diffkin.errors.DtypeError: ``beta`` is not floating point.
    """
    check_floating(beta, "beta")
    cosine, sine, zero, one = torch.cos(beta), torch.sin(beta), torch.zeros_like(beta), torch.ones_like(beta)
    return _matrix((cosine, -sine, zero), (sine, cosine, zero), (zero, zero, one))


def wind_to_body(alpha: Tensor, beta: Tensor) -> Tensor:
    """Rotation from wind axes to body axes: ``R_body_wind = R_body_stability(alpha) @ R_stability_wind(beta)``.

    Its first column is ``(cos a cos b, sin b, sin a cos b)``, the direction of the velocity through the air in body
    axes (Stevens, Lewis & Johnson, 2.3). Its inverse, body to wind axes, is its transpose.

    Args:
        alpha: (*batch,) angle of attack [rad].
        beta: (*batch,) sideslip [rad]; leading axes broadcast.

    Returns:
        (*batch, 3, 3) ``R_body_wind``.

    Raises:
        diffkin.errors.DtypeError: An angle is not floating point.
        diffkin.errors.ShapeError: The leading axes do not broadcast.
    """
    alpha, beta = broadcast_numbers(alpha=alpha, beta=beta)
    return matmul(stability_to_body(alpha), wind_to_stability(beta))


def wind_to_body_angles(R_body_wind: Tensor) -> tuple[Tensor, Tensor]:
    """Angle of attack and sideslip of a rotation from wind to body axes, the inverse of ``wind_to_body``.

    Read off the first column, so a roll about the velocity plays no part. Where the velocity is along the y axis alpha
    is not determined: 0 comes back, with zero derivatives.

    Args:
        R_body_wind: (*batch, 3, 3).

    Returns:
        alpha in (-pi, pi] and beta in [-pi/2, pi/2], (*batch,) each [rad].

    Raises:
        diffkin.errors.ShapeError: The last axes are not (3, 3).
        diffkin.errors.RotationError: A matrix is no rotation.
    """
    check_rotation(R_body_wind, "R_body_wind")
    return _angles(R_body_wind[..., :, 0])


def velocity_to_air_data(v_body: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Airspeed, angle of attack and sideslip of a velocity through the air.

    ``V = |v|``, ``alpha = atan2(w, u)``, ``beta = atan2(v, sqrt(u^2 + w^2))`` (Stevens, Lewis & Johnson, 2.3, with the
    arcsine of sideslip written so that it keeps its precision near +-pi/2). At rest all three are 0 with zero
    derivatives.

    Args:
        v_body: (*batch, 3) velocity relative to the air in FRD body axes [m/s].

    Returns:
        Airspeed [m/s], alpha in (-pi, pi] and beta from -pi/2 to pi/2, both in rad, (*batch,) each.

    Raises:
        diffkin.errors.ShapeError: The last axis is not 3.
        diffkin.errors.NonFiniteError: It holds NaN or infinity.
    """
    check_last(v_body, (3,), "v_body")
    check_finite(v_body, "v_body")
    return safe_norm(v_body).squeeze(-1), *_angles(v_body)


def air_data_to_velocity(airspeed: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """Velocity through the air of given air data, the inverse of ``velocity_to_air_data``.

    Args:
        airspeed: (*batch,) [m/s].
        alpha: (*batch,) angle of attack [rad].
        beta: (*batch,) sideslip [rad]; leading axes broadcast.

    Returns:
        (*batch, 3) velocity relative to the air in FRD body axes [m/s].

    Raises:
        diffkin.errors.DtypeError: A tensor is not floating point.
        diffkin.errors.ShapeError: The leading axes do not broadcast.
    """
    speed, a, b = broadcast_numbers(airspeed=airspeed, alpha=alpha, beta=beta)
    along = speed * torch.cos(b)
    return torch.stack((along * torch.cos(a), speed * torch.sin(b), along * torch.sin(a)), dim=-1)


def _angles(vector: Tensor) -> tuple[Tensor, Tensor]:
    """Angle of attack and sideslip of a velocity, or of its direction."""
    u, v, w = vector.unbind(-1)
    in_plane = safe_norm(torch.stack((u, w), dim=-1)).squeeze(-1)
    return safe_atan2(w, u), safe_atan2(v, in_plane)


def _matrix(*rows: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
