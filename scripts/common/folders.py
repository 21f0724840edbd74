"""Where a run writes: a folder of its own, or with ``resume=FOLDER`` the one of an earlier run."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from common.given import words
from common.results import write_text
from common.settings import require
from common.usage import usage
from diffkin.errors import ModelFileError, OptionError

__all__ = ["Run", "in_sweep", "open_run", "register", "run_folder", "short"]

_LONGEST = 200  # bytes of a folder's name; file systems allow 255, and some of these get a number behind them


def register() -> None:
    """Teach OmegaConf the resolvers that ``configs/run.yaml`` and ``configs/training.yaml`` use."""
    OmegaConf.register_new_resolver("either", lambda first, second: first or second, replace=True)
    OmegaConf.register_new_resolver("unused", _unused, replace=True, use_cache=True)
    OmegaConf.register_new_resolver("short_overrides", _short_overrides, replace=True)
    OmegaConf.register_new_resolver("usage", usage, replace=True)


def _short_overrides(*, _root_: DictConfig) -> str:
    """``hydra.job.override_dirname`` as the name of one folder."""
    return short(_root_.hydra.job.override_dirname)


def short(name: str) -> str:
    """A name as that of one folder: without slashes, and where it is longer than file systems allow, cut before a hash."""
    name = str(name).replace("/", "_")
    if len(name.encode()) <= _LONGEST:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{name.encode()[: _LONGEST - 20].decode(errors='ignore')}...{mark}"


def _unused(folder: str) -> str:
    """The folder, or with -2, -3 ... where another run started in the same second.

    Processes that train together, under torchrun or SLURM, are one run and share its folder.
    """
    if "LOCAL_RANK" in os.environ or "SLURM_PROCID" in os.environ:
        return folder
    names = itertools.chain([folder], (f"{folder}-{k}" for k in itertools.count(2)))
    return next(name for name in names if not Path(name).exists())


def in_sweep() -> bool:
    """Whether this is one of many runs of a sweep (--multirun)."""
    return bool(HydraConfig.get().mode == RunMode.MULTIRUN)


def run_folder() -> Path:
    """The folder that Hydra made for this run."""
    return Path(HydraConfig.get().runtime.output_dir)


@dataclass(frozen=True)
class Run:
    """One run of a script that can be resumed.

    Attributes:
        cfg: Its configuration; of a resumed run the one it was started with.
        folder: Where it writes.
        resumed: Whether it goes on from what is there.
    """

    cfg: DictConfig
    folder: Path
    resumed: bool


def open_run(cfg: DictConfig, fixed: Iterable[str]) -> Run:
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
    if not cfg.resume:
        folder = run_folder()
        if int(os.environ.get("LOCAL_RANK", 0)) == 0:
            write_text(folder / "config.yaml", OmegaConf.to_yaml(cfg, resolve=True))
        return Run(cfg, folder, resumed=False)
    require(isinstance(cfg.resume, str), "resume", cfg.resume, "the name of a folder, in quotes where it is a number")
    folder = Path(cfg.resume)
    if not (folder / "config.yaml").is_file():
        raise ModelFileError(
            f"There is no run in {folder} (no config.yaml). Give the folder of an earlier run: resume=..."
        )
    saved = OmegaConf.load(folder / "config.yaml")
    if not isinstance(saved, DictConfig):
        raise ModelFileError(f"{folder}/config.yaml is not the configuration of a run.")
    fresh = OmegaConf.create(OmegaConf.to_container(cfg, resolve=True))
    choices = HydraConfig.get().runtime.choices
    for override in words("task"):
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
        if key in choices and key.split(".")[0] not in fixed:
            raise OptionError(
                f"{override} cannot be given together with resume=: it would set all of {key} anew. Give the changed numbers "
                f"themselves, as {key}.NAME=VALUE."
            )
        OmegaConf.update(saved, key, value)
    return Run(saved, folder, resumed=True)


def _changes(key: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """Every leaf that differs between two parts of a configuration: its key, and both values."""
    if isinstance(before, DictConfig) and isinstance(after, DictConfig):
        for name in dict.fromkeys((*after, *before)):
            yield from _changes(f"{key}.{name}", before.get(name), after.get(name))
    elif before != after:
        yield key, before, after
