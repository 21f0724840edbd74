"""Training scripts as a user starts them: to their end, killed on the way, and with mistakes on the command line."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from diffkin.learning.training.checkpoint import load_checkpoint
from diffkin.learning.training.log import read_metrics
from tests.fresh import run_code
from tests.scripts.forked import run_script

ROOT = Path(__file__).parents[2]
# Several command lines in one process, one after another: importing torch takes longer than a small run.
SEVERAL = """
import contextlib, io, json, os, runpy, sys
sys.path.insert(0, os.path.dirname(sys.argv[1]))  # as Python does for a script
said = []
script, lines = sys.argv[1], json.loads(sys.argv[2])
for line in lines:
    sys.argv, errors, code = [script, *line], io.StringIO(), 0
    with contextlib.redirect_stderr(errors):
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as stop:
            code = stop.code
    said.append([code, errors.getvalue()])
print(json.dumps(said))
"""


def start(script: str, *overrides: str, cwd: Path) -> subprocess.Popen[str]:
    """A script that runs in ``cwd`` with one thread."""
    command = [sys.executable, str(ROOT / "scripts" / f"{script}.py"), *overrides]
    return subprocess.Popen(
        command, cwd=cwd, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def run(script: str, *overrides: str, cwd: Path) -> str:
    """What a run prints that must end well. Runs that start processes of their own are new processes, the others forks."""
    if any(word == "--multirun" or word.startswith("trainer.devices") for word in overrides):
        process = start(script, *overrides, cwd=cwd)
        output, _ = process.communicate(timeout=240)
        assert process.returncode == 0, output
        return output
    done = run_script(script, *overrides, folder=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def run_each(script: str, *lines: list[str], cwd: Path) -> list[tuple[int, str]]:
    """Exit code and stderr of each of several command lines."""
    arguments = [str(ROOT / "scripts" / f"{script}.py"), json.dumps(lines)]
    done = run_code(SEVERAL, *arguments, folder=cwd, environment=_environment(), timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    said = [(code, errors) for code, errors in json.loads(done.stdout.splitlines()[-1])]
    assert len(said) == len(lines)
    return said


def run_until_killed(script: str, *overrides: str, cwd: Path, checkpoint: Path, step: int) -> None:
    """Kill a run (SIGKILL) as soon as ``checkpoint`` holds that step, before it wrote results."""
    process = start(script, *overrides, cwd=cwd)
    give_up = time.monotonic() + 120
    while not (checkpoint.exists() and load_checkpoint(checkpoint)["count"]["step"] >= step):
        assert time.monotonic() < give_up and process.poll() is None, process.communicate()[0]
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not list(cwd.glob("*/results.json"))


def one_line(code: int, said: str) -> str:
    """The message that a mistake ends in: one line on stderr, exit code 1, no traceback."""
    head, message = said.rstrip("\n").split("Error: ", 1)
    assert code == 1 and "\n" not in message and "Traceback" not in said
    assert head == "" or head.startswith("Error executing job with overrides: ")  # Hydra's, once the job runs
    return message


def results(folder: Path) -> dict[str, Any]:
    """Figures of a run."""
    return json.loads((folder / "results.json").read_text())


def figures_of(script: str) -> set[str]:
    """What a script says it will write to ``results.json``."""
    for node in ast.parse((ROOT / "scripts" / f"{script}.py").read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "FIGURES":
            return {"training", *ast.literal_eval(node.value)}
    raise AssertionError(f"{script}.py has no FIGURES")


def assert_same_run(first: Path, second: Path, parts: list[str], without: tuple[str, ...] = ()) -> None:
    """Checkpoints, logs and results of two runs are the same to the bit, apart from times and some results."""
    for part in parts:
        for name in ("last.pt", "best.pt"):
            assert same(load_checkpoint(first / part / name), load_checkpoint(second / part / name)), (part, name)
        assert same(read_metrics(first / part / "metrics.csv"), read_metrics(second / part / "metrics.csv")), part
    found = [{key: value for key, value in results(run).items() if key not in without} for run in (first, second)]
    assert same(*found)


def same(first: Any, second: Any) -> bool:
    """Whether two nested containers are equal, apart from what is called ``seconds``."""
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[k], second[k]) for k in first if k != "seconds")
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "DIFFKIN_NUM_THREADS": "1"}
