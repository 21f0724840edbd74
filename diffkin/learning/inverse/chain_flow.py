"""A density over all inverse-kinematics solutions, one joint at a time along the chain.

``p(q | T) = prod_j p(q_j | target in joint j's own frame)``: given the joints before it, the rest of the chain is a
smaller inverse-kinematics problem, and the target in the joint's frame says all about it. Forward kinematics does the
rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._given import one_of, real
from diffkin.errors import OptionError
from diffkin.learning.inverse.heads import HEADS
from diffkin.learning.inverse.joint_order import JointOrder
from diffkin.learning.inverse.layers import StackedMLP, with_waves
from diffkin.learning.inverse.network import IKNetwork
from diffkin.learning.sizes import take_sizes
from diffkin.robot import Robot

__all__ = ["ChainFlow", "ChainFlowSettings"]


@dataclass(frozen=True)
class ChainFlowSettings:
    """Settings of ``ChainFlow``.

    Attributes:
        name: Name in the group ``network``.
        width: Numbers between layers of each joint's network.
        depth: Residual layers of each.
        head: Form of each joint's density within its limits: "mixture" (normals cut off there) or "spline" (rational
            quadratic, from a uniform one).
        pieces: Components of the mixture, or bins of the spline.
        octaves: Frequencies of sines and cosines of the inputs beside the inputs themselves.
        noise: Largest disturbance [rad or m] of the joints before each in training. Drawing goes on from joints that
            are a little off, which no training pair is.
        temperature: Factor on the width of the mixture's components when drawing; 1 draws from the density itself.
    """

    name: str = "chain_flow"
    width: int = 160
    depth: int = 3
    head: str = "mixture"
    pieces: int = 12
    octaves: int = 2
    noise: float = 0.003
    temperature: float = 1.0

    def __post_init__(self) -> None:
        take_sizes(self, "width", "depth", "pieces", "octaves")
        one_of(self.head, HEADS, "head of chain_flow")
        object.__setattr__(self, "noise", real(self.noise, "network.noise", least=0.0, most=1.0))
        object.__setattr__(self, "temperature", real(self.temperature, "network.temperature", above=0.0, most=1.0))
        if self.temperature != 1.0 and not HEADS[self.head].has_temperature:
            raise OptionError(
                f"network.temperature is for the head 'mixture'; {self.head!r} has none. Leave it at 1, got "
                f"{self.temperature}."
            )


class ChainFlow(IKNetwork):
    """One small network a joint; all of them run as one batched product in training, one after the other to draw."""

    def __init__(self, robot: Robot, settings: ChainFlowSettings, span: tuple[Tensor, Tensor] | None = None) -> None:
        super().__init__(robot, settings, span)
        self.joints = JointOrder(self.single)
        tips = self.typical_tips(256)
        self.reach = float((tips - tips.mean(0)).square().sum(-1).mean().sqrt()) or 1.0  # [m]
        self.head = HEADS[settings.head](settings.pieces)
        turns = len(self.joints.order)
        inputs = (12 + len(self.joints.shared)) * (1 + 2 * settings.octaves)
        self.mlp = StackedMLP(turns, inputs, self.head.parameters_per_joint, settings.width, settings.depth, gain=0.1)
        with torch.no_grad():
            self.mlp.biases[-1].copy_(self.head.initial().expand(turns, 1, -1))

    def augment(self, q: Tensor, T_target: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Disturb the joints that come before each, by amounts from a thousandth of the largest noise up to it."""
        size = self.settings.noise * 10.0 ** (-3.0 * torch.rand(len(q), 1, generator=generator, device="cpu"))
        return q, T_target, q + size * torch.randn(q.shape, generator=generator, device="cpu")

    def loss(self, *batch: Tensor) -> Tensor:
        q, T_target, before = batch
        return -self._log_density(q, T_target, before).mean()

    def log_density(
        self, q: Float[Tensor, "batch dof"], T_target: Float[Tensor, "batch 4 4"]
    ) -> Float[Tensor, " batch"]:
        """Log density of coordinates given the pose, per rad (per m for a sliding joint)."""
        return self._log_density(q, T_target, q)

    def draw(self, T_target: Tensor, generator: torch.Generator) -> Tensor:
        q = T_target.new_zeros(len(T_target), self.robot.dof)
        for turn, coordinate in enumerate(self.joints.order):
            raw = self.mlp.single(turn, self._inputs(q, T_target, (turn,))[0]).to(q.dtype)
            unit = self.head.sample(raw, self.settings.temperature, generator)
            q[:, coordinate] = self.middle[coordinate] + self.radius[coordinate] * unit
        return q

    def _log_density(self, q: Tensor, T_target: Tensor, before: Tensor) -> Tensor:
        raw = self.mlp(self._inputs(before, T_target, self.joints.turns)).to(q.dtype)  # autocast makes it half
        unit = ((q - self.middle) / self.radius)[:, list(self.joints.order)].transpose(0, 1)
        return self.head.log_density(unit, raw).sum(0) - self.radius.log().sum()

    def _inputs(self, q: Tensor, T_target: Tensor, turns: tuple[int, ...]) -> Tensor:
        """(turns, batch, 12 ...): the target in each joint's frame, and earlier coordinates that later joints share."""
        targets = self.joints.targets(q, T_target, turns)
        position = targets[..., 3] / self.reach
        parts = [position, targets[..., :3].flatten(-2)]
        for coordinate in self.joints.shared:
            first = self.joints.order.index(coordinate)
            known = torch.tensor([turn > first for turn in turns], device=q.device)
            parts.append((q[:, coordinate] * known[:, None])[..., None])
        return with_waves(torch.cat(parts, dim=-1), self.settings.octaves)
