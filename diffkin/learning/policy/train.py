"""Training attitude policies by back-propagation through flights: the problem for ``fit``, scores, and files."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from diffkin.errors import OptionError
from diffkin.learning.policy.classical import Policy, make_policy, settings_of
from diffkin.learning.policy.flight import Craft, Starts, cost, draw_starts, flight, scores
from diffkin.learning.training.checkpoint import load_weights, save_tensors, weights_of

__all__ = ["PolicyProblem", "evaluate_policy", "policy_of", "save_policy", "trial_craft"]

_HELD_OUT_SEED = 2_000_000_011  # far from the seeds that people give


def trial_craft() -> Craft:
    """The small quadrotor that policies are trained on: 10, 12 and 20 g m^2, weak about the vertical."""
    return Craft(torch.diag(torch.tensor([0.010, 0.012, 0.020])), torch.tensor([0.15, 0.15, 0.08]))


class PolicyProblem:
    """Train a policy through whole flights of bodies with unknown inertia.

    Args:
        policy: The policy; its gains or weights are learned.
        craft: The nominal body.
        steps: Commands in a flight.
        spread: Moments of inertia are the nominal ones times factors uniform in ``1 +- spread``.
        held_out_count: Flights of the validation.
    """

    def __init__(
        self, policy: nn.Module, craft: Craft, *, steps: int = 125, spread: float = 0.3, held_out_count: int = 500
    ) -> None:
        if steps < 1 or held_out_count < 1:
            raise OptionError(f"steps and held_out_count must be at least 1, got {steps} and {held_out_count}.")
        if not 0 <= spread < 1:
            raise OptionError(f"spread must be in [0, 1), got {spread}.")
        self.network = policy
        self.craft, self.steps, self.spread = craft, steps, spread
        self.held_out = held_out_starts(craft, held_out_count, spread=spread)

    def batch(self, count: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        return draw_starts(self.craft, count, generator, spread=self.spread)

    def loss(self, network: nn.Module, *batch: Tensor) -> Tensor:
        flown = flight(network, Starts(*batch), self.craft, self.steps)
        return cost(flown.angle, flown.omega, flown.dt).mean()

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Cost and settling on held-out starts."""
        device = next(network.parameters()).device
        judged = self.steps * self.craft.dt
        starts = Starts(*(part.to(device) for part in self.held_out))
        found = evaluate_policy(network, self.craft, starts, max(4.0, judged), judged)
        return {"loss": found["cost"], "settle_mean_s": found["settle_mean_s"], "under_2_deg": found["under_2_deg"]}


def held_out_starts(craft: Craft, count: int, *, spread: float = 0.3, seed: int = 0) -> Starts:
    """Starts that no training run draws."""
    return draw_starts(craft, count, torch.Generator().manual_seed(_HELD_OUT_SEED + seed), spread=spread)


@torch.no_grad()
def evaluate_policy(
    policy: nn.Module, craft: Craft, starts: Starts, seconds: float = 4.0, judged: float = 2.5
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
    flown = flight(policy, starts, craft, round(seconds / craft.dt))
    return scores(flown.angle, flown.omega, flown.dt, seconds=judged)


def save_policy(policy: Policy, craft: Craft, path: str | os.PathLike[str]) -> None:
    """Write a policy and the body it was trained on to a file that ``diffkin.learning.load`` reads, atomically.

    Args:
        policy: One of ``POLICIES``.
        craft: The nominal body.
        path: Of the file, usually ``*.safetensors``.
    """
    kind, settings = settings_of(policy)
    tensors = {f"policy.{name}": value for name, value in policy.state_dict().items()}
    tensors |= {"craft.inertia": craft.inertia, "craft.limit": craft.limit}
    header = {"policy": kind, "settings": dataclasses.asdict(settings), "lag": craft.lag, "dt": craft.dt}
    save_tensors(Path(path), header, tensors)


def policy_of(header: Mapping[str, Any], tensors: Mapping[str, Tensor], where: object) -> Policy:
    """The policy of a file that ``save_policy`` wrote, gradients off; ``craft`` is the body it was trained on.

    Args:
        header: Of the file.
        tensors: Of the file.
        where: Named in errors.
    """
    policy = make_policy(header["policy"], header["settings"])
    load_weights(policy, weights_of("policy", tensors), where)
    policy.craft = Craft(tensors["craft.inertia"], tensors["craft.limit"], float(header["lag"]), float(header["dt"]))
    return policy.requires_grad_(False).eval()
