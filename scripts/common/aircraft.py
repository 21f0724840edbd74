"""What the two aircraft scripts share: typed configuration, controllers, and integrators beside PyBullet."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Optional

import torch
from common import require
from omegaconf import MISSING
from torch import Tensor

from diffkin import aircraft, rotations
from diffkin.errors import closest

__all__ = [
    "AircraftConfig",
    "ControllerConfig",
    "IntegratorConfig",
    "choose",
    "controller_of",
    "integrator_checks",
    "torque_limit",
]

CONTROLLERS = ("geometric_pd", "log_pd", "sqrt_cascade")


@dataclass
class AircraftConfig:
    """An airframe, what it may do, and what its controls can do."""

    robot: str = MISSING
    max_bank_deg: Optional[float] = None
    max_pitch_deg: Optional[float] = None
    torque_limit_nm: list[float] = MISSING


@dataclass
class ControllerConfig:
    """An attitude controller and its gains."""

    kind: str = MISSING
    k_attitude: float = MISSING
    k_rate: float = MISSING


@dataclass
class IntegratorConfig:
    """An integrator of attitude dynamics."""

    name: str = MISSING


def choose(value: str, choices: tuple[str, ...], what: str) -> str:
    """A choice from the configuration, or an error that names the valid ones."""
    if value not in choices:
        raise closest(value, choices, what)
    return value


def torque_limit(config: AircraftConfig) -> Tensor:
    """(3,) largest torque about each body axis [N m]."""
    limits = list(config.torque_limit_nm)
    right = len(limits) == 3 and all(0.0 < limit < math.inf for limit in limits)
    require(right, "aircraft.torque_limit_nm", limits, "three numbers above zero")
    return torch.tensor(limits, dtype=torch.float64)


def controller_of(
    config: ControllerConfig, inertia: Tensor, limit: Tensor, desired: Tensor
) -> Callable[[int, Tensor, Tensor], Tensor]:
    """The controller of the group ``controller``, saturated, for a batch of attitudes to reach."""
    kind = choose(config.kind, CONTROLLERS, "controller")
    law = getattr(aircraft, kind)
    k_attitude, k_rate = config.k_attitude, config.k_rate
    for name, gain in (("k_attitude", k_attitude), ("k_rate", k_rate)):
        require(0.0 < gain < math.inf, f"controller.{name}", gain, "a number above zero")
    moments = inertia.diagonal()
    gains: dict[str, Any]
    if kind == "sqrt_cascade":
        gains = {"k_attitude": k_attitude, "k_rate": k_rate, "acceleration": 0.5 * limit / moments}
    else:
        gains = {"k_attitude": k_attitude * moments, "k_rate": k_rate * moments}
    return lambda k, R, omega: aircraft.saturate(law(R, omega, desired, inertia, **gains), limit)


def integrator_checks(inertia: Tensor, seed: int) -> dict[str, float]:
    """Our integrators beside Bullet's own step, for bodies with this inertia.

    ``bullet_integrator_difference_rad``: over 2400 steps with torques and damping, the largest angle between the paths.
    ``rk4_difference_ratio`` and ``lie_difference_ratio``: how the difference from Bullet shrinks as the step is halved.
    """
    from diffkin.simulation.free_bodies import BULLET_DAMPING, compare_bullet_integrator, difference_ratio

    generator = torch.Generator().manual_seed(seed)
    start = rotations.random_rotation(4, seed=generator)
    rate = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    torque = torch.randn(4, 2400, 3, generator=generator, dtype=torch.float64) * inertia.diagonal()
    return {
        "bullet_integrator_difference_rad": compare_bullet_integrator(
            start, rate, inertia, torque, damping=BULLET_DAMPING
        ),
        "rk4_difference_ratio": difference_ratio(start, rate, inertia, integrator="rk4"),
        "lie_difference_ratio": difference_ratio(start, rate, inertia, integrator="lie_midpoint"),
    }
