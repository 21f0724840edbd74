"""A multiplicative extended Kalman filter of attitude and gyroscope bias, as differentiable steps.

Conventions as in ``filters``; the attitude error is a rotation vector in body axes, ``R_true = R exp(hat(e))``. The
steps without a check are those that ``run_filter`` takes, which has checked whole sequences before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from torch import Tensor

from diffkin._algebra import apply, dot, inverse, matmul, unit
from diffkin._checks import broadcast, check_last, has_values
from diffkin.aircraft._inputs import check_rows, check_same_device, number, numbers_of
from diffkin.aircraft.estimation.readings import (
    Gain,
    check_readings,
    check_rows_or_absent,
    check_state,
    present,
    time_step,
)
from diffkin.errors import NonFiniteError, OptionError
from diffkin.rotations import (
    hat,
    quat_xyzw_multiply,
    quat_xyzw_to_matrix,
    right_jacobian,
    rotvec_to_matrix,
    rotvec_to_quat_xyzw,
)

__all__ = [
    "MEKFNoise",
    "MEKFState",
    "check_noise",
    "initial_mekf_state",
    "mekf",
    "mekf_predict",
    "mekf_step",
    "mekf_update",
]


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
        accel: Standard deviation of one accelerometer reading, each axis [m/s^2]; positive.
        mag: Standard deviation of one magnetometer reading, each axis [unit of ``field``]; positive.
        gravity: (3,) gravity in NED [m/s^2].
        field: (3,) magnetic field in NED [unit of the readings].
    """

    gyro: Gain = 1e-3
    bias: Gain = 1e-5
    accel: Gain = 0.1
    mag: Gain = 0.02
    gravity: tuple[float, float, float] | Tensor = (0.0, 0.0, 9.80665)
    field: tuple[float, float, float] | Tensor = (0.5, 0.0, 0.8)


def initial_mekf_state(quat_xyzw: Tensor, attitude_sigma: Gain = 0.5, bias_sigma: Gain = 0.05) -> MEKFState:
    """A state with a diagonal covariance and no bias.

    Args:
        quat_xyzw: (*batch, 4) attitude, body to NED.
        attitude_sigma: Standard deviation of the attitude about each axis [rad], a number or (*batch,).
        bias_sigma: Standard deviation of the bias [rad/s], likewise.

    Returns:
        The state.

    Raises:
        ShapeError: The last axis is not 4, or leading axes do not broadcast.
        NonFiniteError: A quaternion or standard deviation is NaN or infinite.
        OptionError: A standard deviation is negative.
        RotationError: A quaternion is zero.
    """
    check_last(quat_xyzw, (4,), "quat_xyzw")
    bias = torch.zeros_like(quat_xyzw[..., :3])
    variances = []
    for name, sigma in {"attitude_sigma": attitude_sigma, "bias_sigma": bias_sigma}.items():
        value = _deviation(sigma, name, quat_xyzw, zero=True)
        broadcast(**{name: value.shape, "quat_xyzw": quat_xyzw.shape[:-1]})
        variances.append((value * value).unsqueeze(-1).expand_as(bias))
    state = MEKFState(quat_xyzw, bias, torch.diag_embed(torch.cat(variances, -1)))
    check_state(state, MEKFState)
    return state


def mekf_predict(state: MEKFState, gyro: Tensor, dt: Gain, noise: MEKFNoise) -> MEKFState:
    """Carry attitude and covariance over one time step with the gyroscope.

    ``R' = R exp(dt (w - b))``; the error follows ``e' = exp(-dt w) e - J_r(dt w) dt db`` and the covariance takes up
    ``[[s^2 dt + u^2 dt^3/3, -u^2 dt^2/2], [-u^2 dt^2/2, u^2 dt]]``, s and u the densities of the gyroscope's and the
    bias's noise (Crassidis and Junkins, "Optimal Estimation of Dynamic Systems", 2nd ed., section 7.2).

    Args:
        state: State before.
        gyro: (*batch, 3) [rad/s].
        dt: Time since the last step [s], a number or (*batch,).
        noise: See ``MEKFNoise``.

    Returns:
        The state after the step.

    Raises:
        ShapeError: A last axis is wrong, or leading axes do not broadcast.
        NonFiniteError: NaN or infinity; the message names the place.
        RotationError: A quaternion is zero.
        OptionError: ``dt`` is not positive and finite, or a noise not what it can be.
    """
    check_state(state, MEKFState)
    batch = check_readings(gyro, gyro, None, state[0])
    return _predict(MEKFState(*state), gyro, time_step(dt, state[0], batch), check_noise(noise, state[0], batch))


def _predict(state: MEKFState, gyro: Tensor, dt: Gain, noise: MEKFNoise) -> MEKFState:
    quat, bias, P = state
    dt = dt.unsqueeze(-1) if isinstance(dt, Tensor) else dt
    turn = dt * (gyro - bias)
    dt = dt.unsqueeze(-1) if isinstance(dt, Tensor) else dt
    quat = quat_xyzw_multiply(quat, rotvec_to_quat_xyzw(turn))
    eye = torch.eye(3, dtype=turn.dtype, device=turn.device)
    zero = torch.zeros_like(eye).expand(*turn.shape[:-1], 3, 3)
    top = torch.cat([rotvec_to_matrix(-turn), -dt * right_jacobian(turn)], -1)
    phi = torch.cat([top, torch.cat([zero, eye.expand_as(zero)], -1)], -2)
    s2, u2 = (torch.as_tensor(d, dtype=turn.dtype, device=turn.device) ** 2 for d in (noise.gyro, noise.bias))
    a, b, c = (part * eye for part in (s2 * dt + u2 * dt**3 / 3, -u2 * dt**2 / 2, u2 * dt))
    Q = torch.cat([torch.cat([a, b], -1), torch.cat([b, c], -1)], -2)
    return MEKFState(quat / torch.sqrt(dot(quat, quat)), bias, matmul(matmul(phi, P), phi.mT) + Q)


def mekf_update(state: MEKFState, measured: Tensor, reference: Tensor, sigma: Gain) -> MEKFState:
    """Correct the state by a vector measured in body axes and known in NED.

    The expected reading ``h = R^T v`` changes by ``hat(h) e`` with the error e, hence ``H = [hat(h), 0]``; the gain is
    ``K = P H^T (H P H^T + sigma^2 I)^-1``, the covariance follows Joseph's form and turns with the attitude (Markley,
    "Attitude error representations for Kalman filtering", 2003).

    Args:
        state: State before.
        measured: (*batch, 3) reading in body axes; where it is NaN there is none, and the state stays as it is.
        reference: (3,) or (*batch, 3) the vector in NED, in the unit of the reading.
        sigma: Standard deviation of the reading, each axis, in that unit; positive.

    Returns:
        The state after the correction.

    Raises:
        ShapeError: A last axis is wrong, or leading axes do not broadcast.
        NonFiniteError: Infinity, or NaN in anything but ``measured``; the message names the place.
        RotationError: A quaternion is zero.
        OptionError: ``sigma`` is not positive, or its square vanishes.
    """
    check_state(state, MEKFState)
    check_last(measured, (3,), "measured")
    check_rows_or_absent(measured, "measured", steps=False)
    reference = _vector(reference, "reference", state[0])
    check_same_device(measured=measured, state=state[0])
    batch = broadcast(measured=measured.shape[:-1], reference=reference.shape[:-1], state=state[0].shape[:-1])
    deviation = _deviation(sigma, "sigma", state[0], zero=False)
    broadcast(sigma=deviation.shape, **{"(*batch, 3, 3)": (*batch, 3, 3)})
    return _update(MEKFState(*state), measured, reference, deviation)


def _update(state: MEKFState, measured: Tensor, reference: Tensor, sigma: Gain) -> MEKFState:
    quat, bias, P = state
    measured, there = present(measured)
    R = quat_xyzw_to_matrix(quat)
    expected = apply(R.mT, reference)
    H = hat(expected)
    H = torch.cat([H, torch.zeros_like(H)], -1)
    eye = torch.eye(3, dtype=quat.dtype, device=quat.device)
    N = torch.as_tensor(sigma, dtype=quat.dtype, device=quat.device) ** 2 * eye
    PH = matmul(P, H.mT)
    spread = matmul(H, PH) + N
    # Along the expected reading h the spread is the noise alone, N h, and P H^T h = 0: c (N h) (N h)^T added to it leaves
    # the gain as it is, and with c of the size of the rest a noise far below the covariance is not lost in rounding.
    alone = unit(apply(N, expected))
    size = spread.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
    weight, good = inverse(spread + size * alone.unsqueeze(-1) * alone.unsqueeze(-2))
    lost = ~(good & weight.isfinite().flatten(-2).all(-1)) & spread.isfinite().flatten(-2).all(-1)
    if has_values(weight) and bool(lost.any()):
        raise OptionError(
            "The noise of a reading is too small for the precision of the state. Give it more, or float64."
        )
    gain = matmul(PH, weight)
    change = apply(gain, torch.where(there, measured - expected, 0.0))
    turn = change[..., :3]
    left = torch.eye(6, dtype=quat.dtype, device=quat.device) - matmul(gain, H)
    after = matmul(matmul(left, P), left.mT) + matmul(matmul(gain, N), gain.mT)
    # the error that remains is one of the corrected attitude: e' = J_r(turn) (e - turn)
    J = right_jacobian(turn)
    after = torch.cat([matmul(J, after[..., :3, :]), after[..., 3:, :]], -2)
    after = torch.cat([matmul(after[..., :, :3], J.mT), after[..., :, 3:]], -1)
    turned = quat_xyzw_multiply(quat, rotvec_to_quat_xyzw(turn))
    return MEKFState(
        torch.where(there, turned / torch.sqrt(dot(turned, turned)), quat),
        bias + change[..., 3:],
        torch.where(there.unsqueeze(-1), 0.5 * (after + after.mT), P),
    )


def mekf_step(
    state: MEKFState, gyro: Tensor, accel: Tensor, mag: Tensor | None, dt: Gain, noise: MEKFNoise
) -> MEKFState:
    """One step: predict with the gyroscope, correct by the accelerometer, then by the magnetometer.

    Args:
        state: Attitude, bias and covariance; leading axes broadcast with the measurements'.
        gyro: (*batch, 3) [rad/s].
        accel: (*batch, 3) specific force [m/s^2].
        mag: (*batch, 3) magnetic field [unit of ``noise.field``], or None; where it is NaN it corrects nothing.
        dt: Time since the last step [s], a number or (*batch,).
        noise: See ``MEKFNoise``.

    Returns:
        The state after the step.

    Raises:
        ShapeError: A last axis is wrong, or leading axes do not broadcast.
        NonFiniteError: Anything but ``mag`` holds NaN, or it holds infinity; the message names the place.
        RotationError: A quaternion is zero.
        OptionError: ``dt`` is not positive and finite; the standard deviation of the accelerometer or magnetometer is
            not positive; a density is negative.
    """
    check_state(state, MEKFState)
    batch = check_readings(gyro, accel, mag, state[0])
    noise = check_noise(noise, state[0], batch)
    return mekf(MEKFState(*state), gyro, accel, mag, time_step(dt, state[0], batch), noise)


def mekf(state: MEKFState, gyro: Tensor, accel: Tensor, mag: Tensor | None, dt: Gain, noise: MEKFNoise) -> MEKFState:
    """``mekf_step`` without its checks, with noise that ``check_noise`` gave."""
    gravity, field = (torch.as_tensor(vector, device=gyro.device) for vector in (noise.gravity, noise.field))
    state = _predict(state, gyro, dt, noise)
    state = _update(state, accel, -gravity, noise.accel)
    return state if mag is None else _update(state, mag, field, noise.mag)


def check_noise(noise: MEKFNoise, like: Tensor, batch: Sequence[int]) -> MEKFNoise:
    """The same noise as tensors with the dtype and on the device of another, checked to be what it can be.

    Deviations are numbers, (3,) by axis, or (*batch, 1, 1).
    """
    names = [field.name for field in fields(MEKFNoise)]
    if not all(hasattr(noise, name) for name in names):
        raise OptionError(f"noise must be MEKFNoise, got {type(noise).__name__}.")
    parts = {
        name: _deviation(getattr(noise, name), f"noise.{name}", like, zero=name in ("gyro", "bias"))
        for name in names[:4]
    }
    for name, part in parts.items():
        broadcast(**{f"noise.{name}": part.shape, "(*batch, 3, 3)": (*batch, 3, 3)})
    vectors = {name: _vector(getattr(noise, name), f"noise.{name}", like) for name in names[4:]}
    for name, vector in vectors.items():
        broadcast(**{f"noise.{name}": vector.shape[:-1], "batch": batch})
    return MEKFNoise(**parts, **vectors)


def _deviation(sigma: Gain, name: str, like: Tensor, zero: bool) -> Tensor:
    """A standard deviation or density as a tensor, checked to be finite and positive, or not negative."""
    if not isinstance(sigma, Tensor):
        sigma = number(sigma, name, sign="not negative" if zero else "positive")
    value = numbers_of(sigma, name, like)
    if has_values(value):
        seen = value.detach()
        if not bool(torch.isfinite(seen).all()):
            raise NonFiniteError(f"{name} holds NaN or infinity; every number must be finite.")
        if not bool((seen >= 0 if zero else seen > 0).all()):
            raise OptionError(f"{name} must be {'not negative' if zero else 'positive'}, got {float(seen.min()):.3g}.")
    return value


def _vector(value: Tensor | tuple[float, float, float], name: str, like: Tensor) -> Tensor:
    """A vector in NED, (3,) or (*batch, 3), checked to be finite."""
    vector = numbers_of(value, name, like)
    check_last(vector, (3,), name)
    check_rows(vector, name, steps=False)
    return vector
