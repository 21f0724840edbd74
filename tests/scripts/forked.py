"""Scripts run in forks of one process that has imported what they all import: importing takes longer than most runs.

A fork takes a command line, a folder and an environment as a new process would. What is about processes themselves
(signals, sweeps over several, kills) is tested with new ones.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.fresh import run_code

__all__ = ["run_script"]

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
_IMPORTED = ("torch", "hydra", "diffkin", "numba", "matplotlib.figure")
_RUN = """
import runpy, sys
sys.argv = sys.argv[1:]
sys.path.insert(0, {scripts!r})  # as Python does for a script
{code}
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run_script(
    name: str, *arguments: str, folder: Path, code: str = "", timeout: float = 240.0
) -> subprocess.CompletedProcess[str]:
    """Run a script of ``scripts/`` with one thread and without a display, until it ends.

    Args:
        name: Of the script, without ``.py``.
        *arguments: Its command line.
        folder: Where it runs.
        code: Run before it, in its process; ``sys`` is there.
        timeout: [s].

    Raises:
        subprocess.TimeoutExpired: It did not end in time; it is killed.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "DIFFKIN_NUM_THREADS": "1"}
    environment.pop("DISPLAY", None)
    return run_code(
        _RUN.format(scripts=str(SCRIPTS), code=code),
        str(SCRIPTS / f"{name}.py"),
        *arguments,
        folder=folder,
        environment=environment,
        timeout=timeout,
        imported=_IMPORTED,
    )
