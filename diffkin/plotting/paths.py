"""Figures of paths: how far the tip was off, how fast the joints were, and how near to a singularity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from diffkin.errors import ShapeError
from diffkin.plotting.figures import log_floor, new_figure

__all__ = ["path_figure"]

_LEAST = 1e-12  # a logarithm follows


def path_figure(
    seconds: Float[Tensor, " n"],
    errors: dict[str, Float[Tensor, " n"]],
    speeds: Float[Tensor, "n dof"],
    limits: Float[Tensor, " dof"],
    joints: Sequence[str],
    manipulability: Float[Tensor, " n"],
    title: str = "",
) -> Any:
    """Errors, joint speeds as shares of their limits, and manipulability along a path.

    Args:
        seconds: (n,) time of every tick [s].
        errors: By label, (n,) each, on a logarithmic axis.
        speeds: (n, dof) of the joints [rad/s or m/s].
        limits: (dof,) of the speeds; where there is none, speeds are drawn as they are.
        joints: (dof,) names.
        manipulability: (n,) the least singular value of the Jacobian.
        title: Above the figure.

    Returns:
        The figure.

    Raises:
        diffkin.errors.ShapeError: Lengths that differ.
    """
    lengths = {len(seconds), len(speeds), len(manipulability), *(len(error) for error in errors.values())}
    if len(lengths) != 1 or speeds.shape[-1] != len(joints):
        raise ShapeError(f"Every tick and joint needs a number; got lengths {sorted(lengths)}, {len(joints)} names.")
    figure = new_figure(9.0, 8.0)
    above, middle, below = figure.subplots(3, 1, sharex=True)
    time = seconds.detach().cpu().numpy()
    curves = {label: error.detach().cpu().double().clamp(min=_LEAST).numpy() for label, error in errors.items()}
    for label, curve in curves.items():
        above.plot(time, curve, label=label)
    above.set(yscale="log", ylabel="error")
    above.set_ylim(bottom=log_floor(np.concatenate([*curves.values(), []])))
    above.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7)
    bounded = torch.isfinite(limits)
    shares = (speeds / torch.where(bounded, limits, torch.ones_like(limits))).detach().cpu().numpy()
    for k, name in enumerate(joints):
        middle.plot(time, shares[:, k], linewidth=1, label=name if bool(bounded[k]) else f"{name} [rad/s or m/s]")
    for side, name in ((-1.0, "_"), (1.0, "limit")):
        middle.axhline(side, color="0.4", linestyle="--", linewidth=1, label=name)
    middle.set(ylabel="joint speed / limit")
    middle.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7)
    below.plot(time, manipulability.detach().cpu().numpy(), color="tab:green")
    below.set(xlabel="time [s]", ylabel="least singular value of J", ylim=(0, None))
    for axes in (above, middle, below):
        axes.grid(alpha=0.3)
    figure.suptitle(title)
    return figure
