"""Mixtures of normal densities cut off at limits: a density in closed form, and exact samples, always inside."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["truncated_mixture_log_density", "truncated_mixture_sample"]

_ROOT_HALF = math.sqrt(0.5)
_TINY = 1e-10


def truncated_mixture_log_density(
    x: Tensor, logits: Tensor, mean: Tensor, scale: Tensor, lower: Tensor, upper: Tensor
) -> Tensor:
    """Log density of ``sum_k w_k N(x; mean_k, scale_k)`` on [lower, upper], divided by its mass there.

    Args:
        x: (*batch,) where, within the limits.
        logits: (*batch, components) weights before softmax.
        mean: (*batch, components) means, anywhere.
        scale: (*batch, components) standard deviations.
        lower: (*batch,) limits, or what broadcasts to it.
        upper: (*batch,) limits.

    Returns:
        (*batch,) log density.
    """
    log_weights = logits.log_softmax(-1)
    z = (x[..., None] - mean) / scale
    inside = torch.logsumexp(log_weights - 0.5 * z.square() - scale.log(), dim=-1) - 0.5 * math.log(2.0 * math.pi)
    mass = (log_weights.exp() * _mass(mean, scale, lower, upper)).sum(-1)
    return inside - (mass + _TINY).log()


def truncated_mixture_sample(
    logits: Tensor, mean: Tensor, scale: Tensor, lower: Tensor, upper: Tensor, generator: torch.Generator
) -> Tensor:
    """Draw from that density by inverting the distribution function of one component.

    Args:
        logits: (*batch, components); mean, scale likewise; lower, upper: (*batch,) or what broadcasts.
        generator: Source of randomness, on the CPU.

    Returns:
        (*batch,) samples within the limits.
    """
    weights = logits.double().softmax(-1) * _mass(mean.double(), scale.double(), lower.double(), upper.double())
    draw = torch.rand((2, *mean.shape[:-1]), generator=generator, dtype=torch.float64, device="cpu").to(mean.device)
    steps = weights.cumsum(-1)
    which = (steps < draw[0, ..., None] * steps[..., -1:]).sum(-1, keepdim=True).clamp(max=mean.shape[-1] - 1)
    mu, sigma = (values.gather(-1, which).squeeze(-1).double() for values in (mean, scale))
    first, last = (torch.special.ndtr((side.double() - mu) / sigma) for side in (lower, upper))
    x = mu + sigma * torch.special.ndtri(first + draw[1] * (last - first))
    return torch.minimum(torch.maximum(x.to(mean.dtype), lower), upper)


def _mass(mean: Tensor, scale: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """Probability of each component between the limits."""
    ends = [torch.erf((side[..., None] - mean) / scale * _ROOT_HALF) for side in (lower, upper)]
    return 0.5 * (ends[1] - ends[0])
