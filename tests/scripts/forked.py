"""Scripts run in forks of one process that has imported what they all import: importing takes longer than most runs.

A fork takes a command line, a folder and an environment as a new process would. What is about processes themselves
(signals, sweeps over several, kills) is tested with new ones.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
from pathlib import Path

__all__ = ["run_script"]

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["torch", "hydra", "diffkin", "numba", "matplotlib.figure"])


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
    said = [folder.parent / f"{folder.name}.{stream}.txt" for stream in ("stdout", "stderr")]
    process = _context.Process(target=_job, args=(str(SCRIPTS / f"{name}.py"), arguments, str(folder), code, said))
    process.start()
    process.join(timeout)
    if process.is_alive():
        process.kill()
        process.join()
        raise subprocess.TimeoutExpired([name, *arguments], timeout)
    texts = [path.read_text() for path in said]
    for path in said:
        path.unlink()
    assert process.exitcode is not None
    return subprocess.CompletedProcess([name, *arguments], process.exitcode, *texts)


def _job(script: str, arguments: tuple[str, ...], folder: str, code: str, said: list[Path]) -> None:
    """What the fork does; an exception that leaves it ends the process as it would end Python."""
    import torch

    for number, path in enumerate(said, 1):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    os.environ |= {"OMP_NUM_THREADS": "1", "DIFFKIN_NUM_THREADS": "1"}
    os.environ.pop("DISPLAY", None)
    torch.set_num_threads(1)
    os.chdir(folder)
    sys.path.insert(0, str(SCRIPTS))  # as Python does for a script
    sys.argv = [script, *arguments]
    exec(code, {"sys": sys})
    runpy.run_path(script, run_name="__main__")
