"""The process that tries cases, with what it may take of time and memory; ``python -m tests.robot.fuzzing.child``.

It writes a line of JSON when it begins a case and when each side has spoken, so that whoever started it knows what killed it.
"""

from __future__ import annotations

import json
import logging
import os
import random
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

import diffkin as dk
from tests.robot.fuzzing import mjcf, urdf
from tests.robot.fuzzing.verdicts import Refused, gap

__all__ = ["KINDS", "MEMORY", "SECONDS", "files_of"]

KINDS = {"urdf": urdf, "mjcf": mjcf}
SECONDS = 5
"""Time of the processor for a load, a sample and the poses of all links [s]."""
MEMORY = 2**30
"""Memory that they may take on top of what Python and its packages have [bytes]."""
_JUDGE_SECONDS = 3


def files_of(kind: str, seed: int, index: int) -> dict[str, str]:
    """The files of one case."""
    return dict(KINDS[kind].case(random.Random(f"{kind} {seed} {index}")))


def _write(**entry: Any) -> None:
    print(json.dumps(entry), flush=True)


def _allow(seconds: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))  # past it the process is ended


def _own_side(
    module: ModuleType, files: dict[str, str], folder: Path
) -> tuple[dk.Robot | None, torch.Tensor, list[dict[str, np.ndarray]], dict[str, Any]]:
    """What diffkin makes of a case, and what is wrong with that by itself."""
    began = time.process_time()
    robot, q, poses, said = None, torch.zeros(0, 0), [], {"loads": False, "message": "", "fault": ""}
    try:
        robot = module.load(files, folder)
    except dk.errors.DiffkinError as error:
        said["message"] = f"{type(error).__name__}: {error}"
        if not 20 <= len(said["message"]) <= 12_000:  # some names are as long
            said["fault"] = f"a message of {len(said['message'])} letters"
    except BaseException as error:  # whatever escapes is what is looked for
        said["fault"] = f"{type(error).__name__} escapes: {error}"
    if robot is not None:
        try:
            q = robot.sample(2, seed=1)
            by_link = robot.link_poses(q)
            poses = [{link: pose[row].numpy() for link, pose in by_link.items()} for row in range(2)]
            said["loads"] = True
            if not all(np.isfinite(pose).all() for each in poses for pose in each.values()):
                said["fault"] = "a pose is not finite"
            repr(robot)
        except BaseException as error:
            said["fault"] = f"{type(error).__name__} of a robot that was loaded: {error}"
    said["seconds"] = time.process_time() - began
    if said["seconds"] > SECONDS and not said["fault"]:
        said["fault"] = f"it took {said['seconds']:.1f} s"
    return robot, q, poses, said


def main(kind: str, seed: int, first: int, last: int) -> None:
    """Try the cases from ``first`` up to ``last``."""
    module = KINDS[kind]
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)
    warm = dk.load_robot("planar_2r")
    warm.link_poses(warm.sample(2))
    if kind == "mjcf":
        dk.Robot.from_mjcf("<mujoco><worldbody><body><joint/></body></worldbody></mujoco>")
    messages = tempfile.TemporaryFile()  # noqa: SIM115  for as long as the process
    os.dup2(messages.fileno(), 2)  # the judges write there what they do not raise
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        for index in range(first, last):
            files = files_of(kind, seed, index)
            folder = Path(place) / str(index)
            folder.mkdir()
            for name, text in files.items():
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_text(text, encoding="utf-8", errors="surrogatepass")
            _write(case=index, begins="ours")
            _allow(SECONDS)
            robot, q, poses, said = _own_side(module, files, folder)
            _write(case=index, ours=said)
            _allow(_JUDGE_SECONDS)
            messages.seek(0)
            messages.truncate()
            verdict = module.judge(files, folder, robot, q.numpy())
            if isinstance(verdict, Refused):
                messages.seek(0)
                printed = messages.read().decode(errors="replace")
                _write(case=index, refused=(verdict.message + "\n" + printed)[:3000])
            elif robot is not None and poses:
                _write(case=index, gap=next(filter(None, (gap(p, verdict, row) for row, p in enumerate(poses))), ""))
            else:
                _write(case=index, gap="")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]))
