"""Running a Hydra main so that mistakes of the user end in a message, not in a traceback."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from common import folders
from common.messages import CONFIGS, explain
from diffkin.errors import DiffkinError

__all__ = ["run_main"]

# Launchers that start new interpreters (submitit, SLURM) unpickle jobs there, which then import this package.
_SCRIPTS = str(Path(__file__).resolve().parents[1])
if _SCRIPTS not in os.environ.get("PYTHONPATH", "").split(os.pathsep):
    os.environ["PYTHONPATH"] = os.pathsep.join(part for part in (_SCRIPTS, os.environ.get("PYTHONPATH", "")) if part)


def run_main(job: Callable[[DictConfig], Any], config_name: str) -> None:
    """Run ``job`` with the configuration composed from ``configs/`` and the command line.

    A mistake of the user (an unknown choice, a misspelt key, a value of the wrong type or out of range, a file that
    cannot be read) ends in one message on stderr that names the choices, and exit code 1. Anything else is a bug and
    keeps its traceback.

    Args:
        job: Called with the configuration.
        config_name: Name of the primary configuration in ``configs/``.
    """
    # Hydra would print some of these errors itself, without the choices; it hands them on where this is set.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    folders.register()
    try:
        hydra.main(config_path=str(CONFIGS), config_name=config_name, version_base="1.3")(job)()
    except KeyboardInterrupt:
        _stop("Stopped.", 130)
    except (HydraException, OmegaConfBaseException, DiffkinError) as error:
        _stop(f"Error: {explain(error, config_name)}", 1)
    except (TypeError, ValueError) as error:
        if not _raised_by_hydra(error):
            raise
        _stop(f"Error: {error}", 1)


def _raised_by_hydra(error: BaseException) -> bool:
    """Whether Hydra itself refused what it was given, as it does ``robot=null``."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return bool(frames) and str(frames[-1][0].f_globals.get("__name__", "")).split(".")[0] == "hydra"


def _stop(message: str, code: int) -> None:
    sys.stdout.flush()
    print(message, file=sys.stderr)
    sys.exit(code)
