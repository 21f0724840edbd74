"""What the training scripts share: settings of the loop, curves, and the figure that a sweeper is to minimise."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from common.folders import Run, in_sweep
from common.results import save_results
from diffkin.errors import closest
from diffkin.kernels import threads
from diffkin.learning import FitReport, FitSettings
from diffkin.learning.training.log import read_metrics
from diffkin.plotting import curves_figure, save_figure

__all__ = ["check_objective", "draw_curves", "finish", "set_threads", "summary"]


def set_threads(settings: FitSettings) -> FitSettings:
    """In a sweep, whose runs stand beside each other, one thread a run unless told otherwise."""
    if not in_sweep():
        return settings
    count = max(1, settings.threads)
    threads.set_num_threads(count)
    torch.set_num_threads(count)
    return dataclasses.replace(settings, threads=count)


def check_objective(objective: str, figures: Iterable[str]) -> None:
    """Raise UnknownNameError if the objective is none of the figures of ``results.json``, before any training."""
    names, name = (*figures, "training"), objective.lstrip("-").split(".")[0]
    if name not in names:
        raise closest(name, names, "objective, a figure of results.json:")


def draw_curves(folder: Path) -> None:
    """Draw ``metrics.csv`` of a run as ``curves.png``."""
    save_figure(curves_figure(read_metrics(folder / "metrics.csv")), folder / "curves.png")


def summary(report: FitReport) -> dict[str, float]:
    """How a training ended, for ``results.json``."""
    return {"steps": report.step, "best": report.best, "best_step": report.best_step, "seconds": report.seconds}


def finish(run: Run, results: Mapping[str, Any], objective: str) -> float:
    """Write ``results.json`` and return the figure that a sweeper is to minimise.

    Args:
        run: The run.
        results: Figures by name.
        objective: Name of the figure; parts of nested ones are joined by dots. A leading minus turns its sign.

    Raises:
        diffkin.errors.UnknownNameError: There is no such figure.
    """
    save_results(run.folder, results)
    value: Any = results
    for part in objective.lstrip("-").split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise closest(part, value if isinstance(value, Mapping) else (), "objective, a figure of results.json:")
        value = value[part]
    return -float(value) if objective.startswith("-") else float(value)
