"""Attitude dynamics by torch operations: any dtype and device, every transform and order of derivative."""

from __future__ import annotations

from torch import Tensor

from diffkin.aircraft.dynamics.integrators import INTEGRATORS, Body
from diffkin.aircraft.dynamics.rollout import rollout

__all__ = ["simulate_by_torch"]


def simulate_by_torch(
    R: Tensor, omega: Tensor, body: Body, torque: Tensor, per_step: bool, dt: float, integrator: str, steps: int
) -> tuple[Tensor, Tensor]:
    """Attitudes and rates under a torque that is known beforehand; arguments as in ``simulate_attitude``, checked.

    Args:
        R: (*batch, 3, 3) rotations, with all leading axes.
        omega: (*batch, 3), with all leading axes.
        body: Its tensors' leading axes broadcast with the batch.
        torque: (..., 3) constant, or (..., steps, 3); leading axes broadcast.
        per_step: Whether there is a torque for each step.
        dt: Step [s].
        integrator: Name.
        steps: Number of steps.

    Returns:
        R (*batch, steps + 1, 3, 3) and omega (*batch, steps + 1, 3).
    """
    advance = INTEGRATORS[integrator]

    def step(k: int, R: Tensor, omega: Tensor) -> tuple[Tensor, ...]:
        return advance(R, omega, torque[..., k, :] if per_step else torque, body, dt)

    all_R, all_omega = rollout(step, (R, omega), steps)
    return all_R.movedim(0, -3), all_omega.movedim(0, -2)
