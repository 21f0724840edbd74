"""Attitude of rigid bodies over time, with gradients: the public call, its checks, and the choice of the route."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import inverse
from diffkin._checks import (
    broadcast,
    check_finite,
    check_floating,
    check_last,
    check_memory,
    check_rotation,
    has_values,
)
from diffkin._gate import kernels_apply
from diffkin.aircraft._inputs import check_choice, check_rows, check_same_device, first_place, number, whole
from diffkin.aircraft.dynamics.by_kernel import simulate_by_kernel
from diffkin.aircraft.dynamics.by_torch import simulate_by_torch
from diffkin.aircraft.dynamics.integrators import INTEGRATORS, Body, orthonormalize
from diffkin.aircraft.dynamics.rigid_body import check_inertia
from diffkin.aircraft.dynamics.rollout import rollout
from diffkin.errors import NonFiniteError, OptionError, ShapeError

__all__ = ["simulate_attitude"]

Feedback = Callable[[int, Tensor, Tensor], Tensor]


def simulate_attitude(
    R0: Float[Tensor, "*batch 3 3"],
    omega0: Float[Tensor, "*batch 3"],
    inertia: Tensor,
    torque: Tensor | Feedback | None = None,
    *,
    dt: float,
    steps: int,
    integrator: str = "rk4",
    damping: float = 0.0,
    rotor_momentum: Tensor | None = None,
    checkpoint: bool | None = None,
    backend: str | None = None,
) -> tuple[Tensor, Tensor]:
    """Attitude and angular velocity of rigid bodies over time.

    Euler's equations with rotors, in body axes: ``J dw/dt = t - w x (J w + h) - J w (d + d |w|)``, ``dR/dt = R hat(w)``
    (Hughes, "Spacecraft Attitude Dynamics", 1986, chapter 3). Everything is differentiable: to ``R0``, ``omega0``,
    ``inertia``, ``rotor_momentum``, a torque tensor, and whatever a feedback function uses.

    Args:
        R0: (*batch, 3, 3) initial attitude, body to any inertial frame. Off by rounding, the nearest rotation is meant.
        omega0: (*batch, 3) initial angular velocity in body axes [rad/s].
        inertia: (3,) principal moments, or (3, 3) or (*batch, 3, 3) with products [kg m^2].
        torque: In body axes [N m], held over each step. None; a tensor with as many axes as ``omega0``, or (3,):
            constant; a tensor with one axis more, (*batch, steps, 3): one for each step; or a function
            ``(k, R, omega) -> (*batch, 3)``, asked once at the start of step k; the tensors it gets are its own.
        dt: Step [s].
        steps: Number of steps.
        integrator: "rk4" (order 4), "lie_midpoint" (order 2, on the group, keeps angular momentum) or "bullet"
            (PyBullet's step with its clamps: 100 rad/s for each component in world axes, pi/4 in a step).
        damping: Bullet's linear plus quadratic damping d [1/s], as a torque ``-J w (d + d |w|)``.
        rotor_momentum: (3,) or (*batch, 3) constant spin angular momentum h of rotors in body axes [N m s].
        checkpoint: Whether a backward pass through a feedback function runs the steps again, segment by segment, to
            bound its memory; the function is then asked again during that pass, so it must not keep a state of its
            own. None: from 256 steps on where a gradient is needed.
        backend: None: the CPU kernels where they apply (no feedback function), else torch; "reference": torch.

    Returns:
        R: (*batch, steps + 1, 3, 3), rotations to rounding; the first is ``R0``.
        omega: (*batch, steps + 1, 3) in body axes [rad/s].

    Raises:
        ShapeError: Shapes do not fit each other.
        RotationError: ``R0`` is no rotation.
        AttitudeError: The inertia is that of no body: not symmetric, not positive definite, or one principal moment
            exceeds the sum of the two others.
        NonFiniteError: NaN or infinity, or a torque of a feedback function that is; or ``dt`` is so large that the body
            leaves the range of numbers. The message names the step and the batch element.
        OptionError: ``dt`` is not positive, ``steps`` or ``damping`` negative, or the history larger than memory.
        UnknownNameError: Unknown integrator or backend.
    """
    if backend is not None:
        check_choice(backend, ("reference",), "backend")
    check_choice(integrator, INTEGRATORS, "integrator")
    dt = number(dt, "dt", sign="positive", unit="in seconds")
    damping = number(damping, "damping", sign="not negative", unit="in 1/s")
    steps = whole(steps, "steps")
    check_rotation(R0, "R0")
    check_last(omega0, (3,), "omega0")
    check_finite(omega0, "omega0")
    J = check_inertia(inertia)
    h = torch.zeros(3, dtype=omega0.dtype, device=omega0.device) if rotor_momentum is None else rotor_momentum
    check_last(h, (3,), "rotor_momentum")
    check_finite(h, "rotor_momentum")

    shapes = {"R0": R0.shape[:-2], "omega0": omega0.shape[:-1], "inertia": J.shape[:-2], "rotor_momentum": h.shape[:-1]}
    given = torque if isinstance(torque, Tensor) else None
    per_step = False
    if given is not None:
        per_step = _torque_per_step(given, omega0, steps)
        shapes["torque"] = given.shape[:-2] if per_step else given.shape[:-1]
    elif torque is not None and not callable(torque):
        raise OptionError(f"torque must be None, a tensor or a function of (k, R, omega), got {type(torque).__name__}.")
    check_same_device(R0=R0, omega0=omega0, inertia=J, rotor_momentum=h, torque=given)
    batch = broadcast(**shapes)
    dtype = R0.dtype
    for tensor in (omega0, J, h, given):
        dtype = dtype if tensor is None else torch.promote_types(dtype, tensor.dtype)

    R = _nearest(R0.to(dtype))
    omega, J, h = omega0.to(dtype), J.to(dtype), h.to(dtype)
    given = None if given is None else given.to(dtype)
    numbers = (
        12 * batch.numel() * (steps + 1) * (2 if callable(torque) else 1)
    )  # a rollout stacks its states in the end
    check_memory(numbers, omega, f"The history of {steps} steps of the batch {tuple(batch)}")
    body = Body(J, inverse(J)[0], h, damping)
    R, omega = R.expand(*batch, 3, 3), omega.expand(*batch, 3)
    if not callable(torque):
        held = R.new_zeros(3) if given is None else given
        fast = backend is None and steps > 0 and R.numel() > 0 and kernels_apply(R0, omega0, J, h, held)
        run = simulate_by_kernel if fast else simulate_by_torch
        all_R, all_omega = run(R, omega, body, held, per_step, dt, integrator, steps)
        _check_run(all_R, all_omega, dt)
        return all_R, all_omega
    advance = INTEGRATORS[integrator]
    fast = backend is None and R.numel() > 0 and kernels_apply(R0, omega0, J, h)

    def step(k: int, R: Tensor, omega: Tensor) -> tuple[Tensor, Tensor]:
        tau = _asked(torque, k, R, omega)
        if fast and kernels_apply(tau):
            after_R, after_omega = simulate_by_kernel(R, omega, body, tau, False, dt, integrator, 1)
            return orthonormalize(after_R[..., 1, :, :]), after_omega[..., 1, :]
        return advance(R, omega, tau, body, dt)

    all_R, all_omega = rollout(step, (R, omega), steps, checkpoint)
    all_R, all_omega = all_R.movedim(0, -3), all_omega.movedim(0, -2)
    _check_run(all_R, all_omega, dt, torque)
    return all_R, all_omega


def _nearest(R: Tensor) -> Tensor:
    """The nearest rotation of a matrix that is within 1e-5 of one: each step squares the distance."""
    for _ in range(3):
        R = orthonormalize(R)
    return R


def _torque_per_step(torque: Tensor, omega0: Tensor, steps: int) -> bool:
    check_last(torque, (3,), "torque")
    check_finite(torque, "torque")
    if torque.ndim == 1 or torque.ndim == omega0.ndim:
        return False
    if torque.ndim == omega0.ndim + 1 and torque.shape[-2] == steps:
        return True
    raise ShapeError(
        f"torque has shape {tuple(torque.shape)}. With omega0 {tuple(omega0.shape)} and {steps} steps it must be (3,), "
        f"or have {omega0.ndim} axes (constant), or {omega0.ndim + 1} axes, the last two ({steps}, 3) (one per step)."
    )


def _asked(torque: Feedback, k: int, R: Tensor, omega: Tensor) -> Tensor:
    """The torque of a feedback function, which gets copies: what it changes in place is its own."""
    tau = torque(k, R.clone(), omega.clone())
    check_floating(tau, "the torque of the feedback function")
    fits = (
        0 < tau.ndim <= omega.ndim
        and tau.shape[-1] == 3
        and all(own in (1, wanted) for own, wanted in zip(reversed(tau.shape), reversed(omega.shape), strict=False))
    )
    if not fits:
        raise ShapeError(f"The feedback function returned {tuple(tau.shape)}, expected {tuple(omega.shape)}.")
    check_same_device(**{"the torque of the feedback function": tau, "omega": omega})
    return tau.to(omega.dtype)


def _check_run(R: Tensor, omega: Tensor, dt: float, torque: Feedback | None = None) -> None:
    """Raise if a body left the range of numbers, from which none comes back: the end of the history tells."""
    if not has_values(R, omega) or omega.numel() == 0:
        return
    R, omega = R.detach(), omega.detach()
    if bool(R[..., -1, :, :].isfinite().all() & omega[..., -1, :].isfinite().all()):
        return
    bad = ~(R.flatten(-2).isfinite().all(-1) & omega.isfinite().all(-1))[..., 1:]
    if torque is not None:
        k = int(bad.reshape(-1, bad.shape[-1]).any(0).nonzero()[0])
        with torch.no_grad():
            tau = _asked(torque, k, R[..., k, :, :], omega[..., k, :])
        check_rows(tau, f"The torque of the feedback function at step {k}", steps=False)
    raise NonFiniteError(
        f"The body left the range of numbers{first_place(bad, steps=True)}: dt = {dt:g} s is too large for these rates and "
        "torques. Take a smaller one."
    )
