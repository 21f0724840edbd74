"""Residual networks, one or several side by side."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from diffkin.learning.sizes import check_weights

__all__ = ["StackedMLP", "with_waves"]


def with_waves(x: Tensor, octaves: int) -> Tensor:
    """Numbers of size one and their sines and cosines, (*batch, n) to (*batch, n (1 + 2 octaves)).

    A network of few layers learns sharp functions of such features far sooner (Tancik et al., Fourier Features Let
    Networks Learn High Frequency Functions, NeurIPS 2020).
    """
    turned = [1.5 * 2.0**octave * x for octave in range(octaves)]
    return torch.cat((x, *(wave for angle in turned for wave in (angle.sin(), angle.cos()))), dim=-1)


class StackedMLP(nn.Module):
    """Several residual networks of one shape, each with weights of its own, run as one batched product.

    Args:
        count: How many networks.
        inputs: Numbers that go into each.
        outputs: Numbers that come out of each.
        width: Numbers between layers.
        depth: Residual layers, ``h + silu(W h + b)``.
        gain: Factor on the last layer's initial weights; 0 starts at the last layer's bias.

    Raises:
        diffkin.errors.OptionError: The weights would take more memory than there is.
    """

    def __init__(self, count: int, inputs: int, outputs: int, width: int, depth: int, gain: float = 1.0) -> None:
        super().__init__()
        weights = (inputs + 1) * width + depth * (width + 1) * width + (width + 1) * outputs
        check_weights(count * weights, f"width={width} and depth={depth}, {count} beside each other,")
        sizes = [(inputs, width)] + depth * [(width, width)] + [(width, outputs)]
        self.weights = nn.ParameterList(torch.randn(count, a, b, device="cpu") / math.sqrt(a) for a, b in sizes)
        self.biases = nn.ParameterList(torch.zeros(count, 1, b, device="cpu") for _, b in sizes)
        with torch.no_grad():
            self.weights[-1].mul_(gain)

    def forward(self, x: Tensor) -> Tensor:
        """(count, batch, inputs) to (count, batch, outputs)."""
        return self._run(x, slice(None))

    def single(self, index: int, x: Tensor) -> Tensor:
        """What network ``index`` makes of (batch, inputs)."""
        return self._run(x[None], slice(index, index + 1))[0]

    def _run(self, x: Tensor, which: slice) -> Tensor:
        layers = [(weight[which], bias[which]) for weight, bias in zip(self.weights, self.biases)]
        (weight, bias), *between, (last_weight, last_bias) = layers
        h = nn.functional.silu(torch.baddbmm(bias, x, weight))
        for weight, bias in between:
            h = h + nn.functional.silu(torch.baddbmm(bias, h, weight))
        return torch.baddbmm(last_bias, h, last_weight)
