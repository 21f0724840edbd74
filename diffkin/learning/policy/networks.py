"""Attitude policies with networks: one from state to torque, and one that corrects a classical law."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from diffkin._given import flag, real
from diffkin.errors import OptionError
from diffkin.learning.policy.classical import CascadePolicy, CascadeSettings
from diffkin.learning.policy.craft import Craft
from diffkin.learning.policy.flight import FlightState
from diffkin.learning.policy.policy import Policy, saturated
from diffkin.learning.sizes import check_weights, take_sizes

__all__ = ["NetworkPolicy", "NetworkSettings", "ResidualPolicy", "ResidualSettings", "state_features"]


@dataclass(frozen=True)
class NetworkSettings:
    """Settings of ``NetworkPolicy``.

    Attributes:
        width: Numbers between layers.
        depth: Hidden layers.
    """

    width: int = 64
    depth: int = 2

    def __post_init__(self) -> None:
        take_sizes(self, "width", "depth", group="controller")


def _mlp(inputs: int, outputs: int, width: int, depth: int, scale: float) -> nn.Sequential:
    """Layers with tanh between them; the last one begins as torch makes it, times ``scale``."""
    weights = (inputs + 1) * width + (depth - 1) * (width + 1) * width + (width + 1) * outputs
    check_weights(weights, f"width={width} and depth={depth}")
    layers: list[nn.Module] = []
    for size in [inputs] + (depth - 1) * [width]:
        layers += [nn.Linear(size, width), nn.Tanh()]
    last = nn.Linear(width, outputs)
    with torch.no_grad():
        last.weight.mul_(scale)
        last.bias.mul_(scale)
    return nn.Sequential(*layers, last)


def state_features(state: FlightState, craft: Craft) -> Tensor:
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
        return craft.limit.unsqueeze(-1) * torch.tanh(self.mlp(state_features(state, craft)).T.to(state.omega.dtype))


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

    def __post_init__(self) -> None:
        take_sizes(self, "width", "depth", group="controller")
        object.__setattr__(self, "max_rate", real(self.max_rate, "controller.max_rate", above=0.0))
        object.__setattr__(self, "learn_gains", flag(self.learn_gains, "controller.learn_gains"))
        if not isinstance(self.cascade, CascadeSettings):
            raise OptionError(f"controller.cascade must hold the settings of a cascade, got {self.cascade!r}.")


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
            "goal", torch.eye(1, 13, device="cpu").roll(3, -1), persistent=False
        )  # features of the body at rest there

    def forward(self, state: FlightState, craft: Craft) -> Tensor:
        features = torch.cat([state_features(state, craft), self.goal])
        raw = self.mlp(features).T.to(features.dtype)
        change = torch.tanh(raw[:, :-1] - raw[:, -1:])
        classical = saturated(self.cascade.wish(state, craft, self.max_rate * change[:3]), craft)
        blend = change[3:]
        return classical - blend.abs() * classical + blend * craft.limit.unsqueeze(-1)
