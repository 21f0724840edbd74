"""What the training scripts share: settings of the loop, curves, and the figure that a sweeper is to minimise."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from common.folders import Run, in_sweep
from common.given import unused
from common.results import save_results
from common.settings import require
from diffkin.errors import OptionError, UnknownNameError, closest
from diffkin.kernels import threads
from diffkin.learning import FitReport, FitSettings
from diffkin.learning.training.checkpoint import load_checkpoint
from diffkin.learning.training.log import read_metrics
from diffkin.plotting import curves_figure, save_figure

__all__ = ["check_going_on", "check_objective", "draw_curves", "finish", "prepared", "summary"]


def prepared(settings: FitSettings, precisions: Iterable[str] = ("32-true",)) -> FitSettings:
    """In a sweep, whose runs stand beside each other, one thread a run unless told otherwise.

    Args:
        settings: As they were given.
        precisions: Those that the problem can be trained in.

    Raises:
        diffkin.errors.OptionError: There is no GPU, and one is asked for; or this is not trained in that precision.
    """
    allowed = " or ".join(precisions)
    require(settings.precision in precisions, "trainer.precision", settings.precision, f"{allowed} for this training")
    if settings.accelerator in ("cuda", "gpu") and not torch.cuda.is_available():
        raise OptionError(
            f"trainer.accelerator={settings.accelerator} needs a GPU, and torch finds none here. Train on the processor: "
            "trainer=cpu."
        )
    if not in_sweep():
        return settings
    count = max(1, settings.threads)
    threads.set_num_threads(count)
    torch.set_num_threads(count)
    return dataclasses.replace(settings, threads=count)


def check_going_on(run: Run, trainer: FitSettings, folders: Mapping[Path, int]) -> None:
    """Raise for settings of the training that were given to go on with one that has ended.

    Args:
        run: The run.
        trainer: Settings that it would go on with.
        folders: Of the trainings of this run, and how many steps each is to take.

    Raises:
        diffkin.errors.OptionError: All have ended, and such a setting was given.
    """
    if not run.resumed:
        return
    done = []
    for folder, steps in folders.items():
        count = load_checkpoint(folder / "last.pt").get("count", {}) if (folder / "last.pt").is_file() else {}
        ended = count.get("step", 0) >= steps or 0 < trainer.patience <= count.get("worse", 0)
        if not ended or not (folder / "best.pt").is_file():
            return
        done.append(count["step"])
    if done:
        why = f"the training has ended, at step {max(done)}; to go on give trainer.steps=, above that"
        unused("trainer", why, but=("steps", "accelerator", "devices", "nodes", "seed", "threads", "progress"))
        if trainer.steps < max(done):
            unused("trainer.steps", why)


def check_objective(objective: str, figures: Iterable[str], texts: Iterable[str], parts: Iterable[str]) -> None:
    """Raise unless the objective is a number of ``results.json``, before any training.

    Args:
        objective: Its name, perhaps behind a minus.
        figures: All names in ``results.json``.
        texts: Those of them that are no numbers.
        parts: Those that hold numbers by name.

    Raises:
        diffkin.errors.UnknownNameError: It is none.
    """
    inner = [name for name in (*figures, "training") if name in parts]
    numbers = [name for name in figures if name not in (*texts, *inner)]
    name, dot, below = objective.removeprefix("-").partition(".")
    if (name in numbers and not dot) or (name in inner and below):
        return
    near = difflib.get_close_matches(name, numbers, n=1, cutoff=0.6)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    of_parts = f" Or a number within {', '.join(inner)}, such as {inner[-1]}.NAME." if inner else ""
    raise UnknownNameError(
        f"There is no figure {objective!r} in results.json to be the objective.{hint} It is one of: "
        f"{', '.join(numbers)}.{of_parts}"
    )


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
