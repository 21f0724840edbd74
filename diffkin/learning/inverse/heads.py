"""The density of one coordinate within its limits: what the numbers of a joint's network mean."""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from torch import Tensor

from diffkin.learning.inverse.mixture import truncated_mixture_log_density, truncated_mixture_sample
from diffkin.learning.optional import needed

__all__ = ["HEADS", "Head", "MixtureHead", "SplineHead"]


class Head(Protocol):
    """A family of densities on the interval from -1 to 1, which stands for the limits of a joint."""

    parameters_per_joint: int
    has_temperature: bool

    def __init__(self, pieces: int) -> None: ...

    def initial(self) -> Tensor:
        """(parameters,) to start from: close to uniform."""

    def log_density(self, unit: Tensor, raw: Tensor) -> Tensor:
        """(turns, batch) coordinates and (turns, batch, parameters) to (turns, batch) log density."""

    def sample(self, raw: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
        """(batch, parameters) to (batch,) samples."""


class MixtureHead:
    """A mixture of normals cut off at -1 and 1.

    An unlimited joint is cut at half a turn to either side; the mixture then needs components on both sides.
    """

    narrowest = 3e-4  # of a standard deviation
    has_temperature = True

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces
        self.parameters_per_joint = 3 * pieces

    def initial(self) -> Tensor:
        spread = torch.linspace(-1.0, 1.0, self.pieces, device="cpu")
        logits, scales = torch.zeros_like(spread), torch.full_like(spread, -1.0)
        return torch.cat((logits, spread, scales))

    def log_density(self, unit: Tensor, raw: Tensor) -> Tensor:
        logits, mean, scale = raw.chunk(3, dim=-1)
        one = torch.ones_like(unit[:, :1])
        return truncated_mixture_log_density(unit, logits, mean, self._scale(scale), -one, one)

    def sample(self, raw: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
        logits, mean, scale = raw.chunk(3, dim=-1)
        one = torch.ones_like(mean[:, 0])
        return truncated_mixture_sample(logits, mean, temperature * self._scale(scale), -one, one, generator)

    def _scale(self, raw: Tensor) -> Tensor:
        return self.narrowest + raw.clamp(max=1.0).exp()


class SplineHead:
    """A monotonic rational-quadratic spline (Durkan et al. 2019) from the interval to a uniform variable.

    It has no temperature: what it draws is the density itself.
    """

    has_temperature = False

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces
        self.parameters_per_joint = 3 * pieces - 1

    def initial(self) -> Tensor:
        return torch.zeros(self.parameters_per_joint, device="cpu")

    def log_density(self, unit: Tensor, raw: Tensor) -> Tensor:
        _, log_slope = self._spline(raw).call_and_ladj(unit)
        return log_slope - math.log(2.0)

    def sample(self, raw: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
        draw = 2.0 * torch.rand(len(raw), generator=generator, device="cpu").to(raw) - 1.0
        return self._spline(raw).inv(draw).clamp(-1.0, 1.0)

    def _spline(self, raw: Tensor) -> Any:
        zuko = needed("zuko", "The head 'spline'")
        widths, heights, slopes = raw.split((self.pieces, self.pieces, self.pieces - 1), dim=-1)
        return zuko.transforms.MonotonicRQSTransform(widths, heights, slopes, bound=1.0, slope=1e-4)


HEADS: dict[str, type[MixtureHead] | type[SplineHead]] = {"mixture": MixtureHead, "spline": SplineHead}
"""Heads by name."""
