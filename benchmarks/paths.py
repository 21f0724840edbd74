"""Paths of poses made from joint motions, so that an answer exists: ``python -m benchmarks.paths``.

Every path is a smooth closed motion of all joints within the limits, of three waves each. ``solve_path`` gets its poses and
its first coordinates, and so does plain following: every pose solved from the last answer. Pinocchio judges what both give.
A path is solved if every pose is met to 1e-6 and no step is longer than three times the largest of the motion it was
made from. Following suffices where it meets every pose with none longer than twice that.
Results go to ``outputs/benchmarks/paths.json``.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import diffkin as dk
from benchmarks import models
from diffkin.kernels.threads import get_num_threads

__all__ = ["ARMS", "follow", "main", "measure", "show", "smooth_motion"]

ARMS = ("kuka_iiwa", "franka_panda", "xarm6")
OWN = 3.0  # a step up to so many times the motion's own is no stride
SUFFICES = 2.0  # following is good enough where it takes none longer than so many times the motion's own
JUMP = 0.5  # [rad] a step beyond this is a jump


def smooth_motion(robot: dk.Robot, seed: int, count: int) -> Tensor:
    """(count, dof) a closed motion of all joints within limits; of joints without limits, within half a turn."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    time_ = torch.linspace(0.0, 2.0 * math.pi, count, dtype=torch.float64)[:, None]
    low, high = robot.lower.clamp(min=-math.pi), robot.upper.clamp(max=math.pi)
    middle = low + (0.3 + 0.4 * draw(robot.dof)) * (high - low)
    room = 0.9 * torch.minimum(middle - low, high - middle)
    size = draw(3, robot.dof) - 0.5
    size = size / size.abs().sum(0) * room * draw(robot.dof)
    phase = 2.0 * math.pi * draw(3, robot.dof)
    waves = [size[k] * torch.sin((k + 1) * time_ + phase[k]) for k in range(3)]
    return middle + torch.stack(waves).sum(0)


def follow(robot: dk.Robot, T: Tensor, q_start: Tensor) -> Tensor:
    """(n, dof) every pose solved from the last answer alone."""
    rows = [q_start]
    for pose in T[1:]:
        rows.append(dk.solve_ik(robot, pose, q0=rows[-1], max_restarts=0).q)
    return torch.stack(rows)


def measure(arm: str, paths: int = 60, ticks: int = 500) -> list[dict[str, Any]]:
    """What came of each path of an arm: whether it was solved, steps against the motion's own, errors, seconds."""
    model = models.load_model(arm)
    robot, rows = model.robot, []
    for seed in range(-1, paths):  # the first is not counted: kernels are compiled and tables made
        q = smooth_motion(robot, seed % 1000, ticks)
        T = robot.forward_kinematics(q)
        own = _largest(q)
        begin = time.perf_counter()
        found = dk.motion.solve_path(robot, T, q_start=q[0])
        seconds = time.perf_counter() - begin
        greedy = follow(robot, T, q[0])
        target = T.numpy()
        met = model.solved(found.q.numpy(), target)
        followed = bool(model.solved(greedy.numpy(), target).all()) and _largest(greedy) <= SUFFICES * own
        row = {
            "seed": seed,
            "solved": bool(met.all()) and found.success and found.largest_step <= OWN * own,
            "largest_step": found.largest_step / own,
            "worst_error": float(torch.maximum(found.position_error, found.rotation_error).max()),
            "seconds": seconds,
            "following_suffices": followed,
            "following_strides": _largest(greedy) > OWN * own,
            "following_jumps": _largest(greedy) > JUMP,
            "following_step": _largest(greedy) / own,
        }
        if seed >= 0:
            rows.append(row)
    return rows


def _largest(q: Tensor) -> float:
    return float(q.diff(dim=0).abs().max())


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Counts and times of some paths, these apart for those where following suffices."""
    easy = [row["seconds"] for row in rows if row["following_suffices"]]
    hard = [row["seconds"] for row in rows if not row["following_suffices"]]
    return {
        "paths": len(rows),
        "solved": sum(row["solved"] for row in rows),
        "largest_step": max(row["largest_step"] for row in rows),
        "worst_error": max(row["worst_error"] for row in rows),
        "following_suffices": len(easy),
        "following_strides": sum(row["following_strides"] for row in rows),
        "following_jumps": sum(row["following_jumps"] for row in rows),
        "following_largest_step": max(row["following_step"] for row in rows),
        "seconds_where_following_suffices": _times(easy),
        "seconds_elsewhere": _times(hard),
    }


def _times(seconds: Sequence[float]) -> dict[str, float] | None:
    if not seconds:
        return None
    rising = sorted(seconds)
    at = math.ceil(0.95 * len(rising)) - 1
    return {"median": statistics.median(rising), "p95": rising[at], "max": rising[-1]}


def show(results: dict[str, dict[str, Any]], console: Console) -> None:
    """Print a row for each arm."""
    table = Table(title="solve_path (seconds: median / 95 % / largest)", title_justify="left")
    columns = ("arm", "solved", "largest step / own", "worst error", "following suffices", "seconds there",
               "seconds elsewhere", "following strides", "and jumps")  # fmt: skip
    for column in columns:
        table.add_column(column)
    for arm, row in results.items():
        table.add_row(
            arm,
            f"{row['solved']} of {row['paths']}",
            f"{row['largest_step']:.2f}",
            f"{row['worst_error']:.1e}",
            f"{row['following_suffices']}",
            *(_shown(row[key]) for key in ("seconds_where_following_suffices", "seconds_elsewhere")),
            f"{row['following_strides']}",
            f"{row['following_jumps']}",
        )
    console.print(table)


def _shown(times: dict[str, float] | None) -> str:
    return "-" if times is None else " / ".join(f"{value:.3f}" for value in times.values())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description="Time solve_path on paths made from joint motions.")
    parser.add_argument("--paths", type=int, default=60, help="for each arm")
    parser.add_argument("--ticks", type=int, default=500, help="of each path")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=models.ROBOTS)
    parser.add_argument("--output", type=Path, default=Path("outputs/benchmarks"), help="folder")
    chosen = parser.parse_args(arguments)
    paths = {arm: measure(arm, chosen.paths, chosen.ticks) for arm in chosen.arms}
    results = {arm: summary(rows) for arm, rows in paths.items()}
    threads = {"torch": torch.get_num_threads(), "diffkin": get_num_threads()}
    console = Console()
    console.print(f"{os.cpu_count()} cores; threads {threads}; {chosen.ticks} ticks a path")
    show(results, console)
    chosen.output.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"threads": threads, "ticks": chosen.ticks, "arms": results, "paths": paths}, indent=1)
    (chosen.output / "paths.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
