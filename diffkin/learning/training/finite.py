"""What must not go on: losses, gradients and weights that are no finite numbers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from diffkin.errors import DiffkinError, NonFiniteError, OptionError
from diffkin.learning.training.checkpoint import load_checkpoint
from diffkin.learning.training.settings import FitSettings
from diffkin.learning.training.state import Count

__all__ = ["check_loss", "check_step", "check_weights_finite", "kept"]


def check_loss(loss: Any) -> None:
    """Raise unless a problem's loss is one number that depends on what is learned."""
    if not isinstance(loss, Tensor) or loss.numel() != 1 or not loss.is_floating_point():
        found = (
            f"a tensor {tuple(loss.shape)} of {loss.dtype}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
        )
        raise OptionError(f"problem.loss must return the mean loss, a tensor of one number; got {found}.")
    if not loss.requires_grad:
        raise OptionError("problem.loss returned a number that does not depend on the network's parameters.")


def check_step(fabric: Any, settings: FitSettings, step: int, loss: Tensor, norm: Tensor | None, last: Path) -> None:
    """Raise, on all processes at once, before a loss or a gradient that is not finite gets into the weights.

    Args:
        fabric: Lightning Fabric.
        settings: Of the run.
        step: That is being made.
        loss: Of this process.
        norm: Of the gradient.
        last: Path of the checkpoint.

    Raises:
        diffkin.errors.NonFiniteError: Says at which step, and which step the checkpoint is from.
    """
    value = float(loss.detach())
    # in half precision gradients are scaled and infinite ones usual: the scaler leaves out the step
    steep = not settings.precision.startswith("16") and norm is not None and not math.isfinite(norm)
    bad = steep or not math.isfinite(value)
    if fabric.world_size > 1:
        bad = float(fabric.all_reduce(torch.tensor(float(bad), device=loss.device), reduce_op="sum")) > 0
    if bad:
        what = f"The gradient of the loss {value:.5g}" if math.isfinite(value) else f"The loss, {value},"
        raise NonFiniteError(
            f"{what} is not finite at step {step}, and nothing of it was kept. {kept(last)} Lower trainer.learning_rate, or "
            "look for the data or the formula that makes it so."
        )


def check_weights_finite(network: nn.Module, step: int, last: Path) -> None:
    """Raise before weights that are not finite are validated or written."""
    for name, tensor in network.named_parameters():
        if not bool(torch.isfinite(tensor).all()):
            raise NonFiniteError(
                f"{name} holds NaN or infinite numbers after step {step}, and was not written. {kept(last)} Lower "
                "trainer.learning_rate."
            )


def kept(last: Path) -> str:
    """Which step the checkpoint is from, in words."""
    if not last.exists():
        return f"There is no {last.name} yet."
    try:
        return f"{last.name} is from step {Count.of(load_checkpoint(last), last).step}."
    except DiffkinError:
        return f"{last.name} cannot be read."
