"""Kills at random moments of the scripts that make data and train, each resumed and compared with a run left alone.

    python -m tests.scripts.fuzz_kills --kills 50 --seed 1

A run is started, killed (SIGKILL) at a moment drawn from the time that a whole run takes, resumed, perhaps killed again,
and resumed until it is done. What it leaves must equal to the bit what the run left alone leaves, times apart, with no
file more or less; the half of a file that a kill left beside it (``.part``) may stay. Exits with 1 if a run differs or does not end well.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.scripts.test_train_attitude import ALL, LEARNED
from tests.scripts.test_train_filter import SMALL as FILTER
from tests.scripts.test_train_filter import STARTS
from tests.scripts.test_train_ik import SMALL as IK
from tests.scripts.training_runs import assert_same_run, run, start


@dataclass(frozen=True)
class Job:
    """A script that can be killed.

    Attributes:
        script: Its name.
        first: Its command line; it writes to the folder ``run``.
        again: The command line that goes on with it.
        begun: A file that is there once it can be gone on with; until then it is started anew.
        same: Raises AssertionError unless two finished folders are the same.
    """

    script: str
    first: list[str]
    again: list[str]
    begun: str
    same: Callable[[Path, Path], None]


def _trained(script: str, settings: list[str], parts: list[str]) -> Job:
    first = [*settings, "hydra.run.dir=run"]
    return Job(script, first, ["resume=run"], "config.yaml", lambda a, b: assert_same_run(a, b, parts))


def _same_files(first: Path, second: Path) -> None:
    assert _names(first)
    for name in _names(first):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


_DATA = ["robot=planar_3r", "count=400000", "shards=4", "seed=4", "folder=run"]
JOBS = [
    _trained("train_ik", IK, ["."]),
    Job("make_dataset", _DATA, _DATA, "", _same_files),
    _trained("train_filter", FILTER, STARTS),
    _trained("train_attitude", [*ALL, "score.flights=0"], LEARNED),
]


def _names(folder: Path) -> list[str]:
    """Files of a run; without Hydra's logs, which tell how often it was started, and what a kill left unfinished."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in files if ".hydra" not in path.parts and path.suffix not in (".log", ".part"))


def killed(job: Job, folder: Path, delays: list[float]) -> int:
    """Start, kill after each of the delays and go on, at last to the end; the number of kills that met a live run."""
    count = 0
    for delay in delays:
        process = start(job.script, *_line(job, folder), cwd=folder)
        try:
            output, _ = process.communicate(timeout=delay)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            output, _ = process.communicate()
            count += process.returncode == -signal.SIGKILL
        assert process.returncode in (0, -signal.SIGKILL), output
        if process.returncode == 0:
            break
    run(job.script, *_line(job, folder), cwd=folder)
    return count


def _line(job: Job, folder: Path) -> list[str]:
    return job.again if (folder / "run" / job.begun).is_file() else job.first


def kills(number: int, seed: int) -> list[str]:
    """Kill so many runs; a line on each run that ended differently."""
    draw, bad, done, turn = random.Random(seed), [], 0, 0
    with tempfile.TemporaryDirectory() as place:
        whole: dict[str, float] = {}
        while done < number:
            job, turn = JOBS[turn % len(JOBS)], turn + 1
            alone = Path(place) / job.script
            if job.script not in whole:
                for _ in range(2):  # the first may compile kernels, which takes longer than the rest
                    shutil.rmtree(alone, ignore_errors=True)
                    alone.mkdir()
                    begin = time.monotonic()
                    run(job.script, *job.first, cwd=alone)
                    whole[job.script] = time.monotonic() - begin
            times = min(number - done, draw.choice([1, 1, 2, 3]))
            delays = [draw.uniform(0.0, whole[job.script]) for _ in range(times)]
            folder = Path(tempfile.mkdtemp(dir=place))
            said = f"{job.script} killed after " + ", ".join(f"{delay:.3f}" for delay in delays) + " s"
            try:
                met = killed(job, folder, delays)
                job.same(folder / "run", alone / "run")
                other = set(_names(folder / "run")) ^ set(_names(alone / "run"))
                assert not other, f"only one of the two has {sorted(other)}"
            except AssertionError as error:
                met = times
                bad.append(f"{said}: {error}")
            done += met
            print(f"{done}/{number} {said}: {bad[-1] if bad and bad[-1].startswith(said) else 'equal'}", flush=True)
            shutil.rmtree(folder)
    return bad


def main() -> int:
    """Run and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    bad = kills(arguments.kills, arguments.seed)
    print(*bad, sep="\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
