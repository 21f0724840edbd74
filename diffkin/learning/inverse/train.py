"""Learning inverse kinematics as a problem for ``fit``: the data of a network, its loss and its scores."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from diffkin._given import generator_of
from diffkin.errors import OptionError
from diffkin.learning.inverse.baselines import pose_errors
from diffkin.learning.inverse.data.pairs import FreshPairs, Pairs, held_out
from diffkin.learning.inverse.network import IKNetwork

__all__ = ["IKProblem"]


class IKProblem:
    """Train an inverse-kinematics network.

    Args:
        network: The network.
        pairs: Its data; fresh if None.
        held_out_count: Held-out targets for validation.
    """

    def __init__(self, network: IKNetwork, pairs: Pairs | None = None, held_out_count: int = 1000) -> None:
        self.network: nn.Module = _ours(network)
        if pairs is not None and not callable(getattr(pairs, "draw", None)):
            raise OptionError(
                f"pairs must draw coordinates and poses, as FreshPairs does, got a {type(pairs).__name__}."
            )
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


def _seeded() -> torch.Generator:
    return generator_of(0)


def _ours(network: nn.Module) -> IKNetwork:
    if not isinstance(network, IKNetwork):
        raise OptionError(f"IKProblem trains an IKNetwork, got {type(network).__name__}.")
    return network
