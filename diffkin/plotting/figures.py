"""Matplotlib figures. They are made without pyplot, so no display is needed and nothing global changes."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from diffkin.errors import MissingDependencyError, ShapeError

__all__ = [
    "convergence_figure",
    "legend_below",
    "legend_beside",
    "log_floor",
    "new_figure",
    "picture_grid",
    "save_figure",
]


def new_figure(width: float = 7.0, height: float = 4.5) -> Any:
    """An empty matplotlib figure.

    Args:
        width: [inches].
        height: [inches].

    Returns:
        A ``matplotlib.figure.Figure``.

    Raises:
        diffkin.errors.MissingDependencyError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError(
            "Figures need matplotlib, which is not installed. Install it with `pip install matplotlib` or "
            "`pip install 'diffkin[plot]'`."
        ) from error
    figure: Any = Figure(figsize=(width, height), layout="constrained")
    figure._repr_png_ = partial(_png, figure)  # shows itself at the end of a notebook's cell, without pyplot
    return figure


def _png(figure: Any) -> bytes:
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=100)
    return held.getvalue()


def save_figure(figure: Any, path: str | os.PathLike[str], dpi: int = 150) -> None:
    """Write a figure to a file, without the date in it, so that equal figures make equal files."""
    figure.savefig(path, dpi=dpi, metadata={"Software": None} if str(path).endswith(".png") else None)


def legend_beside(axes: Any, **style: Any) -> None:
    """A legend on the right of a panel, where it covers nothing; the panel makes room for it."""
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.02), fontsize=8, frameon=False, **style)


def legend_below(figure: Any, axes: Any) -> None:
    """A legend below all panels, for lines that are the same in each."""
    handles, labels = axes.get_legend_handles_labels()
    width = 0.07 * max(len(label) for label in labels) + 0.6  # of a column, in inches, at this font size
    columns = max(1, min(len(labels), int(figure.get_figwidth() / width)))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=8, frameon=False)


def log_floor(values: Sequence[float] | NDArray[np.float64]) -> float | None:
    """Where a logarithmic axis begins: a little below the values, but for single ones far below all others."""
    positive = np.sort(np.asarray(values, dtype=np.float64).ravel())
    positive = positive[np.isfinite(positive) & (positive > 0)]
    return float(positive[len(positive) // 50] / 3.0) if len(positive) else None


def convergence_figure(
    history: Float[Tensor, "iterations problems"],
    tolerance: float | None = None,
    title: str = "",
    quantity: str = "error (position [m] and rotation [rad] together)",
) -> Any:
    """Error of a batch of inverse kinematics problems over the iterations.

    Args:
        history: (iterations, problems) best error of each problem so far.
        tolerance: Drawn as a line where given.
        title: Above the figure.
        quantity: What the error is, beside its axis.

    Returns:
        The figure: the median with its quartiles and the worst on the left, on the right the share within tolerance.

    Raises:
        diffkin.errors.ShapeError: ``history`` is not (iterations, problems), or empty.
    """
    if history.ndim != 2 or history.numel() == 0:
        raise ShapeError(f"history must have shape (iterations, problems), got {tuple(history.shape)}.")
    figure = new_figure(10.0, 4.2)
    from matplotlib.ticker import MaxNLocator  # there, since there is a figure

    errors = np.maximum(history.detach().cpu().double().numpy(), 1e-16)  # a logarithm follows
    steps = np.arange(len(errors))  # the first row is the starts
    left, right = figure.subplots(1, 2)
    low, middle, high = np.quantile(errors, (0.25, 0.5, 0.75), axis=1)
    left.fill_between(steps, low, high, color="tab:blue", alpha=0.2, linewidth=0, label="middle half")
    left.plot(steps, middle, color="tab:blue", label="median")
    left.plot(steps, errors.max(axis=1), color="tab:red", linewidth=1, label="worst")
    left.set(yscale="log", xlabel="iteration", ylabel=quantity)
    left.set_ylim(bottom=log_floor(np.concatenate((middle, errors.max(axis=1)))))
    if tolerance is not None:
        left.axhline(tolerance, color="0.4", linestyle="--", linewidth=1, label=f"tolerance {tolerance:.1e}")
        share = 100.0 * (errors <= tolerance).mean(axis=1)
        right.plot(steps, share, color="tab:green")
        right.set(xlabel="iteration", ylabel="problems within tolerance [%]", ylim=(0, 102))
    else:
        right.hist(np.log10(errors[-1]), bins=30, color="tab:green")
        right.set(xlabel="log10 of the last error", ylabel="problems")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        if len(steps) > 100:
            axes.set_xscale("symlog", linthresh=10)
        else:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlim(left=0)
    legend_below(figure, left)
    figure.suptitle(title)
    return figure


def picture_grid(
    pictures: Sequence[NDArray[np.uint8]], labels: Sequence[str], columns: int = 3, title: str = ""
) -> Any:
    """Pictures side by side, each with a label above it.

    Args:
        pictures: (height, width, 3) each.
        labels: One for each picture.
        columns: How many side by side.
        title: Above them.

    Returns:
        The figure.

    Raises:
        diffkin.errors.ShapeError: No pictures, or another number of labels.
    """
    if not pictures or len(pictures) != len(labels):
        raise ShapeError(f"Every picture needs a label; got {len(pictures)} pictures and {len(labels)} labels.")
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    tallest = max(picture.shape[0] / picture.shape[1] for picture in pictures)
    figure = new_figure(3.6 * columns, (3.6 * tallest + 0.3) * rows + 0.3)
    for axes in figure.subplots(rows, columns, squeeze=False).flat:
        axes.set_axis_off()
    for axes, picture, label in zip(figure.axes, pictures, labels):
        axes.imshow(picture)
        axes.set_title(label, fontsize=9)
    figure.suptitle(title)
    return figure
