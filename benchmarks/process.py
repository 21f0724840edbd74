"""What a process pays: import, compilation, the first IK, memory. Each is measured in processes of its own."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

__all__ = ["compile_times", "import_times", "memory", "warm_start"]

_WARM = """
import time, json
begin = time.perf_counter()
import torch
torch_done = time.perf_counter()
import diffkin as dk
imported = time.perf_counter()
robot = dk.load_robot("kuka_iiwa")
loaded = time.perf_counter()
target = robot.forward_kinematics(robot.sample(1)[0])
placed = time.perf_counter()
result = dk.solve_ik(robot, target)
solved = time.perf_counter()
dk.solve_ik(robot, target)
print(json.dumps({"import torch": torch_done - begin, "import diffkin after torch": imported - torch_done,
    "load robot": loaded - imported, "first forward kinematics": placed - loaded, "first solve_ik": solved - placed,
    "second solve_ik": time.perf_counter() - solved, "success": bool(result.success)}))
"""

_COMPILE = """
import time, json, torch, diffkin as dk
robot = dk.load_robot("kuka_iiwa")
times = {}
for dtype in (torch.float32, torch.float64):
    arm = robot.to(dtype=dtype)
    q = arm.sample(2000)
    leaf = q.clone().requires_grad_()
    name = str(dtype).removeprefix("torch.")
    for what, call in (("forward", lambda: arm.forward_kinematics(q)), ("jacobian", lambda: arm.jacobian(q)),
                       ("backward", lambda: arm.forward_kinematics(leaf).sum().backward())):
        begin = time.perf_counter(); call(); times[f"{what}, {name}"] = time.perf_counter() - begin
begin = time.perf_counter(); dk.solve_ik(robot, robot.forward_kinematics(robot.sample(10)))
times["inverse kinematics"] = time.perf_counter() - begin
print(json.dumps(times))
"""

_MEMORY = """
import json, sys, time
def kib(what):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(what))
import torch
torch.zeros(10).sum()
alone = kib("VmRSS")
import diffkin as dk
count = int(sys.argv[1])
robot = dk.load_robot("kuka_iiwa")
q = robot.sample(count, seed=1)
targets = robot.forward_kinematics(q)
dk.solve_ik(robot, targets[:2])
before = kib("VmHWM")
begin = time.perf_counter()
result = dk.solve_ik(robot, targets)
seconds = time.perf_counter() - begin
print(json.dumps({"targets": count, "seconds": seconds, "solved": float(result.success.double().mean()),
    "torch_alone_bytes": alone * 1024, "peak_bytes": kib("VmHWM") * 1024,
    "peak_above_torch_bytes": (kib("VmHWM") - alone) * 1024,
    "with_targets_before_solving_bytes": (before - alone) * 1024}))
"""


def _run(code: str, *arguments: str, **environment: str) -> Any:
    """What the code prints last, as JSON."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def import_times(repeats: int = 7) -> dict[str, float]:
    """Seconds of a whole process that imports torch, or diffkin, and ends; medians, taking turns."""
    seconds: dict[str, list[float]] = {"nothing": [], "torch": [], "diffkin": []}
    for round_ in range(repeats + 1):
        for name in seconds:
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", "" if name == "nothing" else f"import {name}"], check=True)
            if round_:  # the first round brings the files into memory
                seconds[name].append(time.perf_counter() - begin)
    medians = {name: statistics.median(measured) for name, measured in seconds.items()}
    return {**medians, "ratio": medians["diffkin"] / medians["torch"]}


def warm_start(repeats: int = 5) -> dict[str, Any]:
    """A process that loads kuka_iiwa and solves one IK, kernels kept on disk: seconds by stage, medians."""
    _run(_WARM)
    runs, whole = [], []
    for _ in range(repeats):
        begin = time.perf_counter()
        runs.append(_run(_WARM)[0])
        whole.append(time.perf_counter() - begin)
    return {
        **{name: statistics.median(run[name] for run in runs) for name in runs[0]},
        "process": statistics.median(whole),
    }


def compile_times() -> dict[str, Any]:
    """First calls of the kernels with an empty cache, then in another process with what the first left on disk."""
    with tempfile.TemporaryDirectory() as folder:
        cold, said = _run(_COMPILE, NUMBA_CACHE_DIR=folder)
        warm, _ = _run(_COMPILE, NUMBA_CACHE_DIR=folder)
    announced = [line for line in said.splitlines() if line.startswith("diffkin: compiling")]
    return {"cold": cold, "from_disk": warm, "announced": announced}


def memory(count: int = 1_000_000) -> dict[str, Any]:
    """Resident memory of a process that solves IK of many targets, above that of torch alone."""
    return _run(_MEMORY, str(count))[0]
