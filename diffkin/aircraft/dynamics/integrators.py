"""One step of rigid-body attitude dynamics by three integrators, in plain torch operations.

The equations, in body axes (Hughes, "Spacecraft Attitude Dynamics", 1986, chapter 3), with attitude R, angular velocity
w, inertia J, spin momentum h of rotors and torque t::

    dR/dt = R hat(w),    dp/dt = p x w + t - J w (d + d |w|),    p = J w + h

All three integrators work on the angular momentum p. Attitude enters by multiplication from the left alone, so a step
is a turn of the body, ``R' = R P``, and a new momentum; P does not depend on R (but for Bullet's clamps).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from diffkin._algebra import apply, dot, matmul, safe_norm
from diffkin.kernels.attitude.constants import BULLET_MAX_RATE, BULLET_MAX_TURN
from diffkin.rotations import quat_xyzw_to_matrix, rotvec_to_matrix

__all__ = ["INTEGRATORS", "Body", "bullet", "lie_midpoint", "momentum", "orthonormalize", "rk4"]


class Body(NamedTuple):
    """What a step needs to know of the body.

    Attributes:
        inertia: (*batch, 3, 3) [kg m^2].
        inverse: (*batch, 3, 3), the inverse of ``inertia``.
        rotor: (*batch, 3) spin angular momentum of the rotors in body axes [N m s].
        damping: Bullet's damping d [1/s].
    """

    inertia: Tensor
    inverse: Tensor
    rotor: Tensor
    damping: float


Integrator = Callable[[Tensor, Tensor, Tensor, Body, float], tuple[Tensor, Tensor]]


def orthonormalize(matrix: Tensor) -> Tensor:
    """One Newton-Schulz step towards the nearest rotation, ``M (3 I - M^T M) / 2``; squares the distance from it.

    At a rotation its derivative is that of the nearest rotation.
    """
    eye = torch.eye(3, dtype=matrix.dtype, device=matrix.device)
    return matmul(matrix, 1.5 * eye - 0.5 * matmul(matrix.mT, matrix))


def momentum(omega: Tensor, body: Body) -> Tensor:
    """Angular momentum in body axes, ``J w + h``."""
    return apply(body.inertia, omega) + body.rotor


def _rate(p: Tensor, omega: Tensor, torque: Tensor, body: Body) -> Tensor:
    """dp/dt."""
    return _damped(p, omega, torch.linalg.cross(p, omega) + torque, body)


def _damped(p: Tensor, omega: Tensor, torque: Tensor, body: Body) -> Tensor:
    """A torque less that of the damping, ``J w (d + d |w|)``."""
    if body.damping == 0.0:
        return torque
    return torque - (p - body.rotor) * (body.damping * (1.0 + safe_norm(omega)))


def _omega(p: Tensor, body: Body) -> Tensor:
    return apply(body.inverse, p - body.rotor)


def _turn_rate(quat: Tensor, omega: Tensor) -> Tensor:
    """dq/dt = q (w, 0) / 2."""
    u, s = quat[..., :3], quat[..., 3:]
    return 0.5 * torch.cat([s * omega + torch.linalg.cross(u, omega), -dot(u, omega)], -1)


def rk4(R: Tensor, omega: Tensor, torque: Tensor, body: Body, dt: float) -> tuple[Tensor, Tensor]:
    """Classical Runge-Kutta step of order 4, the turn as a quaternion that is normalised at the end.

    Args:
        R: (*batch, 3, 3) attitude, body to inertial.
        omega: (*batch, 3) angular velocity in body axes [rad/s].
        torque: (*batch, 3) in body axes, held over the step [N m].
        body: Inertia, rotors and damping.
        dt: Step [s].

    Returns:
        R and omega after the step.
    """
    p1 = momentum(omega, body)
    f1 = _rate(p1, omega, torque, body)
    p2 = p1 + (0.5 * dt) * f1
    w2 = _omega(p2, body)
    f2 = _rate(p2, w2, torque, body)
    p3 = p1 + (0.5 * dt) * f2
    w3 = _omega(p3, body)
    f3 = _rate(p3, w3, torque, body)
    p4 = p1 + dt * f3
    w4 = _omega(p4, body)
    f4 = _rate(p4, w4, torque, body)
    p = p1 + (dt / 6.0) * (f1 + 2.0 * (f2 + f3) + f4)
    q1 = torch.cat([torch.zeros_like(w2), torch.ones_like(w2[..., :1])], -1)
    g1 = _turn_rate(q1, omega)
    g2 = _turn_rate(q1 + (0.5 * dt) * g1, w2)
    g3 = _turn_rate(q1 + (0.5 * dt) * g2, w3)
    g4 = _turn_rate(q1 + dt * g3, w4)
    q = q1 + (dt / 6.0) * (g1 + 2.0 * (g2 + g3) + g4)
    return orthonormalize(matmul(R, quat_xyzw_to_matrix(q))), _omega(p, body)


def lie_midpoint(R: Tensor, omega: Tensor, torque: Tensor, body: Body, dt: float) -> tuple[Tensor, Tensor]:
    """Explicit midpoint step on the group, of order 2; keeps angular momentum to rounding when no torque acts.

    Half a step predicts the momentum and angular velocity at its middle; the whole step turns by
    ``exp(dt w_half)`` and carries the momentum along, with the torque acting in the middle (after Krysl, "Explicit
    momentum-conserving integrator for dynamics of rigid bodies approximating the midpoint Lie algorithm", 2005)::

        p_half = exp(dt w / 2)^T p + dt/2 t            w_half = J^-1 (p_half - h)
        p' = exp(dt w_half)^T p + dt exp(dt w_half / 2)^T t_half

    Args:
        R: (*batch, 3, 3) attitude, body to inertial.
        omega: (*batch, 3) angular velocity in body axes [rad/s].
        torque: (*batch, 3) in body axes, held over the step [N m].
        body: Inertia, rotors and damping.
        dt: Step [s].

    Returns:
        R and omega after the step.
    """
    p = momentum(omega, body)
    turn = rotvec_to_matrix((0.5 * dt) * omega)
    half = apply(turn.mT, p) + (0.5 * dt) * _damped(p, omega, torque, body)
    omega_half = _omega(half, body)
    turn = rotvec_to_matrix((0.5 * dt) * omega_half)
    impulse = dt * _damped(half, omega_half, torque, body)
    p = apply(turn.mT, apply(turn.mT, p) + impulse)
    return orthonormalize(matmul(R, matmul(turn, turn))), _omega(p, body)


def bullet(R: Tensor, omega: Tensor, torque: Tensor, body: Body, dt: float) -> tuple[Tensor, Tensor]:
    """PyBullet's step for a free body: explicit Euler for the rate, then a turn by the *new* rate (order 1).

    ``w' = w + dt R J^-1 (t + p x w_b - J w_b (d + d |w_b|))`` in world axes, each component clamped to 100 rad/s, then
    ``R' = Exp(dt w') R``. Where the turn ``|w'| dt`` exceeds pi/4, Bullet puts pi/4 into sine and cosine but leaves the
    length of w' in the quaternion, ``(w' dt sin(pi/8) / (pi/4), cos(pi/8))``, and normalises it
    (btMultiBody::stepPositionsMultiDof; measured against PyBullet 3.2.7).

    Args:
        R: (*batch, 3, 3) attitude, body to inertial.
        omega: (*batch, 3) angular velocity in body axes [rad/s].
        torque: (*batch, 3) in body axes [N m].
        body: Inertia, rotors and damping.
        dt: Step [s].

    Returns:
        R and omega after the step.
    """
    p = momentum(omega, body)
    omega = omega + dt * apply(body.inverse, _rate(p, omega, torque, body))
    world = apply(R, omega)
    fast = (world.abs() > BULLET_MAX_RATE).any(-1, keepdim=True)
    omega = torch.where(fast, apply(R.mT, world.clamp(-BULLET_MAX_RATE, BULLET_MAX_RATE)), omega)
    turn = dt * omega
    far = dot(turn, turn) > BULLET_MAX_TURN**2
    scale = math.sin(0.5 * BULLET_MAX_TURN) / BULLET_MAX_TURN
    quat = torch.cat([scale * turn, torch.full_like(turn[..., :1], math.cos(0.5 * BULLET_MAX_TURN))], -1)
    wide = quat_xyzw_to_matrix(quat)
    small = rotvec_to_matrix(torch.where(far, 0.0, turn))
    return orthonormalize(matmul(R, torch.where(far.unsqueeze(-1), wide, small))), omega


INTEGRATORS: dict[str, Integrator] = {"rk4": rk4, "lie_midpoint": lie_midpoint, "bullet": bullet}
"""The integrators by name."""
