"""Positive numbers as parameters: gains that are learned."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from diffkin._checks import check_floating
from diffkin.errors import OptionError

__all__ = ["PositiveNumbers"]

_STRETCH = 10.0  # logarithms of gains move this much faster than weights, so that one learning rate serves both


class PositiveNumbers(nn.Module):
    """``start * exp(10 theta)``, theta from zero.

    Args:
        start: Positive numbers to begin with, any shape.
        given: What the user gave them as, for the error.

    Raises:
        diffkin.errors.OptionError: One of them is not positive.
    """

    start: Tensor

    def __init__(self, start: Tensor, given: Any) -> None:
        super().__init__()
        check_floating(start, "start")
        start = start.detach().clone()
        if start.is_meta or not bool((start > 0).all() and start.isfinite().all()):
            raise OptionError(f"Gains must be positive numbers, got {given}.")
        self.theta = nn.Parameter(torch.zeros_like(start))
        self.register_buffer("start", start)

    def values(self) -> Tensor:
        """The numbers, in the shape of ``start``."""
        return self.start * torch.exp(_STRETCH * self.theta)
