"""Training attitude policies by back-propagation through flights, as a problem for ``fit``."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from diffkin._given import real, whole
from diffkin.errors import OptionError
from diffkin.learning.policy.craft import Craft
from diffkin.learning.policy.flight import FlightStarts, draw_starts, flight, held_out_starts
from diffkin.learning.policy.score import cost, evaluate_policy

__all__ = ["PolicyProblem"]


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
        if not isinstance(policy, nn.Module):
            raise OptionError(f"PolicyProblem trains a policy, a torch module, got a {type(policy).__name__}.")
        steps, held_out_count = whole(steps, "steps", 1), whole(held_out_count, "held_out_count", 1)
        spread = real(spread, "spread", least=0.0, below=1.0)
        self.network = policy
        self.craft, self.steps, self.spread = craft, steps, spread
        self.held_out = held_out_starts(craft, held_out_count, spread=spread)

    def batch(self, count: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        return draw_starts(self.craft, count, generator, spread=self.spread)

    def loss(self, network: nn.Module, *batch: Tensor) -> Tensor:
        flown = flight(network, FlightStarts(*batch), self.craft, self.steps)
        return cost(flown.angle, flown.omega, flown.dt).mean()

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Cost and settling on held-out starts."""
        device = next(network.parameters()).device
        judged = self.steps * self.craft.dt
        starts = FlightStarts(*(part.to(device) for part in self.held_out))
        found = evaluate_policy(network, self.craft, starts, max(4.0, judged), judged)
        return {"loss": found["cost"], "settle_mean_s": found["settle_mean_s"], "under_2_deg": found["under_2_deg"]}
