"""The density of one coordinate on its limits: what the numbers of a joint's network mean."""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from diffkin.learning.inverse.joint_order import Chain
from diffkin.learning.inverse.mixture import truncated_mixture_log_density, truncated_mixture_sample

__all__ = ["HEADS", "Head", "MixtureHead", "SplineHead"]


class Head(Protocol):
    """A family of densities on an interval for each coordinate, in the order of the chain."""

    parameters_per_joint: int

    def __init__(self, pieces: int, chain: Chain) -> None: ...

    def initial(self) -> Tensor:
        """(turns, 1, parameters) to start from: close to uniform."""

    def log_density(self, x: Tensor, raw: Tensor) -> Tensor:
        """(turns, batch) coordinates and (turns, batch, parameters) to (turns, batch) log density."""

    def sample(self, turn: int, raw: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
        """(batch, parameters) to (batch,) samples within the limits."""


class _OnLimits(nn.Module):
    lower: Tensor
    upper: Tensor

    def __init__(self, chain: Chain) -> None:
        super().__init__()
        self.register_buffer("lower", chain.lower[:, None].clone(), persistent=False)
        self.register_buffer("upper", chain.upper[:, None].clone(), persistent=False)

    @property
    def middle(self) -> Tensor:
        return 0.5 * (self.lower + self.upper)

    @property
    def radius(self) -> Tensor:
        return 0.5 * (self.upper - self.lower)


class MixtureHead(_OnLimits):
    """A mixture of normals cut off at the limits.

    An unlimited joint is cut at -pi and pi too; the mixture then needs components on both sides.
    """

    narrowest = 3e-4  # of a standard deviation, over half the range

    def __init__(self, pieces: int, chain: Chain) -> None:
        super().__init__(chain)
        self.pieces = pieces
        self.parameters_per_joint = 3 * pieces

    def initial(self) -> Tensor:
        spread = torch.linspace(-1.0, 1.0, self.pieces)
        logits, scales = torch.zeros(self.pieces), torch.full((self.pieces,), -1.0)
        return torch.cat((logits, spread, scales)).expand(len(self.lower), 1, -1)

    def log_density(self, x: Tensor, raw: Tensor) -> Tensor:
        logits, mean, scale = raw.chunk(3, dim=-1)
        unit = (x - self.middle) / self.radius
        one = torch.ones_like(unit[:, :1])
        return truncated_mixture_log_density(unit, logits, mean, self._scale(scale), -one, one) - self.radius.log()

    def sample(self, turn: int, raw: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
        logits, mean, scale = raw.chunk(3, dim=-1)
        one = torch.ones_like(mean[:, 0])
        unit = truncated_mixture_sample(logits, mean, temperature * self._scale(scale), -one, one, generator)
        return self.middle[turn] + self.radius[turn] * unit

    def _scale(self, raw: Tensor) -> Tensor:
        return self.narrowest + raw.clamp(max=1.0).exp()


class SplineHead(_OnLimits):
    """A monotonic rational-quadratic spline (Durkan et al. 2019) from the limits to a uniform variable.

    It has no temperature: what it draws is the density itself.
    """

    def __init__(self, pieces: int, chain: Chain) -> None:
        super().__init__(chain)
        self.pieces = pieces
        self.parameters_per_joint = 3 * pieces - 1

    def initial(self) -> Tensor:
        return torch.zeros(len(self.lower), 1, self.parameters_per_joint)

    def log_density(self, x: Tensor, raw: Tensor) -> Tensor:
        unit = (x - self.middle) / self.radius
        _, log_slope = self._spline(raw).call_and_ladj(unit)
        return log_slope - math.log(2.0) - self.radius.log()

    def sample(self, turn: int, raw: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
        draw = 2.0 * torch.rand(len(raw), generator=generator).to(raw) - 1.0
        unit = self._spline(raw).inv(draw).clamp(-1.0, 1.0)
        return self.middle[turn] + self.radius[turn] * unit

    def _spline(self, raw: Tensor) -> Any:
        import zuko

        widths, heights, slopes = raw.split((self.pieces, self.pieces, self.pieces - 1), dim=-1)
        return zuko.transforms.MonotonicRQSTransform(widths, heights, slopes, bound=1.0, slope=1e-4)


HEADS: dict[str, type[MixtureHead] | type[SplineHead]] = {"mixture": MixtureHead, "spline": SplineHead}
"""Heads by name."""
