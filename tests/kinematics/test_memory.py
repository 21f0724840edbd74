"""What calls allocate: their outputs and at most 64 MB, measured as the peak of a process's resident memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ALLOWED = 64 * 2**20
CALLS = ("forward", "jacobian", "backward", "inverse kinematics", "from q0")

MEASURE = """
import gc, json, sys, torch, diffkin as dk
torch.set_num_threads(1)

def resident(what):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(what))

def beyond_outputs(call, size):
    call(1000)  # kernels and tables are loaded
    arguments = prepare(size)
    gc.collect()
    before = resident("VmRSS")
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak begins anew
    outputs = call(size, *arguments)
    return resident("VmHWM") - before - sum(tensor.nbytes for tensor in outputs)

name, dtype, size = sys.argv[1], getattr(torch, sys.argv[2]), int(sys.argv[3])
robot = dk.load_robot("kuka_iiwa").to(dtype)
q = lambda size: robot.sample(size, seed=1)

def prepare(size):
    given = q(size)
    if name == "backward":
        return (given.requires_grad_(),)
    if name in ("inverse kinematics", "from q0", "with a base"):
        poses = robot.forward_kinematics(given)
        return (poses, given) if name == "from q0" else (poses,)
    if name == "position task":
        return (dk.ik.PositionTask(None, robot.forward_kinematics(given)[:, :3, 3].clone()),)
    if name == "orientation task":
        return (dk.ik.OrientationTask(None, robot.forward_kinematics(given)[:, :3, :3].clone()),)
    return (given,)

def call(size, *arguments):
    given = arguments or prepare(size)
    if name == "forward":
        return (robot.forward_kinematics(given[0]),)
    if name == "jacobian":
        return (robot.jacobian(given[0]),)
    if name == "backward":
        poses = robot.forward_kinematics(given[0])
        return (poses, *torch.autograd.grad(poses.sum(), given[0]))
    base = torch.eye(4, dtype=robot.dtype) if name == "with a base" else None
    result = dk.solve_ik(robot, *given, base=base)
    assert result.success.all()
    return tuple(getattr(result, field) for field in
                 ("q", "success", "position_error", "rotation_error", "iterations", "restarts"))

print(beyond_outputs(call, size))
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of memory is read from Linux's /proc")
@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *((name, "float64") for name in CALLS),
        ("position task", "float64"),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (
                *((name, "float32") for name in CALLS[2:]),
                ("orientation task", "float64"),
                ("with a base", "float64"),
            )
        ),
    ],
)
def test_a_call_allocates_its_outputs_and_little_more(name, dtype):
    pytest.importorskip("pybullet_data")
    sizes = {"inverse kinematics": 700_000, "from q0": 700_000, "with a base": 400_000}
    size = sizes.get(name, 1_000_000 if name in CALLS else 200_000)
    command = [sys.executable, "-c", MEASURE, name, dtype, str(size)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < ALLOWED, f"{int(done.stdout) / 2**20:.0f} MB"
