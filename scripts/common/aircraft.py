"""What the two aircraft scripts share: airframes of the group ``aircraft``, controllers, integrators."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Optional

import torch
from torch import Tensor

from common.given import unused
from common.settings import choose, require
from diffkin import aircraft

__all__ = [
    "AircraftConfig",
    "ControllerConfig",
    "IntegratorConfig",
    "check_body_alone",
    "check_unflown",
    "controller_of",
    "load_airframe",
    "torque_limit",
]

CONTROLLERS = ("geometric_pd", "log_pd", "sqrt_cascade")


@dataclass(frozen=True)
class AircraftConfig:
    """An airframe, what it may do, and what its controls can do: ``aircraft=NAME``, or ``aircraft.path=FILE``."""

    robot: str
    torque_limit_nm: list[float]
    max_bank_deg: Optional[float] = None
    max_pitch_deg: Optional[float] = None
    path: Optional[str] = None

    def check(self) -> None:
        """Raise for limits out of range."""
        for name in ("max_bank_deg", "max_pitch_deg"):
            limit = getattr(self, name)
            require(limit is None or 0.0 < limit <= 90.0, f"aircraft.{name}", limit, "a number above 0 and at most 90")

    def max_bank(self) -> float | None:
        """[rad]."""
        return None if self.max_bank_deg is None else math.radians(self.max_bank_deg)

    def max_pitch(self) -> float | None:
        """[rad]."""
        return None if self.max_pitch_deg is None else math.radians(self.max_pitch_deg)


@dataclass(frozen=True)
class ControllerConfig:
    """An attitude controller and its gains."""

    kind: str
    k_attitude: float
    k_rate: float


@dataclass(frozen=True)
class IntegratorConfig:
    """An integrator of attitude dynamics."""

    name: str


def load_airframe(config: AircraftConfig) -> aircraft.Airframe:
    """The airframe of the group ``aircraft``."""
    return aircraft.load_airframe(config.path or config.robot)


def check_body_alone(config: AircraftConfig, why: str) -> None:
    """Raise for limits that were given where only the body is used, and for a choice beside a file."""
    for name in ("max_bank_deg", "max_pitch_deg", "torque_limit_nm"):
        unused(f"aircraft.{name}", why)
    if config.path:
        unused("aircraft", "the body is that of aircraft.path", but=[field.name for field in fields(AircraftConfig)])


def check_unflown(bullet: bool, flights: int) -> None:
    """Raise for settings that would change nothing where nothing is set in PyBullet, or flown there."""
    if not bullet:
        unused("check", "check.pybullet is false", but=("pybullet",), none=True)
    for key in ("controller", "aircraft.torque_limit_nm", "check.seconds") if not bullet or flights == 0 else ():
        unused(key, "nothing is flown, for check.pybullet is false or check.flights is 0")


def torque_limit(config: AircraftConfig) -> Tensor:
    """(3,) largest torque about each body axis [N m]."""
    limits = config.torque_limit_nm
    right = len(limits) == 3 and all(0.0 < limit < math.inf for limit in limits)
    require(right, "aircraft.torque_limit_nm", limits, "three numbers above zero")
    return torch.tensor(limits, dtype=torch.float64)


def controller_of(
    config: ControllerConfig, inertia: Tensor, limit: Tensor, desired: Tensor
) -> Callable[[int, Tensor, Tensor], Tensor]:
    """The controller of the group ``controller``, saturated, for a batch of attitudes to reach."""
    kind = choose(config.kind, CONTROLLERS, "controller.kind")
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
