"""What every attitude policy is: a module from the state of a flight to torques within limits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from diffkin._algebra import matmul
from diffkin.learning.policy.craft import Craft
from diffkin.learning.policy.flight import FlightState

__all__ = ["Policy", "gyroscopic", "saturated"]


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
    return torch.linalg.cross(state.omega, matmul(craft.inertia, state.omega), dim=0)


def saturated(torque: Tensor, craft: Craft) -> Tensor:
    """Each component within its limit."""
    limit = craft.limit.unsqueeze(-1)
    return torch.maximum(torch.minimum(torque, limit), -limit)
