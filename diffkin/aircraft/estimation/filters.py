"""Complementary attitude filters, Madgwick's and Mahony's, as differentiable steps, and the run of any filter.

Conventions, those of the Kalman filter in ``kalman`` too: ``quat_xyzw`` is the attitude body to NED (FRD body axes). A
gyroscope measures the angular velocity in body axes plus a bias. An accelerometer measures specific force: at rest
``-g``, that is (0, 0, -9.81) m/s^2 in a level body, since z points down. A magnetometer measures the Earth's field in
body axes, any unit.

A step is ``step(state, gyro, accel, mag, dt, gains) -> state`` over any leading axes; ``run_filter`` runs a sequence.
Gains may be tensors, and gradients flow to them, to the state and to the measurements.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from diffkin._algebra import apply, dot, safe_norm, unit
from diffkin._checks import broadcast, check_last
from diffkin.aircraft.dynamics.rollout import rollout
from diffkin.errors import OptionError, ShapeError
from diffkin.rotations import quat_xyzw_multiply, quat_xyzw_to_matrix, rotvec_to_quat_xyzw

__all__ = [
    "FilterState",
    "Gain",
    "MadgwickGains",
    "MahonyGains",
    "check_readings",
    "initial_state",
    "madgwick_step",
    "mahony_step",
    "run_filter",
]

Gain = Tensor | float


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
    """
    quat = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=dtype, device=device).expand(*batch, 4)
    return FilterState(quat, torch.zeros(*batch, 3, dtype=dtype, device=device))


def check_readings(state: tuple[Tensor, ...], gyro: Tensor, accel: Tensor, mag: Tensor | None, dt: float) -> None:
    """Raise unless the last axes of a state and of one reading fit, and the time step is positive."""
    check_last(state[0], (4,), "state.quat_xyzw")
    check_last(gyro, (3,), "gyro")
    check_last(accel, (3,), "accel")
    if mag is not None:
        check_last(mag, (3,), "mag")
    if not float(dt) > 0:
        raise OptionError(f"dt must be a positive time in seconds, got {dt!r}.")


def _north_and_down(R: Tensor, field: Tensor) -> tuple[Tensor, Tensor]:
    """Horizontal and vertical part of a measured unit field, turned to NED: the reference with no declination."""
    h = apply(R, field)
    return safe_norm(h[..., :2]), h[..., 2:]


def madgwick_step(
    state: FilterState, gyro: Tensor, accel: Tensor, mag: Tensor | None, dt: float, gains: MadgwickGains
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
        mag: (*batch, 3) magnetic field [any unit], or None.
        dt: Time since the last step [s].
        gains: See ``MadgwickGains``.

    Returns:
        The state after the step.

    Raises:
        ShapeError: A last axis is wrong.
        OptionError: ``dt`` is not positive.
    """
    check_readings(state, gyro, accel, mag, dt)
    quat, bias = state
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
    state: FilterState, gyro: Tensor, accel: Tensor, mag: Tensor | None, dt: float, gains: MahonyGains
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
        mag: (*batch, 3) magnetic field [any unit], or None.
        dt: Time since the last step [s].
        gains: See ``MahonyGains``.

    Returns:
        The state after the step.

    Raises:
        ShapeError: A last axis is wrong.
        OptionError: ``dt`` is not positive.
    """
    check_readings(state, gyro, accel, mag, dt)
    quat, bias = state
    quat = quat_xyzw_multiply(quat, rotvec_to_quat_xyzw(dt * (gyro - bias)))
    R = quat_xyzw_to_matrix(quat)
    correction = gains.accelerometer * _cross(unit(-accel), R[..., 2, :])
    if mag is not None:
        field = unit(mag)
        north, down = _north_and_down(R, field)
        expected = north * R[..., 0, :] + down * R[..., 2, :]
        correction = correction + gains.magnetometer * _cross(field, expected)
    quat = quat_xyzw_multiply(quat, rotvec_to_quat_xyzw(dt * correction))
    return FilterState(quat / torch.sqrt(dot(quat, quat)), bias - dt * gains.integral * correction)


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return torch.linalg.cross(*torch.broadcast_tensors(a, b))


def run_filter(
    step: Callable[..., Any],
    state: Any,
    gyro: Tensor,
    accel: Tensor,
    mag: Tensor | None,
    dt: float,
    gains: Any,
    *,
    checkpoint: bool | None = None,
) -> Any:
    """Run a filter over sequences of measurements.

    Args:
        step: ``madgwick_step``, ``mahony_step``, ``mekf_step`` or one of that kind.
        state: Where to begin.
        gyro: (*batch, n, 3) [rad/s].
        accel: (*batch, n, 3).
        mag: (*batch, n, 3), or None.
        dt: Time between measurements [s].
        gains: Passed to each step.
        checkpoint: Whether a backward pass runs the steps again, segment by segment, to bound its memory. None: from
            256 steps on where a gradient is needed.

    Returns:
        A state of the same kind whose tensors have an axis of length n after the batch: (*batch, n, 4) and so on, the
        state after each measurement.

    Raises:
        ShapeError: The sequences differ in length, or leading axes do not broadcast.
    """
    records = [("gyro", gyro), ("accel", accel)] + ([] if mag is None else [("mag", mag)])
    count = gyro.shape[-2] if gyro.ndim > 1 else 0
    for name, record in records:
        check_last(record, (3,), name)
        if record.ndim < 2 or record.shape[-2] != count:
            raise ShapeError(f"{name} must have shape (*batch, {count}, 3), got {tuple(record.shape)}.")
    kind = type(state)
    batch = broadcast(**{name: record.shape[:-2] for name, record in records}, state=state[0].shape[:-1])
    ranks = [1 if i < 2 else 2 for i in range(len(state))]
    start = tuple(p.expand(*batch, *p.shape[p.ndim - rank :]) for p, rank in zip(state, ranks, strict=True))

    def advance(k: int, *parts: Tensor) -> tuple[Tensor, ...]:
        field = None if mag is None else mag[..., k, :]
        return tuple(step(kind(*parts), gyro[..., k, :], accel[..., k, :], field, dt, gains))

    states = rollout(advance, start, count, checkpoint)
    return kind(*(part[1:].movedim(0, -1 - rank) for part, rank in zip(states, ranks, strict=True)))
