"""Attitude controllers as differentiable policies: classical laws whose gains are learned, networks, and both."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from diffkin.aircraft import sqrt_law
from diffkin.errors import OptionError, closest
from diffkin.learning.policy.flight import Craft, FlightState

__all__ = [
    "POLICIES",
    "CascadePolicy",
    "Gains",
    "NetworkPolicy",
    "PDPolicy",
    "Policy",
    "ResidualPolicy",
    "make_policy",
    "settings_of",
]

_STRETCH = 10.0  # gains move this much faster than weights, so that one learning rate serves both


class Gains(nn.Module):
    """Positive gains, one for each body axis: ``initial * exp(10 theta)``, theta from zero.

    Args:
        **initial: By name, a number or three.
    """

    start: Tensor

    def __init__(self, **initial: float | list[float]) -> None:
        super().__init__()
        self.names = tuple(initial)
        rows = [torch.as_tensor(value, dtype=torch.float32).expand(3) for value in initial.values()]
        start = torch.stack(rows)
        if not bool((start > 0).all() and start.isfinite().all()):
            raise OptionError(f"Gains must be positive numbers, got {initial}.")
        self.theta = nn.Parameter(torch.zeros(len(rows), 3))
        self.register_buffer("start", start)

    def forward(self) -> list[Tensor]:
        """The gains in the order of their names, (3, 1) each."""
        return list((self.start * torch.exp(_STRETCH * self.theta)).unsqueeze(-1))

    def table(self) -> dict[str, list[float]]:
        """The gains by name."""
        return {name: gain.detach().flatten().tolist() for name, gain in zip(self.names, self(), strict=True)}


class Policy(nn.Module):
    """A module ``(state, craft) -> (3, n)``: torques [N m] within the craft's limits.

    Attributes:
        settings: What it was made from.
        craft: The body that it was trained on, if it was read from a file.
    """

    settings: Any
    craft: Craft | None = None


def gyroscopic(state: FlightState, craft: Craft) -> Tensor:
    """``w x J w`` of the nominal body, which every classical law cancels."""
    return torch.linalg.cross(state.omega, craft.inertia @ state.omega, dim=0)


def saturated(torque: Tensor, craft: Craft) -> Tensor:
    """Each component within its limit."""
    limit = craft.limit.unsqueeze(-1)
    return torch.maximum(torch.minimum(torque, limit), -limit)


@dataclass(frozen=True)
class PDSettings:
    """Settings of ``PDPolicy``.

    Attributes:
        k_attitude: On the rotation vector [1/s^2].
        k_rate: On the rate [1/s].
    """

    k_attitude: float | list[float] = 36.0
    k_rate: float | list[float] = 9.0


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


@dataclass(frozen=True)
class NetworkSettings:
    """Settings of ``NetworkPolicy``.

    Attributes:
        width: Numbers between layers.
        depth: Hidden layers.
    """

    width: int = 64
    depth: int = 2


def _mlp(inputs: int, outputs: int, width: int, depth: int, scale: float) -> nn.Sequential:
    """Layers with tanh between them; the last one begins as torch makes it, times ``scale``."""
    if width < 1 or depth < 1:
        raise OptionError(f"A network needs width and depth of at least 1, got {width} and {depth}.")
    layers: list[nn.Module] = []
    for size in [inputs] + (depth - 1) * [width]:
        layers += [nn.Linear(size, width), nn.Tanh()]
    last = nn.Linear(width, outputs)
    with torch.no_grad():
        last.weight.mul_(scale)
        last.bias.mul_(scale)
    return nn.Sequential(*layers, last)


def features(state: FlightState, craft: Craft) -> Tensor:
    """(n, 13): quaternion, rotation vector, rate, and the motors' torque over their limits; of size one.

    Rates are in units of what the limits make in half a second, so that bodies with like accelerations look alike.
    """
    torque = state.torque / craft.limit.unsqueeze(-1)
    return torch.cat([state.quat_xyzw, state.rotvec * 0.5, state.omega * 0.25, torque]).T


class NetworkPolicy(Policy):
    """A plain network from the state to torques over their limits, through a hyperbolic tangent; weak at the start."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        # With the torques that torch's layers give at first, a tenth of the limits, two seeds of four never learn.
        self.mlp = _mlp(13, 3, settings.width, settings.depth, scale=0.1)

    def forward(self, state: FlightState, craft: Craft) -> Tensor:
        return craft.limit.unsqueeze(-1) * torch.tanh(self.mlp(features(state, craft)).T)


@dataclass(frozen=True)
class ResidualSettings:
    """Settings of ``ResidualPolicy``.

    Attributes:
        width: Numbers between layers.
        depth: Hidden layers.
        max_rate: Largest change of the commanded rate [rad/s].
        learn_gains: Whether the cascade's gains learn too. Rate loops then grow stiff until they ring with the motors'
            lag and gradients explode, so they do not unless asked.
        cascade: Gains of the cascade at the start.
    """

    width: int = 64
    depth: int = 2
    max_rate: float = 4.0
    learn_gains: bool = False
    cascade: CascadeSettings = dataclasses.field(default_factory=CascadeSettings)


class ResidualPolicy(Policy):
    """The cascade, with a network's changes to the rate that it commands and to its torque; none at the start.

    The torque is ``(1 - |b|) t + b limit``, t the saturated torque of the cascade and b in (-1, 1) from the network: it
    stays within limits, and unlike a sum that is cut off it has a slope where the cascade asks for all there is. What
    the network answers at the goal is taken off, so that the goal stays an equilibrium.
    """

    goal: Tensor

    def __init__(self, settings: ResidualSettings) -> None:
        super().__init__()
        self.settings = settings
        self.cascade = CascadePolicy(settings.cascade).requires_grad_(settings.learn_gains)
        self.mlp = _mlp(13, 6, settings.width, settings.depth, scale=0.0)
        self.max_rate = settings.max_rate
        self.register_buffer(
            "goal", torch.eye(1, 13).roll(3, -1), persistent=False
        )  # features of the body at rest there

    def forward(self, state: FlightState, craft: Craft) -> Tensor:
        raw = self.mlp(torch.cat([features(state, craft), self.goal])).T
        change = torch.tanh(raw[:, :-1] - raw[:, -1:])
        classical = saturated(self.cascade.wish(state, craft, self.max_rate * change[:3]), craft)
        blend = change[3:]
        return classical - blend.abs() * classical + blend * craft.limit.unsqueeze(-1)


POLICIES: dict[str, tuple[type[Policy], type[Any]]] = {
    "pd": (PDPolicy, PDSettings),
    "cascade": (CascadePolicy, CascadeSettings),
    "network": (NetworkPolicy, NetworkSettings),
    "residual": (ResidualPolicy, ResidualSettings),
}


def make_policy(kind: str, settings: Mapping[str, Any] | None = None, seed: int = 0) -> Policy:
    """A new policy.

    Args:
        kind: One of ``POLICIES``.
        settings: Any fields of its settings.
        seed: Of the initial weights.

    Returns:
        The policy, float32 on the CPU.

    Raises:
        diffkin.errors.UnknownNameError: There is no such policy or setting.
        diffkin.errors.OptionError: A gain or a size is not positive.
    """
    if kind not in POLICIES:
        raise closest(kind, POLICIES, "policy")
    make, settings_kind = POLICIES[kind]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make(_filled(settings_kind, settings or {}, kind))


def settings_of(policy: Policy) -> tuple[str, Any]:
    """Kind and settings of a policy that ``make_policy`` made."""
    for kind, (make, _) in POLICIES.items():
        if type(policy) is make:
            return kind, policy.settings
    raise OptionError(f"Expected one of the policies {', '.join(POLICIES)}, got a {type(policy).__name__}.")


def _filled(kind: type[Any], values: Mapping[str, Any], where: str) -> Any:
    known = {field.name for field in dataclasses.fields(kind)}
    for key in values:
        if key not in known:
            raise closest(key, known, f"setting of policy {where!r}:")
    given = dict(values)
    if isinstance(given.get("cascade"), Mapping):
        given["cascade"] = _filled(CascadeSettings, given["cascade"], "cascade")
    return kind(**given)
