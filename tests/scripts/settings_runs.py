"""A script's job run in this process, and all that it did: files, figures, what was printed, what was called, or why not."""

from __future__ import annotations

import contextlib
import copy
import csv
import hashlib
import importlib
import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from safetensors.torch import load_file

from diffkin.errors import DiffkinError
from diffkin.kernels import threads
from diffkin.learning.training.checkpoint import load_checkpoint

_SCRIPTS = str(Path(__file__).resolve().parents[2] / "scripts")
if _SCRIPTS not in sys.path:
    sys.path.append(_SCRIPTS)

import common.training  # noqa: E402
from common.folders import register  # noqa: E402
from common.given import check_given, with_setting  # noqa: E402
from common.messages import CONFIGS, explain  # noqa: E402

__all__ = ["Done", "composed", "figures_of", "overridden", "run_job"]


@dataclass
class Done:
    """What a run did.

    Attributes:
        refused: The message that it ended in, if it did.
        crashed: An error that is no message to the user.
        figures: Contents of the files with numbers, times apart, by the file's name and place in it.
        pictures: Digests of pictures by name.
        names: Of all files.
        printed: What it printed, by words, without times.
        returned: What a sweeper is told.
        calls: Calls that leave no trace in files, such as the number of threads asked for.
    """

    refused: str = ""
    crashed: str = ""
    figures: dict[str, Any] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    returned: Any = None


def composed(script: str, line: list[str], run: str = "run") -> DictConfig:
    """The configuration of a script, Hydra's own part included, with ``run`` as its folder."""
    register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        cfg = compose(script, overrides=["hydra.mode=RUN", *line], return_hydra_config=True)
    with open_dict(cfg):
        cfg.hydra.runtime.output_dir = run
    return cfg


def overridden(cfg: DictConfig, line: list[str], words: list[str]) -> DictConfig:
    """A composed configuration with more settings, as Hydra applies them, but without composing anew.

    Args:
        cfg: Of ``composed``.
        line: The whole command line, the new settings in it.
        words: Those that are new; no choices of groups.
    """
    cfg = copy.deepcopy(cfg)
    ConfigLoaderImpl._apply_overrides_to_config(OverridesParser.create().parse_overrides(words), cfg)
    with open_dict(cfg):
        cfg.hydra.overrides.task = line
    return cfg


def run_job(
    script: str,
    line: list[str],
    make: Callable[[], DictConfig] | None = None,
    before: Path | None = None,
    keep: Path | None = None,
    drawn: bool = False,
) -> Done:
    """Run the job of a script with a command line in a folder of its own.

    Args:
        script: Its name.
        line: Settings, and choices of groups.
        make: Gives the configuration; it is composed if None.
        before: A folder whose copy the run finds as ``before``.
        keep: Where a copy of the run's folder goes.
        drawn: Whether figures are drawn, which takes longer than most of these runs; else their files are empty.

    Returns:
        What it did.
    """
    main, done, printed = importlib.import_module(script).main, Done(), io.StringIO()
    here, dtype, hydra = Path.cwd(), torch.get_default_dtype(), HydraConfig.instance().cfg
    with tempfile.TemporaryDirectory() as place, mock.patch.object(sys, "argv", [f"{script}.py", *line]):
        os.chdir(place)
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), _recorded(done.calls, drawn):
                if before is not None:
                    shutil.copytree(before, Path(place) / "before")
                cfg = make() if make is not None else composed(script, line, "run" if before is None else "before")
                HydraConfig.instance().set_config(cfg)
                cfg = copy.deepcopy(cfg)
                with open_dict(cfg):
                    del cfg["hydra"]
                Path("run").mkdir()
                check_given(cfg)
                done.returned = main(cfg)
        except (DiffkinError, HydraException, OmegaConfBaseException) as error:
            said = explain(error, script)
            done.refused = with_setting(said) if isinstance(error, DiffkinError) else said
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            done.crashed = f"{type(error).__name__}: {error}"
        finally:
            os.chdir(here)
            torch.set_default_dtype(dtype)
            HydraConfig.instance().cfg = hydra
            if "matplotlib.pyplot" in sys.modules:
                sys.modules["matplotlib.pyplot"].close("all")
        if not done.refused and not done.crashed:
            _read(Path(place), done)
            if keep is not None:
                shutil.copytree(Path(place) / "run", keep)
            said = printed.getvalue().split()
            times = ("s", "s,", "seconds", "microseconds")
            done.printed = [word for word, after in zip(said, [*said[1:], ""], strict=True) if after not in times]
    return done


@contextlib.contextmanager
def _recorded(calls: list[str], drawn: bool) -> Iterator[None]:
    """Note what leaves no trace in files: threads asked for, devices of a training, files written over, windows."""
    import lightning_fabric
    import rich.progress

    from diffkin import motion, plotting, simulation

    def noting(name: str, inner: Any, passed: bool = True) -> Any:
        def noted(*given: Any, **named: Any) -> Any:
            calls.append(f"{name} {[str(each) for each in given if isinstance(each, (int, str, Path))]} {named}")
            return inner(*given, **named) if passed else None

        return noted

    replace, make_fabric = os.replace, lightning_fabric.Fabric

    def fabric(**named: Any) -> Any:
        calls.append(f"fabric {named}")
        alone = {"devices": 1, "num_nodes": 1, "strategy": "auto"}  # more would start this very program again
        return make_fabric(**{**named, **alone})

    def replaced(source: Any, target: Any, **named: Any) -> None:
        calls.append(f"written {Path(target).name}")
        replace(source, target, **named)

    def not_drawn(figure: Any, path: Path, **named: Any) -> None:
        Path(path).touch()

    saved = plotting.save_figure if drawn else not_drawn
    with (
        mock.patch.object(plotting, "save_figure", saved),
        mock.patch.object(common.training, "save_figure", saved),
        mock.patch.object(torch, "set_num_threads", noting("torch threads", torch.set_num_threads, passed=False)),
        mock.patch.object(threads, "set_num_threads", noting("threads", threads.set_num_threads, passed=False)),
        mock.patch.object(rich.progress.Progress, "start", _start(calls, rich.progress.Progress.start)),
        mock.patch.object(lightning_fabric, "Fabric", fabric),
        mock.patch.object(os, "replace", replaced),
        mock.patch.object(motion, "solve_path", noting("path", motion.solve_path)),
        mock.patch.object(simulation, "show_solutions", noting("window", simulation.show_solutions)),
        mock.patch.object(simulation, "show_path", noting("window", simulation.show_path)),
    ):
        yield


def _start(calls: list[str], inner: Any) -> Any:
    def started(bar: Any) -> Any:
        calls.append(f"bar {[task.description for task in bar.tasks]}")
        return inner(bar)

    return started


# -- what is in the files -------------------------------------------------------------------------------------------


def _read(place: Path, done: Done) -> None:
    for path in sorted(path for path in place.rglob("*") if path.is_file()):
        name = str(path.relative_to(place))
        done.names.append(name)
        if path.suffix in (".png", ".mp4", ".gif"):
            done.pictures[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif path.name != "config.yaml":  # which says what was given, not what was done
            done.figures.update({f"{name}: {key}": value for key, value in figures_of(path).items()})


def figures_of(path: Path) -> dict[str, Any]:
    """Numbers and texts of a file by their place in it; without times, and without settings that it repeats."""
    if path.suffix == ".json":
        content = json.loads(path.read_text(encoding="utf-8"))
    elif path.suffix == ".pt":
        content = {key: value for key, value in load_checkpoint(path).items() if key != "seed"}
    elif path.suffix == ".safetensors":
        content = load_file(path)
    elif path.name == "metrics.csv":
        with path.open(newline="", encoding="utf-8") as file:
            content = [{key: text for key, text in row.items() if key != "seconds"} for row in csv.DictReader(file)]
    elif "tfevents" in path.name:
        content = {}
    else:
        content = {"text": path.read_text(encoding="utf-8", errors="replace")}
    return dict(_flat(content, ""))


def _flat(content: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(content, torch.Tensor):
        yield name, hashlib.sha256(content.contiguous().flatten().view(torch.uint8).numpy().tobytes()).hexdigest()
    elif isinstance(content, (dict, list, tuple)):
        for key, inner in content.items() if isinstance(content, dict) else enumerate(content):
            # times differ from run to run
            if not (key == "seconds" or str(key).endswith(("_seconds", "_per_target", "_ms"))):
                yield from _flat(inner, f"{name}.{key}" if name else str(key))
        yield f"{name} length", len(content)
    else:
        yield name, OmegaConf.to_container(content) if isinstance(content, DictConfig) else content
