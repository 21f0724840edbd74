"""Networks with one answer to a pose: joints regressed, which fails, and trained through forward kinematics."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffkin import kinematics
from diffkin._given import one_of, real
from diffkin.learning.inverse.layers import StackedMLP, with_waves
from diffkin.learning.inverse.network import IKNetwork
from diffkin.learning.sizes import take_sizes
from diffkin.robot import Robot

__all__ = ["Regression", "RegressionSettings", "ThroughFK", "ThroughFKSettings"]


@dataclass(frozen=True)
class RegressionSettings:
    """Settings of ``Regression``.

    Attributes:
        name: Name in the group ``network``.
        width: Numbers between layers.
        depth: Residual layers.
        octaves: Frequencies of sines and cosines of the inputs beside the inputs themselves.
    """

    name: str = "regression"
    width: int = 256
    depth: int = 3
    octaves: int = 2

    def __post_init__(self) -> None:
        take_sizes(self, "width", "depth", "octaves")


@dataclass(frozen=True)
class ThroughFKSettings:
    """Settings of ``ThroughFK``.

    Attributes:
        name: Name in the group ``network``.
        width: Numbers between layers.
        depth: Residual layers.
        octaves: Frequencies of sines and cosines of the inputs beside the inputs themselves.
        turn_weight: Weight of the rotation's error [m/rad] beside the position's.
        squash: How outputs are brought within limits: "tanh", or "sin", which folds back instead of flattening out.
    """

    name: str = "through_fk"
    width: int = 256
    depth: int = 3
    octaves: int = 2
    turn_weight: float = 0.3
    squash: str = "tanh"

    def __post_init__(self) -> None:
        take_sizes(self, "width", "depth", "octaves")
        object.__setattr__(self, "turn_weight", real(self.turn_weight, "network.turn_weight", least=0.0))
        one_of(self.squash, _SQUASH, "squash")


_SQUASH = {"tanh": torch.tanh, "sin": torch.sin}


class _OneAnswer(IKNetwork):
    """A pose in nine numbers, a residual network, and an output brought within the limits."""

    deterministic = True
    scale: Tensor
    centre: Tensor

    def __init__(
        self,
        robot: Robot,
        settings: RegressionSettings | ThroughFKSettings,
        squash: str,
        span: tuple[Tensor, Tensor] | None,
    ) -> None:
        super().__init__(robot, settings, span)
        self.squash = _SQUASH[squash]
        tips = self.typical_tips(1024)
        self.register_buffer("centre", tips.mean(0), persistent=False)
        self.register_buffer("scale", tips.std(0).max().clamp(min=1e-6), persistent=False)
        inputs = 12 * (1 + 2 * settings.octaves)
        self.mlp = StackedMLP(1, inputs, robot.dof, settings.width, settings.depth, gain=0.1)

    def forward(self, T_target: Tensor) -> Tensor:
        """(batch, 4, 4) poses to (batch, dof) coordinates within the limits."""
        position = (T_target[:, :3, 3] - self.centre) / self.scale
        pose = torch.cat((position, T_target[:, :3, :3].flatten(-2)), dim=-1)
        raw = self.mlp(with_waves(pose, self.settings.octaves)[None])[0]
        return self.middle + self.radius * self.squash(raw.to(self.middle.dtype))  # angles are not of half precision

    def draw(self, T_target: Tensor, generator: torch.Generator) -> Tensor:
        return self(T_target)


class Regression(_OneAnswer):
    """Mean squared error to the joints that made the pose: the mean of many solutions, which is none."""

    def __init__(self, robot: Robot, settings: RegressionSettings, span: tuple[Tensor, Tensor] | None = None) -> None:
        super().__init__(robot, settings, "tanh", span)

    def loss(self, *batch: Tensor) -> Tensor:
        q, T_target = batch
        return ((self(T_target) - q) / self.radius).square().mean()


class ThroughFK(_OneAnswer):
    """The error of the pose that forward kinematics makes of the answer; which solution to give is left open.

    ``|p - p*| + w |R - R*|_F / sqrt 2``, the latter close to the angle [rad] where it is small.
    """

    def __init__(self, robot: Robot, settings: ThroughFKSettings, span: tuple[Tensor, Tensor] | None = None) -> None:
        super().__init__(robot, settings, settings.squash, span)
        self.turn_weight = settings.turn_weight
        self.tip = self.robot.link_index(None)

    def loss(self, *batch: Tensor) -> Tensor:
        _, T_target = batch
        tree = self.single.tree.on(T_target.device)
        gap = (kinematics.forward(tree, self(T_target), self.tip) - T_target)[:, :3]
        position = (gap[..., 3].square().sum(-1) + 1e-12).sqrt()  # the root of zero has no gradient
        turn = (0.5 * gap[..., :3].square().sum((-1, -2)) + 1e-12).sqrt()
        return (position + self.turn_weight * turn).mean()
