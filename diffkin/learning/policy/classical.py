"""Classical attitude laws as differentiable policies: their gains are learned."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from diffkin._given import real_list
from diffkin.aircraft import sqrt_law
from diffkin.errors import OptionError
from diffkin.learning.policy.craft import Craft
from diffkin.learning.policy.flight import FlightState
from diffkin.learning.policy.policy import Policy, gyroscopic, saturated
from diffkin.learning.training.positive import PositiveNumbers

__all__ = ["CascadePolicy", "CascadeSettings", "Gains", "PDPolicy", "PDSettings"]


class Gains(PositiveNumbers):
    """Positive gains to learn, one for each body axis.

    Args:
        **initial: By name, a number or three.
    """

    def __init__(self, **initial: float | list[float]) -> None:
        if not initial:
            raise OptionError("Gains need at least one name, as in Gains(k_rate=9.0).")
        gains = [real_list(value, name, above=0.0) for name, value in initial.items()]
        rows = [gain if isinstance(gain, list) else [gain] * 3 for gain in gains]
        super().__init__(torch.tensor(rows, dtype=torch.float32, device="cpu"), initial)
        self.names = tuple(initial)

    def forward(self) -> list[Tensor]:
        """The gains in the order of their names, (3, 1) each."""
        return list(self.values().unsqueeze(-1))

    def table(self) -> dict[str, list[float]]:
        """The gains by name."""
        return {name: gain.detach().flatten().tolist() for name, gain in zip(self.names, self(), strict=True)}


def _take_gains(settings: PDSettings | CascadeSettings) -> None:
    """Each field is a positive number or three."""
    for field in dataclasses.fields(settings):
        gain = real_list(getattr(settings, field.name), f"controller.{field.name}", above=0.0)
        object.__setattr__(settings, field.name, gain)


@dataclass(frozen=True)
class PDSettings:
    """Settings of ``PDPolicy``.

    Attributes:
        k_attitude: On the rotation vector [1/s^2].
        k_rate: On the rate [1/s].
    """

    k_attitude: float | list[float] = 36.0
    k_rate: float | list[float] = 9.0

    def __post_init__(self) -> None:
        _take_gains(self)


class PDPolicy(Policy):
    """``t = -J (k_attitude e + k_rate w) + w x J w``, e the rotation vector to the goal (``aircraft.log_pd``)."""

    def __init__(self, settings: PDSettings) -> None:
        super().__init__()
        self.settings = settings
        self.gains = Gains(k_attitude=settings.k_attitude, k_rate=settings.k_rate)

    def forward(self, state: FlightState, craft: Craft) -> Tensor:
        k_attitude, k_rate = self.gains()
        wish = k_attitude * state.rotvec + k_rate * state.omega
        return saturated(gyroscopic(state, craft) - craft.moments.unsqueeze(-1) * wish, craft)


@dataclass(frozen=True)
class CascadeSettings:
    """Settings of ``CascadePolicy``.

    Attributes:
        k_attitude: Slope of the square-root law near zero [1/s].
        braking: Deceleration to count on, as a share of torque limit over moment of inertia.
        k_rate: Gain of the rate loop [1/s].
    """

    k_attitude: float | list[float] = 4.0
    braking: float | list[float] = 0.5
    k_rate: float | list[float] = 12.0

    def __post_init__(self) -> None:
        _take_gains(self)


class CascadePolicy(Policy):
    """Rotation vector, then a rate by the square-root law, then a torque (``aircraft.sqrt_cascade``)."""

    def __init__(self, settings: CascadeSettings) -> None:
        super().__init__()
        self.settings = settings
        self.gains = Gains(k_attitude=settings.k_attitude, braking=settings.braking, k_rate=settings.k_rate)

    def forward(self, state: FlightState, craft: Craft) -> Tensor:
        return saturated(self.wish(state, craft, 0.0), craft)

    def wish(self, state: FlightState, craft: Craft, extra_rate: Tensor | float) -> Tensor:
        """Torque asked for, before its limits; ``extra_rate`` [rad/s] is added to the rate that the law commands."""
        k_attitude, braking, k_rate = self.gains()
        moments = craft.moments.unsqueeze(-1)
        acceleration = braking * (craft.limit.unsqueeze(-1) / moments)
        short = state.omega + sqrt_law(state.rotvec, k_attitude, acceleration) - extra_rate
        return gyroscopic(state, craft) - moments * k_rate * short
