"""Figures of trainings: curves of a log, errors of proposed solutions, errors of filters, flights of controllers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin.plotting.figures import legend_below, legend_beside, log_floor, new_figure

__all__ = ["curves_figure", "filter_error_figure", "flights_figure", "pose_error_figure"]

_NO_CURVE = ("step", "seconds", "learning_rate")
_LEAST_DEG = 1e-3  # angles are drawn on a logarithmic scale
_LEAST_ERROR = 1e-9
_UNITS = ("m", "rad", "deg", "s")


def curves_figure(rows: Sequence[Mapping[str, float]]) -> Any:
    """Every score of a training over its steps, one panel each.

    Args:
        rows: One row a validation, as ``diffkin.learning.training.log.read_metrics`` gives them, at least one.

    Returns:
        The figure. Scores above zero that fall more than tenfold have a logarithmic axis.
    """
    names = [name for name in rows[0] if name not in _NO_CURVE]
    figure = new_figure(width=3.2 * len(names), height=3.0)
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names):
        values = [row[name] for row in rows]
        axes.plot([row["step"] for row in rows], values, "." if len(rows) == 1 else "-")
        axes.set_yscale("log" if 0 < 10 * min(values) < max(values) else "linear")
        axes.set(title=_title(name), xlabel="step")
    return figure


def _title(name: str) -> str:
    """The name of a score as words, its unit in brackets."""
    *words, last = name.split("_")
    return " ".join([*words, f"[{last}]" if words and last in _UNITS else last])


def pose_error_figure(errors: Mapping[str, tuple[Float[Tensor, " n"], Float[Tensor, " n"]]]) -> Any:
    """Share of targets below an error, for several ways to propose a solution.

    Args:
        errors: By name, (n,) position errors [m] and (n,) rotation errors [rad].

    Returns:
        The figure.
    """
    figure = new_figure(width=8.0, height=3.5)
    axes = figure.subplots(1, 2)
    for name, (position, rotation) in errors.items():
        for axis, values in zip(axes, (1e3 * position, torch.rad2deg(rotation))):
            shown = values.sort().values.clamp(min=_LEAST_ERROR).tolist()
            axis.plot(shown, torch.linspace(0, 100, len(values), device="cpu").tolist(), label=name)
    for axis, label in zip(axes, ("position error [mm]", "rotation error [deg]")):
        axis.set(xscale="log", xlabel=label, ylabel="targets below [%]")
    for axis, k, scale in ((axes[0], 0, 1e3), (axes[1], 1, 180.0 / torch.pi)):
        axis.set_xlim(left=log_floor(scale * torch.cat([pair[k] for pair in errors.values()]).cpu().double().numpy()))
    legend_below(figure, axes[0])
    return figure


def filter_error_figure(dt: float, errors: Mapping[str, Float[Tensor, "steps records"]], title: str = "") -> Any:
    """Root mean square of the attitude error over records, over time.

    Args:
        dt: Between samples [s].
        errors: By name, (steps, records) angle to the truth [rad]; NaN where there is no truth.
        title: Above the figure.

    Returns:
        The figure.
    """
    figure = new_figure(width=7.0, height=3.5)
    axes = figure.subplots()
    for name, angles in errors.items():
        rms = angles.square().nanmean(1).sqrt().rad2deg()
        axes.plot((dt * torch.arange(len(rms), device="cpu")).tolist(), rms.tolist(), label=name)
    axes.set(xlabel="time [s]", ylabel="error, root mean square [deg]", title=title)
    legend_beside(axes)
    return figure


def flights_figure(dt: float, angles: Mapping[str, Mapping[str, Float[Tensor, "steps n"]]], near_deg: float) -> Any:
    """Angle to the goal over time: median and 95th percentile (dashed) of every controller, one panel a place.

    Args:
        dt: Between states [s].
        angles: By place flown in and name of the controller, (steps, n) angle to the goal [rad].
        near_deg: Drawn as a line: what counts as arrived [deg].

    Returns:
        The figure.
    """
    figure = new_figure(width=4.2 * len(angles), height=3.8)
    for axes, (where, flights) in zip(figure.subplots(1, len(angles), squeeze=False)[0], angles.items()):
        for k, (name, angle) in enumerate(flights.items()):
            time = (dt * torch.arange(len(angle), device="cpu")).tolist()
            degrees = angle.double().rad2deg().clamp(min=_LEAST_DEG)
            axes.semilogy(time, degrees.median(1).values.tolist(), color=f"C{k}", label=f"{name}, median")
            high = degrees.quantile(0.95, 1).tolist()
            axes.semilogy(time, high, color=f"C{k}", lw=0.8, ls="--", label=f"{name}, 95 %")
        axes.axhline(near_deg, color="0.6", lw=0.8, label=f"{near_deg:g} deg")
        axes.set(title=where, xlabel="time [s]", ylabel="angle to the goal [deg]")
    legend_below(figure, figure.axes[0])
    return figure
