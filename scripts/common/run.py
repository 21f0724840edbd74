"""Running a Hydra main so that mistakes of the user end in a message, not in a traceback."""

from __future__ import annotations

import errno
import functools
import os
import re
import shlex
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from common import folders
from common.given import check_given, given, with_setting, without_value
from common.messages import CONFIGS, explain, quoted
from common.sweeps import end_sweep, keep_row, remove_empty
from diffkin.errors import DiffkinError, OptionError

__all__ = ["run_main"]

# Launchers that start new interpreters (submitit, SLURM) unpickle jobs there, which then import this package.
_SCRIPTS = str(Path(__file__).resolve().parents[1])
if _SCRIPTS not in os.environ.get("PYTHONPATH", "").split(os.pathsep):
    os.environ["PYTHONPATH"] = os.pathsep.join(part for part in (_SCRIPTS, os.environ.get("PYTHONPATH", "")) if part)


def run_main(job: Callable[[DictConfig], Any], config_name: str) -> None:
    """Run ``job`` with the configuration composed from ``configs/`` and the command line.

    A mistake of the user (an unknown choice, a misspelt key, a value of the wrong type or out of range, a setting that
    would change nothing, a file that cannot be read) ends in one message on stderr that names the choices, and exit code
    1; a run that ends so at once leaves no folder. Anything else is a bug and keeps its traceback. Ctrl-C ends in the
    line that goes on.

    Args:
        job: Called with the configuration.
        config_name: Name of the primary configuration in ``configs/``.
    """
    # Hydra would print some of these errors itself, without the choices; it hands them on where this is set.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    folders.register()
    # all overrides as the name of a folder, an idiom of Hydra's, may be longer than file systems allow
    sys.argv[1:] = [word.replace("${hydra.job.override_dirname}", "${short_overrides:}") for word in sys.argv[1:]]
    for word in sys.argv[1:]:
        if re.fullmatch(r"\+*hydra\.[\w.]+=", word):  # such as a folder, which would be the one that one stands in
            _stop(None, f"Error: {without_value(word.lstrip('+').removesuffix('='))}", 1)
    try:
        hydra.main(config_path=str(CONFIGS), config_name=config_name, version_base="1.3")(_watched(job))()
    except KeyboardInterrupt as stop:
        _stop(stop, str(stop) or "Stopped.", 130)
    except _Refused as refused:
        _stop(refused.error, f"Error: {explain(refused.error, config_name)}", 1)
    except (HydraException, OmegaConfBaseException, DiffkinError) as error:
        _stop(error, f"Error: {explain(error, config_name)}", 1)
    except (TypeError, ValueError) as error:
        if not _raised_by_hydra(error):
            raise
        _stop(error, f"Error: {explain(error, config_name)}", 1)
    except BrokenPipeError:  # as of ``... | head``: whoever reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would complain once more at its end
        sys.exit(1)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            _stop(error, f"Error: The file system takes no name as long as {str(error.filename)[:100]}...", 1)
        if _in_the_job(error):
            raise
        where = "hydra.sweep.dir" if {"--multirun", "-m"} & set(sys.argv) else "hydra.run.dir"
        _stop(
            error, f"Error: The run has no folder: {error.filename}: {error.strerror}. Give another one, {where}=...", 1
        )


class _Refused(BaseException):
    """What ended a single run, on its way past Hydra, which would print a line before any Exception of a job."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def _watched(job: Callable[[DictConfig], Any]) -> Callable[[DictConfig], Any]:
    """The job, with what all have in common before it and behind it."""

    @functools.wraps(job)
    def watched(cfg: DictConfig) -> Any:
        folder, sweep = folders.run_folder(), Path(HydraConfig.get().sweep.dir) if folders.in_sweep() else None
        own = {HydraConfig.get().output_subdir}  # what Hydra put there
        new = _names(folder) <= own
        first = int(os.environ.get("LOCAL_RANK", 0)) == 0
        try:
            check_given(cfg)
            value = _within_memory(job, cfg)
        except KeyboardInterrupt as stop:
            stop.args = (_how_to_go_on(cfg, folder) if first else " ",)
            stop.sweep = sweep  # type: ignore[attr-defined]  # for the table of the runs until here
            raise
        except (DiffkinError, OmegaConfBaseException) as error:
            if isinstance(error, DiffkinError):
                error.args = (with_setting(str(error)), *error.args[1:])
            else:  # explained later, where the command line is forgotten
                odd = [f"{key}={value}" for key, value in given().items() if isinstance(value, dict)]
                error.settings = odd  # type: ignore[attr-defined]
            elsewhere = folder.resolve() not in (Path.cwd(), *Path.cwd().parents)  # never the ground that one stands on
            if elsewhere and new and _names(folder) <= own | {"config.yaml"}:
                shutil.rmtree(folder)
                remove_empty(folder.parent)
            if sweep is not None and first:
                keep_row(None, str(error))
                error.sweep = sweep  # type: ignore[union-attr]
            if sweep is None:
                raise _Refused(error) from error
            raise
        if sweep is not None and first:
            keep_row(value, None)
        return value

    return watched


def _within_memory(job: Callable[[DictConfig], Any], cfg: DictConfig) -> Any:
    """What the job returns, or where memory ends, an error that names the largest number given."""
    try:
        return job(cfg)
    except (MemoryError, RuntimeError) as error:
        if not (isinstance(error, MemoryError) or re.search("allocate memory|out of memory", str(error))):
            raise
        numbers = {key: value for key, value in given().items() if type(value) is int}
        key = max(numbers, key=lambda each: numbers[each], default=None)
        advice = "Make what it is asked for smaller" if key is None else f"Lower {key}={numbers[key]}"
        raise OptionError(f"There is not enough memory for this run. {advice}.") from error


def _names(folder: Path) -> set[str | None]:
    return {child.name for child in folder.glob("*")}


def _how_to_go_on(cfg: DictConfig, folder: Path) -> str:
    """The words after Ctrl-C."""
    if "resume" in cfg and (folder / "config.yaml").is_file():
        where = os.path.relpath(folder) if Path.cwd() in folder.parents else str(folder)
        return f"Stopped. This goes on with it:\n  python {sys.argv[0]} {quoted('resume', where)}"
    if "shards" in cfg:  # shards that are there are left alone
        return f"Stopped. This goes on with it:\n  python {shlex.join(sys.argv)}"
    return "Stopped."


def _in_the_job(error: BaseException) -> bool:
    """Whether the job had begun, and its folder was there."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return any(frame.f_code.co_name == "watched" and frame.f_globals is globals() for frame in frames)


def _raised_by_hydra(error: BaseException) -> bool:
    """Whether Hydra itself refused what it was given, as it does ``robot=null``."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return bool(frames) and str(frames[-1][0].f_globals.get("__name__", "")).split(".")[0] == "hydra"


def _stop(error: BaseException | None, message: str, code: int) -> None:
    """Say it, after the table of the runs where it ended a sweep, and end the process."""
    sweep = getattr(error, "sweep", None)
    if sweep is not None:
        end_sweep(sweep)
    sys.stdout.flush()
    print(message, file=sys.stderr)
    sys.exit(code)
