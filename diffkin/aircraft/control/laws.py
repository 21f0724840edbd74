"""Attitude controllers: geometric PD, a square-root cascade, and the errors they act on.

Gains and angles may carry gradients; everything is plain torch over any leading axes.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import apply, cross, matmul
from diffkin._checks import broadcast, check_floating, check_last, has_values
from diffkin.aircraft._inputs import check_gain, check_same_device, numbers_of
from diffkin.aircraft.dynamics.rigid_body import inertia_matrix
from diffkin.errors import OptionError
from diffkin.rotations import matrix_to_rotvec, vee

__all__ = ["attitude_error", "geometric_pd", "log_pd", "rate_error", "saturate", "sqrt_cascade", "sqrt_law"]

Gain = Tensor | float
"""A number, or (3,) or (*batch, 3): one for each body axis."""


def attitude_error(R: Float[Tensor, "*batch 3 3"], R_desired: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """``e_R = vee(R_d^T R - R^T R_d) / 2``: axis times sine of the angle (Lee, Leok and McClamroch, 2010, eq. 10).

    Zero at the half turn too, where the torque it asks for vanishes.

    Args:
        R: (*batch, 3, 3) attitude, body to inertial.
        R_desired: (*batch, 3, 3) attitude to reach. Leading axes broadcast.

    Returns:
        (*batch, 3), no unit; the rotation vector [rad] where it is small.

    Raises:
        ShapeError: The last axes are not (3, 3).
    """
    check_last(R, (3, 3), "R")
    check_last(R_desired, (3, 3), "R_desired")
    check_same_device(R=R, R_desired=R_desired)
    broadcast(R=R.shape[:-2], R_desired=R_desired.shape[:-2])
    return vee(matmul(R_desired.mT, R))


def rate_error(R: Tensor, omega: Tensor, R_desired: Tensor, omega_desired: Tensor | None = None) -> Tensor:
    """``e_W = W - R^T R_d W_d`` in body axes (Lee, Leok and McClamroch, 2010, eq. 11).

    Args:
        R: (*batch, 3, 3) attitude, body to inertial.
        omega: (*batch, 3) angular velocity in body axes [rad/s].
        R_desired: (*batch, 3, 3) attitude to reach.
        omega_desired: (*batch, 3) its angular velocity, in the axes of ``R_desired`` [rad/s]; zero if None.

    Returns:
        (*batch, 3) [rad/s].

    Raises:
        ShapeError: The last axes are wrong.
    """
    check_last(R, (3, 3), "R")
    check_last(R_desired, (3, 3), "R_desired")
    check_last(omega, (3,), "omega")
    if omega_desired is not None:
        check_last(omega_desired, (3,), "omega_desired")
    check_same_device(R=R, omega=omega, R_desired=R_desired, omega_desired=omega_desired)
    leading = {"R": R.shape[:-2], "omega": omega.shape[:-1], "R_desired": R_desired.shape[:-2]}
    broadcast(**leading, **({} if omega_desired is None else {"omega_desired": omega_desired.shape[:-1]}))
    if omega_desired is None:
        return omega
    return omega - apply(matmul(R.mT, R_desired), omega_desired)


def geometric_pd(
    R: Float[Tensor, "*batch 3 3"],
    omega: Float[Tensor, "*batch 3"],
    R_desired: Float[Tensor, "*batch 3 3"],
    inertia: Tensor,
    *,
    k_attitude: Gain,
    k_rate: Gain,
    omega_desired: Tensor | None = None,
    alpha_desired: Tensor | None = None,
    rotor_momentum: Tensor | None = None,
) -> Float[Tensor, "*batch 3"]:
    """Torque of the geometric PD controller on SO(3), with the feed-forward of the motion to follow.

    Lee, Leok and McClamroch, "Geometric tracking control of a quadrotor UAV on SE(3)", 2010, eq. 16::

        t = -k_R e_R - k_W e_W + W x (J W + h) - J (hat(W) R^T R_d W_d - R^T R_d dW_d/dt)

    Attitude errors below the half turn decay exponentially if the gains are positive.

    Args:
        R: (*batch, 3, 3) attitude, body to inertial.
        omega: (*batch, 3) angular velocity in body axes [rad/s].
        R_desired: (*batch, 3, 3) attitude to reach.
        inertia: (3,) principal moments or (*batch, 3, 3) [kg m^2].
        k_attitude: k_R [N m], a number, (3,) or (*batch, 3).
        k_rate: k_W [N m s], likewise.
        omega_desired: (*batch, 3) angular velocity of ``R_desired`` in its own axes [rad/s]; None: it stands still.
        alpha_desired: (*batch, 3) its angular acceleration in its own axes [rad/s^2]; None: zero.
        rotor_momentum: (*batch, 3) spin angular momentum of rotors in body axes [N m s]; None: zero.

    Returns:
        (*batch, 3) torque in body axes [N m].

    Raises:
        ShapeError: Shapes do not fit.
    """
    _check_law(
        R, omega, R_desired, inertia, omega_desired, alpha_desired, rotor_momentum, k_attitude=k_attitude, k_rate=k_rate
    )
    error = attitude_error(R, R_desired)
    return -k_attitude * error + _rate_part(
        R, omega, R_desired, inertia, k_rate, omega_desired, alpha_desired, rotor_momentum
    )


def log_pd(
    R: Float[Tensor, "*batch 3 3"],
    omega: Float[Tensor, "*batch 3"],
    R_desired: Float[Tensor, "*batch 3 3"],
    inertia: Tensor,
    *,
    k_attitude: Gain,
    k_rate: Gain,
    omega_desired: Tensor | None = None,
    alpha_desired: Tensor | None = None,
    rotor_momentum: Tensor | None = None,
) -> Float[Tensor, "*batch 3"]:
    """The controller of ``geometric_pd`` on the rotation vector ``log(R_d^T R)`` in place of ``e_R``.

    Its torque does not fade towards the half turn; there it jumps (Bullo and Murray, "Proportional derivative control
    on the Euclidean group", 1995).

    Args:
        R: (*batch, 3, 3) attitude, body to inertial.
        omega: (*batch, 3) angular velocity in body axes [rad/s].
        R_desired: (*batch, 3, 3) attitude to reach.
        inertia: (3,) principal moments or (*batch, 3, 3) [kg m^2].
        k_attitude: [N m/rad], a number, (3,) or (*batch, 3).
        k_rate: [N m s], likewise.
        omega_desired: (*batch, 3) angular velocity of ``R_desired`` in its own axes [rad/s]; None: it stands still.
        alpha_desired: (*batch, 3) its angular acceleration in its own axes [rad/s^2]; None: zero.
        rotor_momentum: (*batch, 3) spin angular momentum of rotors in body axes [N m s]; None: zero.

    Returns:
        (*batch, 3) torque in body axes [N m].

    Raises:
        ShapeError: Shapes do not fit.
    """
    _check_law(
        R, omega, R_desired, inertia, omega_desired, alpha_desired, rotor_momentum, k_attitude=k_attitude, k_rate=k_rate
    )
    error = matrix_to_rotvec(matmul(R_desired.mT, R), check=False)
    return -k_attitude * error + _rate_part(
        R, omega, R_desired, inertia, k_rate, omega_desired, alpha_desired, rotor_momentum
    )


def _check_law(
    R: Tensor,
    omega: Tensor,
    R_desired: Tensor,
    inertia: Tensor,
    omega_desired: Tensor | None,
    alpha_desired: Tensor | None,
    rotor_momentum: Tensor | None,
    **gains: Gain,
) -> None:
    """Raise unless the arguments of a law fit each other in shape and device, and its gains are finite numbers."""
    matrices = {"R": R, "R_desired": R_desired, "inertia": inertia_matrix(inertia)}
    given = {"omega_desired": omega_desired, "alpha_desired": alpha_desired, "rotor_momentum": rotor_momentum}
    vectors = {"omega": omega} | {name: vector for name, vector in given.items() if vector is not None}
    for name, matrix in matrices.items():
        check_last(matrix, (3, 3), name)
    for name, vector in vectors.items():
        check_last(vector, (3,), name)
    check_same_device(**matrices, **vectors)
    leading = {name: matrix.shape[:-2] for name, matrix in matrices.items()}
    batch = broadcast(**leading, **{name: vector.shape[:-1] for name, vector in vectors.items()})
    for name, gain in gains.items():
        check_gain(gain, name, batch=batch, device=R.device)


def _rate_part(
    R: Tensor,
    omega: Tensor,
    R_desired: Tensor,
    inertia: Tensor,
    k_rate: Gain,
    omega_desired: Tensor | None,
    alpha_desired: Tensor | None,
    rotor_momentum: Tensor | None,
) -> Tensor:
    """Damping of the rate, cancelled gyroscopic torque, and the torque that the motion to follow needs."""
    J = inertia_matrix(inertia)
    torque = -k_rate * rate_error(R, omega, R_desired, omega_desired) + _gyroscopic(omega, J, rotor_momentum)
    if omega_desired is None and alpha_desired is None:
        return torque
    across = matmul(R.mT, R_desired)
    acceleration = torch.zeros_like(omega)
    if alpha_desired is not None:
        acceleration = acceleration + apply(across, alpha_desired)
    if omega_desired is not None:
        acceleration = acceleration - cross(omega, apply(across, omega_desired))
    return torque + apply(J, acceleration)


def _gyroscopic(omega: Tensor, inertia: Tensor, rotor_momentum: Tensor | None) -> Tensor:
    """``w x (J w + h)``."""
    p = apply(inertia, omega)
    p = p if rotor_momentum is None else p + rotor_momentum
    return cross(omega, p)


def saturate(torque: Tensor, limit: Gain) -> Tensor:
    """Each component of a torque cut to ``[-limit, limit]``.

    Args:
        torque: (*batch, 3) [N m].
        limit: A number, (3,) or (*batch, 3), not negative [N m].

    Returns:
        (*batch, 3) [N m].

    Raises:
        OptionError: A negative limit.
    """
    check_floating(torque, "torque")
    bound = numbers_of(limit, "limit", torque)
    broadcast(torque=torque.shape, limit=bound.shape)
    if has_values(bound) and not bool((bound.detach() >= 0).all()):
        raise OptionError(f"A torque limit must not be negative, got {float(bound.min()):.3g}.")
    return torch.maximum(torch.minimum(torque, bound), -bound)


def sqrt_law(error: Tensor, gain: Gain, acceleration: Gain) -> Tensor:
    """Rate that brings an error to zero at the given deceleration: linear near zero, a square root beyond.

    ``k x`` for ``|x| <= a / k^2``, ``sign(x) sqrt(2 a (|x| - a / (2 k^2)))`` beyond: a body that brakes at a stops in
    time, and the law and its slope are continuous.

    Args:
        error: (...) error x [rad].
        gain: k near zero [1/s], positive; broadcasts.
        acceleration: a, the deceleration to count on [rad/s^2], positive; broadcasts.

    Returns:
        Rate in the direction of the error [rad/s].

    Raises:
        OptionError: ``gain`` or ``acceleration`` is not positive.
    """
    check_floating(error, "error")
    k, a = numbers_of(gain, "gain", error), numbers_of(acceleration, "acceleration", error)
    broadcast(error=error.shape, gain=k.shape, acceleration=a.shape)
    for name, value in {"gain": k, "acceleration": a}.items():
        if has_values(value) and not bool((value.detach() > 0).all()):
            raise OptionError(f"{name} of the square-root law must be positive, got {float(value.min()):.3g}.")
    size = error.abs()
    near = size <= a / (k * k)
    under = torch.where(near, 1.0, 2.0 * a * (size - 0.5 * a / (k * k)))  # the square root of zero has no slope
    return torch.where(near, k * error, torch.sign(error) * torch.sqrt(under))


def sqrt_cascade(
    R: Float[Tensor, "*batch 3 3"],
    omega: Float[Tensor, "*batch 3"],
    R_desired: Float[Tensor, "*batch 3 3"],
    inertia: Tensor,
    *,
    k_attitude: Gain,
    acceleration: Gain,
    k_rate: Gain,
    omega_desired: Tensor | None = None,
    rotor_momentum: Tensor | None = None,
) -> Float[Tensor, "*batch 3"]:
    """Torque of a cascade: attitude error, then a rate by the square-root law, then a torque.

    With e = log(R_d^T R): ``w_c = R^T R_d W_d - sqrt_law(e)`` axis by axis and
    ``t = k_rate J (w_c - W) + W x (J W + h)``. Limits on the torque are the caller's, see ``saturate``.

    Args:
        R: (*batch, 3, 3) attitude, body to inertial.
        omega: (*batch, 3) angular velocity in body axes [rad/s].
        R_desired: (*batch, 3, 3) attitude to reach.
        inertia: (3,) principal moments or (*batch, 3, 3) [kg m^2].
        k_attitude: Slope of the law near zero [1/s], a number, (3,) or (*batch, 3).
        acceleration: Deceleration to count on [rad/s^2], likewise; about the torque limit over the moment of inertia.
        k_rate: Gain of the rate loop [1/s], likewise.
        omega_desired: (*batch, 3) angular velocity of ``R_desired`` in its own axes [rad/s]; None: it stands still.
        rotor_momentum: (*batch, 3) spin angular momentum of rotors in body axes [N m s]; None: zero.

    Returns:
        (*batch, 3) torque in body axes [N m].

    Raises:
        ShapeError: Shapes do not fit.
        OptionError: ``k_attitude`` or ``acceleration`` is not positive.
    """
    gains = {"k_attitude": k_attitude, "acceleration": acceleration, "k_rate": k_rate}
    _check_law(R, omega, R_desired, inertia, omega_desired, None, rotor_momentum, **gains)
    J = inertia_matrix(inertia)
    error = matrix_to_rotvec(matmul(R_desired.mT, R), check=False)
    short = rate_error(R, omega, R_desired, omega_desired) + sqrt_law(error, k_attitude, acceleration)
    return apply(J, -k_rate * short) + _gyroscopic(omega, J, rotor_momentum)
