"""Learning inverse kinematics as a problem for ``fit``: pairs of coordinates and poses, and the scores of a network."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from diffkin.errors import OptionError
from diffkin.learning.inverse.baselines import pose_errors
from diffkin.learning.inverse.network import IKNetwork
from diffkin.robot import Robot

__all__ = ["FreshPairs", "IKProblem", "Pairs", "held_out"]

_HELD_OUT_SEED = 2_000_000_011  # far from the seeds that people give


class Pairs(Protocol):
    """A source of training data: fresh, or read from files."""

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(count, dof) coordinates and (count, 4, 4) their poses, float32."""


class FreshPairs:
    """Coordinates uniform within the limits and their poses by forward kinematics, never the same twice."""

    def __init__(self, robot: Robot) -> None:
        self.robot = robot.to(dtype=torch.float32)

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        q = self.robot.sample(count, seed=generator)
        return q, self.robot.forward_kinematics(q)


class IKProblem:
    """Train an inverse-kinematics network.

    Args:
        network: The network.
        pairs: Its data; fresh if None.
        held_out_count: Held-out targets for validation.
    """

    def __init__(self, network: IKNetwork, pairs: Pairs | None = None, held_out_count: int = 1000) -> None:
        self.network: nn.Module = network
        self.augment = network.augment
        self.pairs = FreshPairs(network.robot) if pairs is None else pairs
        self.held_out = held_out(network.single, held_out_count)

    def batch(self, count: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        return self.augment(*self.pairs.draw(count, generator), generator)

    def loss(self, network: nn.Module, *batch: Tensor) -> Tensor:
        return _ours(network).loss(*batch)

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """The loss, and median errors of one answer's pose, on held-out targets."""
        network = _ours(network)
        device = next(network.parameters()).device
        q, T_target = self.held_out
        loss = network.loss(*(part.to(device) for part in network.augment(q, T_target, _seeded())))
        answer = network.sample(T_target, 1, _seeded()).squeeze(-2)
        position, rotation = pose_errors(network.robot, T_target, answer)
        return {"loss": float(loss), "position_m": float(position.median()), "rotation_rad": float(rotation.median())}


def held_out(robot: Robot, count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Coordinates and poses that no training run draws.

    Args:
        robot: The robot.
        count: How many.
        seed: Other seeds give other targets.

    Returns:
        (count, dof) and (count, 4, 4), in the robot's dtype.
    """
    q = robot.sample(count, seed=_HELD_OUT_SEED + seed)
    return q, robot.forward_kinematics(q)


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _ours(network: nn.Module) -> IKNetwork:
    if not isinstance(network, IKNetwork):
        raise OptionError(f"IKProblem trains an IKNetwork, got {type(network).__name__}.")
    return network
