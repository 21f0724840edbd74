"""Complementary attitude filters, Madgwick's and Mahony's, as differentiable steps.

Conventions, those of the Kalman filter in ``kalman`` too: ``quat_xyzw`` is the attitude body to NED (FRD body axes). A
gyroscope measures the angular velocity in body axes plus a bias. An accelerometer measures specific force: at rest
``-g``, that is (0, 0, -9.81) m/s^2 in a level body, since z points down. A magnetometer measures the Earth's field in
body axes, any unit.

A step is ``step(state, gyro, accel, mag, dt, gains) -> state`` over any leading axes; ``run_filter`` runs a sequence.
Gains may be tensors, and gradients flow to them, to the state and to the measurements. The steps without a check are
those that ``run_filter`` takes, which has checked whole sequences before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import torch
from torch import Tensor

from diffkin._algebra import apply, cross, dot, safe_norm, unit
from diffkin._checks import check_memory
from diffkin.aircraft._inputs import check_gain, whole
from diffkin.aircraft.estimation.readings import Gain, check_readings, check_state, present, time_step
from diffkin.errors import DtypeError, OptionError
from diffkin.rotations import quat_xyzw_multiply, quat_xyzw_to_matrix, rotvec_to_quat_xyzw

__all__ = [
    "FilterState",
    "MadgwickGains",
    "MahonyGains",
    "check_gains",
    "initial_state",
    "madgwick",
    "madgwick_step",
    "mahony",
    "mahony_step",
]


class FilterState(NamedTuple):
    """What a complementary filter remembers.

    Attributes:
        quat_xyzw: (*batch, 4) unit quaternion, body to NED.
        bias: (*batch, 3) gyroscope bias [rad/s].
    """

    quat_xyzw: Tensor
    bias: Tensor


@dataclass(frozen=True)
class MadgwickGains:
    """Gains of Madgwick's filter.

    Attributes:
        beta: Rate at which the attitude is pulled towards the measurements [1/s]; the rate error to expect, over 1.15.
        zeta: Rate of change of the bias [1/s^2]; 0 leaves it alone.
    """

    beta: Gain = 0.12
    zeta: Gain = 0.0


@dataclass(frozen=True)
class MahonyGains:
    """Gains of Mahony's filter.

    Attributes:
        accelerometer: Rate at which the measured vertical pulls [1/s].
        magnetometer: Rate at which the measured north pulls [1/s].
        integral: Rate at which the correction goes into the bias [1/s].
    """

    accelerometer: Gain = 1.0
    magnetometer: Gain = 1.0
    integral: Gain = 0.05


def initial_state(
    batch: tuple[int, ...] = (), *, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu"
) -> FilterState:
    """Level, nose to the north, no bias.

    Args:
        batch: Leading axes.
        dtype: Of the state.
        device: Of the state.

    Returns:
        The state.

    Raises:
        OptionError: ``batch`` is no tuple of whole numbers, there is no such device, or the state is larger than memory.
        DtypeError: ``dtype`` is not floating point.
    """
    if not isinstance(batch, Sequence) or isinstance(batch, str):
        raise OptionError(f"batch must be a tuple of whole numbers, (8,) for instance, got {batch!r}.")
    batch = tuple(whole(length, "each length of batch") for length in batch)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise DtypeError(f"dtype must be a floating-point dtype of torch, got {dtype!r}.")
    try:
        device = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise OptionError(f"device must be one of torch's, got {device!r}.") from error
    quat = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=dtype, device=device)
    check_memory(3 * math.prod(batch), quat, f"A state with the batch {batch}")
    quat = quat.expand(*batch, 4)
    return FilterState(quat, torch.zeros(*batch, 3, dtype=dtype, device=device))


def check_gains(gains: Any, kind: type, batch: Sequence[int], device: torch.device) -> None:
    """Raise unless these are gains of that kind: numbers, or tensors of finite numbers that fit vectors (*batch, 3)."""
    for field in fields(kind):
        if not hasattr(gains, field.name):
            raise OptionError(f"gains must be {kind.__name__}, got {type(gains).__name__}.")
        check_gain(getattr(gains, field.name), f"gains.{field.name}", batch=batch, device=device)


def _north_and_down(R: Tensor, field: Tensor) -> tuple[Tensor, Tensor]:
    """Horizontal and vertical part of a measured unit field, turned to NED: the reference with no declination."""
    h = apply(R, field)
    return safe_norm(h[..., :2]), h[..., 2:]


def madgwick_step(
    state: FilterState, gyro: Tensor, accel: Tensor, mag: Tensor | None, dt: Gain, gains: MadgwickGains
) -> FilterState:
    """One step of Madgwick's gradient-descent filter.

    ``q' = q + dt (q (w - b) / 2 - beta g / |g|)``, normalised, with ``g = J^T f`` the gradient of
    ``|R^T e_down - down|^2 / 2 + |R^T field - field_measured|^2 / 2`` as printed (Madgwick, "An efficient orientation
    filter for inertial and inertial/magnetic sensor arrays", 2010, eq. 25-49). ``down`` is minus the measured specific
    force, normalised; the field in NED is taken from the measurement itself, so north is magnetic north. The
    gradient is, as printed, that at the attitude before the step, so a turning body is followed one step late.

    Args:
        state: Attitude and bias; leading axes broadcast with the measurements'.
        gyro: (*batch, 3) [rad/s].
        accel: (*batch, 3) specific force [any unit]; zero is ignored.
        mag: (*batch, 3) magnetic field [any unit], or None; zero or NaN is ignored.
        dt: Time since the last step [s], a number or (*batch,).
        gains: See ``MadgwickGains``.

    Returns:
        The state after the step.

    Raises:
        ShapeError: A last axis is wrong, or leading axes do not broadcast.
        NonFiniteError: Anything but ``mag`` holds NaN, or it holds infinity; the message names the place.
        RotationError: A quaternion is zero.
        OptionError: ``dt`` is not positive and finite.
    """
    check_state(state, FilterState)
    batch = check_readings(gyro, accel, mag, state[0])
    check_gains(gains, MadgwickGains, batch, state[0].device)
    return madgwick(FilterState(*state), gyro, accel, mag, time_step(dt, state[0], batch), gains)


def madgwick(
    state: FilterState, gyro: Tensor, accel: Tensor, mag: Tensor | None, dt: Gain, gains: MadgwickGains
) -> FilterState:
    """``madgwick_step`` without its checks."""
    quat, bias = state
    dt = dt.unsqueeze(-1) if isinstance(dt, Tensor) else dt
    quat = quat / torch.sqrt(dot(quat, quat))
    down = unit(-accel)
    x, y, z, w = quat.split(1, -1)
    a0, a1, a2 = down.split(1, -1)
    seen = (accel != 0).any(-1, keepdim=True).to(quat.dtype)
    f0, f1, f2 = (
        seen * (2 * (x * z - w * y) - a0),
        seen * (2 * (w * x + y * z) - a1),
        seen * (2 * (0.5 - x * x - y * y) - a2),
    )
    gx = 2 * (z * f0 + w * f1) - 4 * x * f2
    gy = 2 * (z * f1 - w * f0) - 4 * y * f2
    gz = 2 * (x * f0 + y * f1)
    gw = 2 * (x * f1 - y * f0)
    if mag is not None:
        mag, _ = present(mag)
        field = unit(mag)
        bx, bz = _north_and_down(quat_xyzw_to_matrix(quat), field)
        m0, m1, m2 = field.split(1, -1)
        seen = (mag != 0).any(-1, keepdim=True).to(quat.dtype)
        f0 = seen * (2 * bx * (0.5 - y * y - z * z) + 2 * bz * (x * z - w * y) - m0)
        f1 = seen * (2 * bx * (x * y - w * z) + 2 * bz * (w * x + y * z) - m1)
        f2 = seen * (2 * bx * (w * y + x * z) + 2 * bz * (0.5 - x * x - y * y) - m2)
        gx = gx + 2 * bz * z * f0 + 2 * (bx * y + bz * w) * f1 + (2 * bx * z - 4 * bz * x) * f2
        gy = gy - (4 * bx * y + 2 * bz * w) * f0 + 2 * (bx * x + bz * z) * f1 + (2 * bx * w - 4 * bz * y) * f2
        gz = gz + (2 * bz * x - 4 * bx * z) * f0 + 2 * (bz * y - bx * w) * f1 + 2 * bx * x * f2
        gw = gw - 2 * bz * y * f0 + 2 * (bz * x - bx * z) * f1 + 2 * bx * y * f2
    direction = unit(torch.cat([gx, gy, gz, gw], -1))
    # the direction of the gradient as an angular rate: its part along the bias (eq. 47-49)
    conjugate = torch.cat([-quat[..., :3], quat[..., 3:]], -1)
    bias = bias + gains.zeta * dt * 2.0 * quat_xyzw_multiply(conjugate, direction)[..., :3]
    rate = gyro - bias
    turn = quat_xyzw_multiply(quat, torch.cat([rate, torch.zeros_like(rate[..., :1])], -1))
    quat = quat + dt * (0.5 * turn - gains.beta * direction)
    return FilterState(quat / torch.sqrt(dot(quat, quat)), bias)


def mahony_step(
    state: FilterState, gyro: Tensor, accel: Tensor, mag: Tensor | None, dt: Gain, gains: MahonyGains
) -> FilterState:
    """One step of Mahony's explicit complementary filter with bias.

    With the correction ``c = k_a a x (R^T e_down) + k_m m x (R^T field)`` of the measured directions a and m (Mahony,
    Hamel and Pflimlin, "Nonlinear complementary filters on the special orthogonal group", 2008, eq. 32), taken at the
    predicted attitude since the measurements belong to the end of the step: ``R_p = R exp(dt (w - b))``,
    ``R' = R_p exp(dt c)``, ``b' = b - dt k_i c``. a is minus the measured specific force, normalised; the field in NED
    is taken from the measurement itself, so north is magnetic north.

    Args:
        state: Attitude and bias; leading axes broadcast with the measurements'.
        gyro: (*batch, 3) [rad/s].
        accel: (*batch, 3) specific force [any unit]; zero is ignored.
        mag: (*batch, 3) magnetic field [any unit], or None; zero or NaN is ignored.
        dt: Time since the last step [s], a number or (*batch,).
        gains: See ``MahonyGains``.

    Returns:
        The state after the step.

    Raises:
        ShapeError: A last axis is wrong, or leading axes do not broadcast.
        NonFiniteError: Anything but ``mag`` holds NaN, or it holds infinity; the message names the place.
        RotationError: A quaternion is zero.
        OptionError: ``dt`` is not positive and finite.
    """
    check_state(state, FilterState)
    batch = check_readings(gyro, accel, mag, state[0])
    check_gains(gains, MahonyGains, batch, state[0].device)
    return mahony(FilterState(*state), gyro, accel, mag, time_step(dt, state[0], batch), gains)


def mahony(
    state: FilterState, gyro: Tensor, accel: Tensor, mag: Tensor | None, dt: Gain, gains: MahonyGains
) -> FilterState:
    """``mahony_step`` without its checks."""
    quat, bias = state
    dt = dt.unsqueeze(-1) if isinstance(dt, Tensor) else dt
    quat = quat_xyzw_multiply(quat, rotvec_to_quat_xyzw(dt * (gyro - bias)))
    R = quat_xyzw_to_matrix(quat)
    correction = gains.accelerometer * cross(unit(-accel), R[..., 2, :])
    if mag is not None:
        field = unit(present(mag)[0])
        north, down = _north_and_down(R, field)
        expected = north * R[..., 0, :] + down * R[..., 2, :]
        correction = correction + gains.magnetometer * cross(field, expected)
    quat = quat_xyzw_multiply(quat, rotvec_to_quat_xyzw(dt * correction))
    return FilterState(quat / torch.sqrt(dot(quat, quat)), bias - dt * gains.integral * correction)
