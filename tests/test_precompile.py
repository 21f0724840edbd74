"""Compiling all kernels ahead: after it, nothing that users call compiles anything."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import torch

import diffkin as dk
import diffkin.kernels
from diffkin.kernels import compiled
from diffkin.precompile import jobs

# The entrance of the judge for benchmarks, which solving inlines into the search; what others that are kept have in them.
APART = {f"diffkin.kernels.{name}" for name in ("ik.judge.judge", "lists.rows.evaluate", "lists.rows.linearize")}


def kernels() -> dict[str, int]:
    """How many kinds of arguments each kernel of the package is compiled for, by name."""
    for module in pkgutil.walk_packages(diffkin.kernels.__path__, "diffkin.kernels."):
        importlib.import_module(module.name)
    ours = [made for made in compiled._kernels.values() if made.py_func.__module__.startswith("diffkin.kernels.")]
    return {f"{made.py_func.__module__}.{made.py_func.__name__}": len(made.signatures) for made in ours}


def test_every_kernel_is_compiled_and_calls_of_users_compile_no_more():
    for job in jobs().values():
        job()
    before = kernels()
    assert len(before) >= 12
    assert {name for name, kinds in before.items() if not kinds} <= APART
    for dtype in (torch.float32, torch.float64):
        arm = dk.load_robot("scara").to(dtype)  # slides and turns, another robot than the one compiled with
        for count in (1, 40):
            q = arm.sample(count).requires_grad_()
            T = arm.forward_kinematics(q, links=list(arm.link_names))
            (T**2).sum().backward()
            arm.jacobian(q.detach(), point=torch.zeros(3, dtype=dtype), frame="local")
            target = arm.forward_kinematics(q.detach())
            dk.solve_ik(arm, target, q0=q.detach(), nearest_of=3)
            dk.solve_ik(arm, dk.ik.PositionTask(None, target[..., :3, 3]), max_iterations=9)
            dk.motion.servo_step(arm, q.detach(), q.detach(), target, 0.01, 1.0, 1.0, when_limited="slow")
            pair = [dk.ik.PoseTask(None, target[0]), dk.ik.PositionTask(arm.link_names[1], target[..., :3, 3])]
            dk.solve_ik(arm, pair, q0=q.detach(), max_restarts=0)
            dk.solve_ik(arm, pair, q0=q.detach()[0], locked=[arm.joint_names[1]], max_restarts=0)
            dk.solve_ik(arm, pair, base=torch.eye(4, dtype=dtype), free_base="pose", max_restarts=0)
            rest = [dk.ik.PostureTask(torch.zeros(arm.dof)), dk.ik.LimitMarginTask(priority=2)]
            dk.solve_ik(arm, [dk.ik.PositionTask(None, target[..., :3, 3]), *rest], max_restarts=0)
    assert kernels() == before


def test_command():
    done = subprocess.run(
        [sys.executable, "-m", "diffkin", "compile"], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "compiled and stored" in done.stdout
    wrong = subprocess.run([sys.executable, "-m", "diffkin"], capture_output=True, text=True, timeout=60, check=False)
    assert wrong.returncode == 2
    assert "compile" in wrong.stderr
