"""How good flights are: the cost that policies learn to lower, and figures that people read."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from diffkin._checks import check_floating
from diffkin._given import real, steps_in
from diffkin.errors import OptionError, ShapeError
from diffkin.learning.policy.craft import Craft
from diffkin.learning.policy.flight import FlightStarts, flight

__all__ = ["cost", "evaluate_policy", "scores"]


def cost(angle: Tensor, omega: Tensor, dt: float, *, rate_weight: float = 0.01, terminal: float = 0.5) -> Tensor:
    """What is to be small: angle and rate over time, and the angle over the last part once more.

    ``mean_t(|e| + w |omega|^2) + mean_(last part)(|e|)``, e the rotation vector to the goal.

    Args:
        angle: (steps + 1, n) [rad].
        omega: (steps + 1, 3, n) [rad/s].
        dt: Time between states [s].
        rate_weight: w [s^2/rad].
        terminal: Length of the last part [s].

    Returns:
        (n,) costs [rad].
    """
    _check_path(angle, omega)
    last = max(1, steps_in(real(terminal, "terminal", least=0.0), real(dt, "dt", above=0.0), "terminal"))
    return (angle[1:] + rate_weight * omega[1:].square().sum(-2)).mean(0) + angle[-last:].mean(0)


def scores(
    angle: Tensor, omega: Tensor, dt: float, *, seconds: float = 2.5, bound_deg: float = 2.0
) -> dict[str, float]:
    """Figures of a batch of flights that go on beyond the time that the cost looks at.

    Args:
        angle: (steps + 1, n) [rad].
        omega: (steps + 1, 3, n) [rad/s].
        dt: Time between states [s].
        seconds: Time that the cost covers.
        bound_deg: When a flight has settled.

    Returns:
        ``cost`` (mean), ``settle_mean_s`` and ``settle_p95_s`` (time from which the angle stays below the bound to the
        end; the whole time where it does not), ``under_2_deg`` (share at ``seconds``), ``error_median_deg``,
        ``error_max_deg`` (at ``seconds``).
    """
    _check_path(angle, omega)
    until = steps_in(real(seconds, "seconds", above=0.0), real(dt, "dt", above=0.0))
    if not 1 <= until < len(angle):
        raise OptionError(f"seconds must lie within the flights, {dt:g} to {(len(angle) - 1) * dt:g}, got {seconds}.")
    bound = math.radians(real(bound_deg, "bound_deg", above=0.0))
    outside = angle > bound
    index = torch.arange(1, len(angle) + 1, device=angle.device).unsqueeze(-1)
    settle = (outside * index).amax(0).clamp(max=len(angle) - 1) * dt
    error = angle[until].double().rad2deg()
    return {
        "cost": float(cost(angle[: until + 1], omega[: until + 1], dt).double().mean()),
        "settle_mean_s": float(settle.double().mean()),
        "settle_p95_s": float(settle.double().quantile(0.95)),
        "under_2_deg": float((angle[until] < bound).double().mean()),
        "error_median_deg": float(error.median()),
        "error_max_deg": float(error.max()),
    }


@torch.no_grad()
def evaluate_policy(
    policy: nn.Module, craft: Craft, starts: FlightStarts, seconds: float = 4.0, judged: float = 2.5
) -> dict[str, float]:
    """Scores of a policy; see ``scores``.

    Args:
        policy: The policy.
        craft: The nominal body.
        starts: Where to begin.
        seconds: Length of the flights.
        judged: The cost looks at this first part of them [s].

    Returns:
        Figures by name.
    """
    if not isinstance(craft, Craft):
        raise OptionError(f"A flight needs a Craft, got a {type(craft).__name__}.")
    flown = flight(policy, starts, craft, steps_in(real(seconds, "seconds", above=0.0), craft.dt, least=1))
    return scores(flown.angle, flown.omega, flown.dt, seconds=judged)


def _check_path(angle: Tensor, omega: Tensor) -> None:
    """Raise unless these are the angles (steps + 1, n) and rates (steps + 1, 3, n) of flights."""
    check_floating(angle, "angle")
    check_floating(omega, "omega")
    if angle.ndim != 2 or len(angle) < 2 or angle.shape[1] == 0:
        raise ShapeError(
            f"angle must have shape (steps + 1, n), one step and one flight at least, got {tuple(angle.shape)}."
        )
    if tuple(omega.shape) != (len(angle), 3, angle.shape[1]):
        raise ShapeError(f"omega must have shape {(len(angle), 3, angle.shape[1])}, got {tuple(omega.shape)}.")
