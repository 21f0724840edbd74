"""Forward kinematics, Jacobian and forward+backward: batches beside the peers, and the curves over batch and joints."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

import diffkin as dk
from benchmarks import models, peers
from benchmarks.timing import interleaved
from benchmarks.two_processes import split_over_two

__all__ = ["batches", "over_batch", "over_joints", "single"]

WORK = ("forward", "jacobian", "forward_backward")
LOOP_ROWS = 2000  # what a Python loop over single configurations is timed on


def _diffkin(robot: dk.Robot, q: Tensor, backend: str | None = None) -> dict[str, Callable[[], object]]:
    leaf = q.clone().requires_grad_()

    def both() -> object:
        (gradient,) = torch.autograd.grad(robot.forward_kinematics(leaf, backend=backend).sum(), leaf)
        return gradient

    return {
        "forward": lambda: robot.forward_kinematics(q, backend=backend),
        "jacobian": lambda: robot.jacobian(q, backend=backend),
        "forward_backward": both,
    }


def _backward_alone(robot: dk.Robot, q: Tensor) -> Callable[[], object]:
    """The backward pass of forward kinematics from given seeds, the graph kept."""
    leaf = q.clone().requires_grad_()
    poses = robot.forward_kinematics(leaf)
    seeds = torch.ones_like(poses)
    return lambda: torch.autograd.grad(poses, leaf, seeds, retain_graph=True)


def _copy(floats: int) -> Callable[[], object]:
    source, target = torch.zeros(floats), torch.zeros(floats)
    return lambda: target.copy_(source)


def batches(sizes: tuple[int, ...] = (1, 1024, 100_000), repeats: int = 7) -> dict[str, Any]:
    """kuka_iiwa in float32 at several batch sizes: seconds of one call, by work, library and batch."""
    model, present = models.load_model("kuka_iiwa"), peers.installed()
    robot = model.robot.to(dtype=torch.float32)
    table: dict[str, Any] = {work: {} for work in (*WORK, "backward")}
    loop, _ = models.problems(model, LOOP_ROWS)
    for size in sizes:
        q = model.robot.sample(size, seed=1).float()
        libraries = {"diffkin": _diffkin(robot, q), "diffkin, plain torch": _diffkin(robot, q, "reference")}
        if present["pytorch_kinematics"]:
            libraries["pytorch_kinematics"] = peers.batch_kinematics(model, q)
        for work in WORK:
            calls = {name: library[work] for name, library in libraries.items()}
            calls["memory copy"] = _copy(size * (42 if work == "jacobian" else 16))
            for name, seconds in interleaved(calls, repeats).items():
                table[work].setdefault(name, {})[str(size)] = seconds
        alone = interleaved(
            {"forward": libraries["diffkin"]["forward"], "backward": _backward_alone(robot, q)}, repeats
        )
        table["backward"].setdefault("diffkin", {})[str(size)] = alone["backward"]
        table["backward"].setdefault("diffkin, forward beside it", {})[str(size)] = alone["forward"]
        # a loop takes as long for each row whatever their number: timed on LOOP_ROWS at most, and multiplied
        rows = loop[: min(size, LOOP_ROWS)]
        loops = {"Pinocchio loop": peers.pinocchio_loop(model, rows)}
        if present["PyBullet"]:
            loops["PyBullet loop"] = peers.bullet_kinematics(model, rows[:200])
        for name, library in loops.items():
            measured = len(rows[:200]) if name.startswith("PyBullet") else len(rows)
            for work, seconds in interleaved(library, repeats).items():
                table[work].setdefault(name, {})[str(size)] = seconds * size / measured
    if max(sizes) >= LOOP_ROWS:
        halves = split_over_two([(work, "kuka_iiwa", max(sizes)) for work in ("forward", "jacobian")])
        for (work, _), seconds in halves.items():
            table[work]["Pinocchio loop, two processes"] = {str(max(sizes)): seconds}
    return {"robot": "kuka_iiwa", "dtype": "float32", "seconds": table}


def single(repeats: int = 15) -> dict[str, Any]:
    """One configuration through the public call, without gradients: seconds."""
    model, present = models.load_model("kuka_iiwa"), peers.installed()
    robot = model.robot.to(dtype=torch.float32)
    q = robot.sample(1, seed=1)[0]
    row, _ = models.problems(model, 1)
    calls: dict[str, dict[str, Callable[[], object]]] = {
        "diffkin": _diffkin(robot, q),
        "diffkin, float64": _diffkin(model.robot, q.double()),
        "diffkin, plain torch": _diffkin(robot, q, "reference"),
        "Pinocchio": peers.pinocchio_loop(model, row),
    }
    if present["pytorch_kinematics"]:
        calls["pytorch_kinematics"] = peers.batch_kinematics(model, q[None])
    if present["PyBullet"]:
        calls["PyBullet"] = peers.bullet_kinematics(model, row)
    return {
        work: interleaved({name: library[work] for name, library in calls.items() if work in library}, repeats)
        for work in WORK
    }


def over_batch(
    sizes: tuple[int, ...] = (1, 10, 100, 1000, 10_000, 100_000, 1_000_000), repeats: int = 3, peer_limit: int = 100_000
) -> dict[str, Any]:
    """Seconds a problem against the batch size, kuka_iiwa: float32 kinematics, float64 IK to 1e-6."""
    model, present = models.load_model("kuka_iiwa"), peers.installed()
    robot = model.robot.to(dtype=torch.float32)
    curves: dict[str, dict[str, float]] = {}

    def note(name: str, size: int, seconds: float) -> None:
        curves.setdefault(name, {})[str(size)] = seconds / size

    dk.solve_ik(model.robot, model.robot.forward_kinematics(model.robot.sample(2)))
    for size in sizes:
        q = model.robot.sample(size, seed=1)
        calls = {f"diffkin {work}": call for work, call in _diffkin(robot, q.float()).items()}
        if present["pytorch_kinematics"] and size <= peer_limit:
            calls |= {f"pytorch_kinematics {w}": c for w, c in peers.batch_kinematics(model, q.float()).items()}
        for name, seconds in interleaved(calls, repeats).items():
            note(name, size, seconds)
        targets = model.robot.forward_kinematics(q)
        if size <= 1000:  # few targets differ much: average over a thousand
            parts = targets[:1000] if size == 1000 else model.robot.forward_kinematics(model.robot.sample(1000, seed=1))
            slices = parts.split(size) if size > 1 else list(parts)
            seconds = interleaved({"ik": lambda s=slices: [dk.solve_ik(model.robot, t) for t in s]}, repeats)["ik"]
            note("diffkin ik", 1000, seconds)
            curves["diffkin ik"][str(size)] = seconds / 1000
        else:
            begin = time.perf_counter()
            rounds = 1 if size >= 1_000_000 else repeats
            for _ in range(rounds):
                dk.solve_ik(model.robot, targets)
            note("diffkin ik", size, (time.perf_counter() - begin) / rounds)
    return {"robot": "kuka_iiwa", "seconds_each": curves}


def over_joints(
    joints: tuple[int, ...] = (3, 6, 7, 10, 15, 20, 30, 45, 60),
    size: int = 10_000,
    ik_size: int = 1000,
    repeats: int = 3,
) -> dict[str, Any]:
    """Seconds a problem against the number of joints, made-up revolute chains; the share of IK targets solved."""
    present = peers.installed()
    curves: dict[str, dict[str, float]] = {}
    solved = {}
    for count in joints:
        model = models.made_up_chain(count)
        q = model.robot.sample(size, seed=1).float()
        calls = {f"diffkin {w}": call for w, call in _diffkin(model.robot.to(dtype=torch.float32), q).items()}
        if present["pytorch_kinematics"]:
            small = q[: max(1, size // 10)]
            calls |= {f"pytorch_kinematics {w}": c for w, c in peers.batch_kinematics(model, small).items()}
        rows, _ = models.problems(model, min(200, size))
        calls |= {f"Pinocchio loop {w}": c for w, c in peers.pinocchio_loop(model, rows).items()}
        for name, seconds in interleaved(calls, repeats).items():
            rows_timed = {"d": size, "p": max(1, size // 10), "P": len(rows)}[name[0]]
            curves.setdefault(name, {})[str(count)] = seconds / rows_timed
        _, targets = models.problems(model, ik_size)
        poses = torch.from_numpy(targets)
        dk.solve_ik(model.robot, poses[:1])
        begin = time.perf_counter()
        found = dk.solve_ik(model.robot, poses)
        curves.setdefault("diffkin ik", {})[str(count)] = (time.perf_counter() - begin) / ik_size
        solved[str(count)] = float(np.mean(model.solved(found.q.numpy(), targets)))
    return {"batch": size, "ik_batch": ik_size, "seconds_each": curves, "ik_solved": solved}
