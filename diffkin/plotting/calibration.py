"""Figures of calibrations: errors beside the bound, what the data determines, chosen beside random poses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor

from diffkin.plotting.figures import legend_beside, new_figure

__all__ = ["calibration_figure"]

_LEAST = 1e-14  # singular values are drawn on a logarithmic scale


def calibration_figure(
    errors: Mapping[str, Sequence[float]],
    singular_values: Float[Tensor, " k"],
    rank: int,
    design: Sequence[Mapping[str, float]] = (),
) -> Any:
    """How well arms are calibrated, in up to three panels.

    Args:
        errors: By name, the held-out position error of every arm [m]; a name that ends in "bound" is drawn as a line.
            No such panel if empty.
        singular_values: (k,) of the Jacobian of the parameters in units of the noise.
        rank: How many directions the data determines.
        design: One row a number of poses, as ``diffkin.calibration.design_study.study_design`` gives them. No such
            panel if empty.

    Returns:
        The figure.
    """
    panels = 1 + bool(errors) + bool(design)
    figure = new_figure(5.4 * panels, 3.8)
    axes = list(figure.subplots(1, panels, squeeze=False)[0])
    if errors:
        _draw_errors(axes.pop(0), errors)
    singular = axes.pop(0)
    values = singular_values.clamp(min=_LEAST)
    singular.semilogy(range(1, len(values) + 1), values.tolist(), ".", label="singular values")
    singular.axvline(rank + 0.5, color="0.5", linestyle="--", label=f"rank {rank}")
    singular.set(xlabel="direction of the parameters", ylabel="singular value [1 / standard deviation]")
    legend_beside(singular)
    if design:
        _draw_design(axes.pop(0), design)
    return figure


def _draw_errors(axes: Any, errors: Mapping[str, Sequence[float]]) -> None:
    for name, values in errors.items():
        axes.plot([1e3 * value for value in values], "-" if name.endswith("bound") else ".", label=name)
    axes.set(yscale="log", xlabel="arm", ylabel="held-out position error, rms [mm]")
    axes.xaxis.get_major_locator().set_params(integer=True)  # there is no half of an arm
    legend_beside(axes)


def _draw_design(axes: Any, design: Sequence[Mapping[str, float]]) -> None:
    for name, color in (("random", "tab:red"), ("chosen", "tab:green")):
        for by, style in (("predicted", "--"), ("measured", "o-")):
            values = [row[f"{by}_{name}"] for row in design]
            axes.plot([row["count"] for row in design], values, style, color=color, label=f"{name}, {by}")
    axes.set(xlabel="measured poses", ylabel="held-out error, rms [m or rad]")
    legend_beside(axes)
