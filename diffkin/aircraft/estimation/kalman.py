"""A multiplicative extended Kalman filter of attitude and gyroscope bias, as differentiable steps.

Conventions as in ``filters``; the attitude error is a rotation vector in body axes, ``R_true = R exp(hat(e))``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from diffkin._algebra import apply, dot, matmul
from diffkin.aircraft.estimation.filters import Gain, check_readings
from diffkin.errors import OptionError
from diffkin.rotations import (
    hat,
    quat_xyzw_multiply,
    quat_xyzw_to_matrix,
    right_jacobian,
    rotvec_to_matrix,
    rotvec_to_quat_xyzw,
)

__all__ = ["MEKFNoise", "MEKFState", "initial_mekf_state", "mekf_predict", "mekf_step", "mekf_update"]


class MEKFState(NamedTuple):
    """What the filter remembers.

    Attributes:
        quat_xyzw: (*batch, 4) unit quaternion, body to NED.
        bias: (*batch, 3) gyroscope bias [rad/s].
        covariance: (*batch, 6, 6) of the attitude error in body axes [rad] and the bias error [rad/s].
    """

    quat_xyzw: Tensor
    bias: Tensor
    covariance: Tensor


@dataclass(frozen=True)
class MEKFNoise:
    """Noise that the filter assumes, and the vectors it expects.

    Attributes:
        gyro: Angular random walk, the density of the gyroscope's white noise [rad/s/sqrt(Hz)].
        bias: Rate random walk, the density of the noise that drives the bias [rad/s^2/sqrt(Hz)].
        accel: Standard deviation of one accelerometer reading, each axis [m/s^2].
        mag: Standard deviation of one magnetometer reading, each axis [unit of ``field``].
        gravity: (3,) gravity in NED [m/s^2].
        field: (3,) magnetic field in NED [unit of the readings].
    """

    gyro: Gain = 1e-3
    bias: Gain = 1e-5
    accel: Gain = 0.1
    mag: Gain = 0.02
    gravity: tuple[float, float, float] | Tensor = (0.0, 0.0, 9.80665)
    field: tuple[float, float, float] | Tensor = (0.5, 0.0, 0.8)


def initial_mekf_state(quat_xyzw: Tensor, attitude_sigma: float = 0.5, bias_sigma: float = 0.05) -> MEKFState:
    """A state with a diagonal covariance and no bias.

    Args:
        quat_xyzw: (*batch, 4) attitude, body to NED.
        attitude_sigma: Standard deviation of the attitude about each axis [rad].
        bias_sigma: Standard deviation of the bias [rad/s].

    Returns:
        The state.

    Raises:
        OptionError: A standard deviation is negative.
    """
    if attitude_sigma < 0 or bias_sigma < 0:
        raise OptionError(f"Standard deviations must not be negative, got {attitude_sigma} and {bias_sigma}.")
    batch = quat_xyzw.shape[:-1]
    variances = quat_xyzw.new_tensor([attitude_sigma**2] * 3 + [bias_sigma**2] * 3)
    return MEKFState(quat_xyzw, quat_xyzw.new_zeros(*batch, 3), torch.diag(variances).expand(*batch, 6, 6))


def mekf_predict(state: MEKFState, gyro: Tensor, dt: float, noise: MEKFNoise) -> MEKFState:
    """Carry attitude and covariance over one time step with the gyroscope.

    ``R' = R exp(dt (w - b))``; the error follows ``e' = exp(-dt w) e - J_r(dt w) dt db`` and the covariance takes up
    ``[[s^2 dt + u^2 dt^3/3, -u^2 dt^2/2], [-u^2 dt^2/2, u^2 dt]]``, s and u the densities of the gyroscope's and the
    bias's noise (Crassidis and Junkins, "Optimal Estimation of Dynamic Systems", 2nd ed., section 7.2).

    Args:
        state: State before.
        gyro: (*batch, 3) [rad/s].
        dt: Time since the last step [s].
        noise: See ``MEKFNoise``.

    Returns:
        The state after the step.
    """
    quat, bias, P = state
    turn = dt * (gyro - bias)
    quat = quat_xyzw_multiply(quat, rotvec_to_quat_xyzw(turn))
    eye = torch.eye(3, dtype=turn.dtype, device=turn.device)
    zero = torch.zeros_like(eye).expand(*turn.shape[:-1], 3, 3)
    top = torch.cat([rotvec_to_matrix(-turn), -dt * right_jacobian(turn)], -1)
    phi = torch.cat([top, torch.cat([zero, eye.expand_as(zero)], -1)], -2)
    s2, u2 = (torch.as_tensor(d, dtype=turn.dtype, device=turn.device) ** 2 for d in (noise.gyro, noise.bias))
    a, b, c = s2 * dt + u2 * dt**3 / 3, -u2 * dt**2 / 2, u2 * dt
    Q = torch.cat([torch.cat([a * eye, b * eye], -1), torch.cat([b * eye, c * eye], -1)], -2)
    return MEKFState(quat / torch.sqrt(dot(quat, quat)), bias, matmul(matmul(phi, P), phi.mT) + Q)


def mekf_update(state: MEKFState, measured: Tensor, reference: Tensor, sigma: Gain) -> MEKFState:
    """Correct the state by a vector measured in body axes and known in NED.

    The expected reading ``h = R^T v`` changes by ``hat(h) e`` with the error e, hence ``H = [hat(h), 0]``; the gain is
    ``K = P H^T (H P H^T + sigma^2 I)^-1``, the covariance follows Joseph's form and turns with the attitude (Markley,
    "Attitude error representations for Kalman filtering", 2003).

    Args:
        state: State before.
        measured: (*batch, 3) reading in body axes.
        reference: (3,) or (*batch, 3) the vector in NED, in the unit of the reading.
        sigma: Standard deviation of the reading, each axis, in that unit.

    Returns:
        The state after the correction.
    """
    quat, bias, P = state
    R = quat_xyzw_to_matrix(quat)
    expected = apply(R.mT, reference)
    H = hat(expected)
    H = torch.cat([H, torch.zeros_like(H)], -1)
    eye = torch.eye(3, dtype=quat.dtype, device=quat.device)
    N = torch.as_tensor(sigma, dtype=quat.dtype, device=quat.device) ** 2 * eye
    PH = matmul(P, H.mT)
    gain = torch.linalg.solve(matmul(H, PH) + N, PH.mT).mT
    change = apply(gain, measured - expected)
    turn = change[..., :3]
    left = torch.eye(6, dtype=quat.dtype, device=quat.device) - matmul(gain, H)
    P = matmul(matmul(left, P), left.mT) + matmul(matmul(gain, N), gain.mT)
    # the error that remains is one of the corrected attitude: e' = J_r(turn) (e - turn)
    J = right_jacobian(turn)
    P = torch.cat([matmul(J, P[..., :3, :]), P[..., 3:, :]], -2)
    P = torch.cat([matmul(P[..., :, :3], J.mT), P[..., :, 3:]], -1)
    quat = quat_xyzw_multiply(quat, rotvec_to_quat_xyzw(turn))
    return MEKFState(quat / torch.sqrt(dot(quat, quat)), bias + change[..., 3:], 0.5 * (P + P.mT))


def mekf_step(
    state: MEKFState, gyro: Tensor, accel: Tensor, mag: Tensor | None, dt: float, noise: MEKFNoise
) -> MEKFState:
    """One step: predict with the gyroscope, correct by the accelerometer, then by the magnetometer.

    Args:
        state: Attitude, bias and covariance; leading axes broadcast with the measurements'.
        gyro: (*batch, 3) [rad/s].
        accel: (*batch, 3) specific force [m/s^2].
        mag: (*batch, 3) magnetic field [unit of ``noise.field``], or None.
        dt: Time since the last step [s].
        noise: See ``MEKFNoise``.

    Returns:
        The state after the step.

    Raises:
        ShapeError: A last axis is wrong.
        OptionError: ``dt`` is not positive.
    """
    check_readings(state, gyro, accel, mag, dt)
    like = state.quat_xyzw
    gravity = torch.as_tensor(noise.gravity, dtype=like.dtype, device=like.device)
    state = mekf_predict(state, gyro, dt, noise)
    state = mekf_update(state, accel, -gravity, noise.accel)
    if mag is None:
        return state
    return mekf_update(state, mag, torch.as_tensor(noise.field, dtype=like.dtype, device=like.device), noise.mag)
