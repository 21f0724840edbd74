"""What the training scripts share: run folders and resuming, typed settings, results, curves."""

from __future__ import annotations

import dataclasses
import json
import os
import typing
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

import diffkin as dk
from diffkin.errors import ModelFileError, OptionError, closest
from diffkin.kernels import threads
from diffkin.learning import FitReport, FitSettings
from diffkin.learning.training.checkpoint import write_atomically
from diffkin.learning.training.log import read_metrics
from diffkin.plotting import new_figure, save_figure
from diffkin.robot import Robot

__all__ = ["Run", "curves", "finish", "load_robot", "open_run", "say", "show", "summary", "trainer_of", "typed"]

console = Console()  # scripts use say() and show(): a launcher could not pickle a script that holds the console
_Settings = TypeVar("_Settings")

# Launchers that start new interpreters (submitit, SLURM) unpickle jobs there, which then import this file.
_HERE = str(Path(__file__).resolve().parent)
if _HERE not in os.environ.get("PYTHONPATH", "").split(os.pathsep):
    os.environ["PYTHONPATH"] = os.pathsep.join(part for part in (_HERE, os.environ.get("PYTHONPATH", "")) if part)

# The folder of a run: a new one, or with resume=<folder> that one.
OmegaConf.register_new_resolver("either", lambda first, second: first or second, replace=True)


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of a script.

    Attributes:
        cfg: Its configuration; of a resumed run the one it was started with.
        folder: Where it writes.
        resumed: Whether it goes on from what is there.
    """

    cfg: DictConfig
    folder: Path
    resumed: bool

    def will_write(self, *figures: str) -> None:
        """Raise UnknownNameError if the objective is none of these figures of ``results.json``, before any training."""
        names, objective = (*figures, "training"), str(self.cfg.objective).lstrip("-").split(".")[0]
        if objective not in names:
            raise closest(objective, names, "objective, a figure of results.json:")


def open_run(cfg: DictConfig, fixed: Iterable[str] = ("robot", "network", "seed", "data")) -> Run:
    """Start a run in Hydra's folder, or go on with one.

    Args:
        cfg: The composed configuration; ``cfg.resume`` names the folder of a run to go on with, or is null.
        fixed: Parts of the configuration that a run cannot change when it goes on.

    Returns:
        The run. A new one has written its resolved configuration to ``config.yaml``.

    Raises:
        diffkin.errors.ModelFileError: There is no run in that folder.
        diffkin.errors.OptionError: An override would change the model of a run that goes on.
    """
    hydra = HydraConfig.get()
    if hydra.mode == RunMode.MULTIRUN:  # many runs beside each other: one thread each unless told otherwise
        threads.set_num_threads(max(1, int(cfg.get("trainer", {}).get("threads", 0))))
        torch.set_num_threads(max(1, int(cfg.get("trainer", {}).get("threads", 0))))
    if not cfg.resume:
        folder = Path(hydra.runtime.output_dir)
        if int(os.environ.get("LOCAL_RANK", 0)) == 0:
            text = OmegaConf.to_yaml(cfg, resolve=True)
            write_atomically(folder / "config.yaml", lambda beside: beside.write_text(text, encoding="utf-8"))
        return Run(cfg, folder, resumed=False)
    folder = Path(cfg.resume)
    if not (folder / "config.yaml").is_file():
        raise ModelFileError(
            f"There is no run in {folder} (no config.yaml). Give the folder of an earlier run: resume=..."
        )
    saved = OmegaConf.load(folder / "config.yaml")
    if not isinstance(saved, DictConfig):
        raise ModelFileError(f"{folder}/config.yaml is not the configuration of a run.")
    fresh = OmegaConf.create(OmegaConf.to_container(cfg, resolve=True))
    for override in hydra.overrides.task:
        key = override.lstrip("+~").split("=")[0].split("@")[0].replace("/", ".")
        if key == "resume":
            continue
        if key not in fresh and OmegaConf.select(fresh, key) is None:
            raise OptionError(f"{key} cannot be given together with resume=. Give the changed numbers themselves.")
        value = OmegaConf.select(fresh, key)
        if key.split(".")[0] in fixed:
            for name, before, after in _changes(key, OmegaConf.select(saved, key), value):
                raise OptionError(
                    f"{name} is {before!r} in {folder} and cannot become {after!r}: that would be another model. Start a "
                    "new run, or leave it out."
                )
        OmegaConf.update(saved, key, value)
    return Run(saved, folder, resumed=True)


def typed(kind: type[_Settings], node: Mapping[str, Any], where: str) -> _Settings:
    """A settings dataclass from a part of the configuration; unknown names and wrong types are errors.

    Args:
        kind: The dataclass.
        node: Values by name.
        where: Name of the part, for messages.

    Returns:
        The settings.
    """
    hints = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    values = dict(node)
    for name, value in values.items():
        if name not in names:
            raise closest(name, names, f"setting of {where}:")
        wanted = hints[name]
        if wanted is float and type(value) is int:
            values[name] = float(value)
        elif wanted in (int, float, str, bool) and type(value) is not wanted:
            raise OptionError(f"{where}.{name} must be of type {wanted.__name__}, got {value!r}.")
    return kind(**values)


def trainer_of(cfg: DictConfig) -> FitSettings:
    """The settings of ``fit`` from the group ``trainer``, with one thread in a sweep unless told otherwise."""
    settings = typed(FitSettings, cfg.trainer, "trainer")
    if HydraConfig.get().mode == RunMode.MULTIRUN and settings.threads == 0:
        return dataclasses.replace(settings, threads=1)
    return settings


def load_robot(cfg: DictConfig) -> Robot:
    """The robot of the group ``robot``."""
    return dk.load_robot(cfg.name, base=cfg.get("base"), tip=cfg.get("tip"))


def curves(folder: Path) -> None:
    """Draw ``metrics.csv`` of a run as ``curves.png``."""
    rows = read_metrics(folder / "metrics.csv")
    names = [name for name in rows[0] if name not in ("step", "seconds", "learning_rate")]
    figure = new_figure(width=3.2 * len(names), height=3.0)
    for axis, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names):
        values = [row[name] for row in rows]
        axis.plot([row["step"] for row in rows], values)
        axis.set_yscale("log" if 0 < 10 * min(values) < max(values) else "linear")
        axis.set(title=name, xlabel="step")
    save_figure(figure, folder / "curves.png")


def finish(run: Run, results: dict[str, Any], report: FitReport | None, objective: str) -> float:
    """Write ``results.json`` and return the figure that a sweeper is to minimise.

    Args:
        run: The run.
        results: Figures by name.
        report: Of the training; None if there was none.
        objective: Name of the figure; parts of nested ones are joined by dots. A leading minus turns its sign.

    Raises:
        diffkin.errors.UnknownNameError: There is no such figure.
    """
    if report is not None:
        results["training"] = summary(report)
    text = json.dumps(results, indent=2) + "\n"
    write_atomically(run.folder / "results.json", lambda beside: beside.write_text(text, encoding="utf-8"))
    console.print(f"Results: {run.folder / 'results.json'}")
    value: Any = results
    for part in objective.lstrip("-").split("."):
        if not isinstance(value, dict) or part not in value:
            raise closest(part, value if isinstance(value, dict) else (), "objective, a figure of results.json:")
        value = value[part]
    return -float(value) if objective.startswith("-") else float(value)


def summary(report: FitReport) -> dict[str, float]:
    """How a training ended, for ``results.json``."""
    return {"steps": report.step, "best": report.best, "best_step": report.best_step, "seconds": report.seconds}


def say(text: str) -> None:
    """Print a line."""
    console.print(text)


def show(title: str, rows: Mapping[str, Mapping[str, float]]) -> None:
    """Print figures as a table, one row a name."""
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    table = Table(title=title)
    table.add_column("", no_wrap=True)
    for column in columns:
        table.add_column(column.replace("_", " "), justify="right")
    for name, row in rows.items():
        table.add_row(name, *(f"{row[column]:.4g}" if column in row else "" for column in columns))
    console.print(table)


def _changes(key: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """Every leaf that differs between two parts of a configuration: its key, and both values."""
    if isinstance(before, DictConfig) and isinstance(after, DictConfig):
        for name in dict.fromkeys((*after, *before)):
            yield from _changes(f"{key}.{name}", before.get(name), after.get(name))
    elif before != after:
        yield key, before, after
