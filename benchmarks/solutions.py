"""All solutions of six-joint arms beside EAIK's closed forms: ``python -m benchmarks.solutions``.

For every arm and each range of its joints: how many of the solutions that EAIK knows are found, whole turns included; how
often ``solve_ik(nearest_of=2)`` gives the nearest of them to a random place; and the time for a pose, in a batch and alone.
EAIK gives solutions within one turn and knows no limits, so its time is for less.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import diffkin as dk
from diffkin.kernels.threads import get_num_threads

__all__ = ["ARMS", "closed_forms", "main", "measure"]

Floats = NDArray[np.float64]

_HALF = math.pi / 2.0
ARMS: dict[str, list[list[float]]] = {
    "ur5": [
        [0.0, _HALF, 0.089159, 0.0], [-0.425, 0.0, 0.0, 0.0], [-0.39225, 0.0, 0.0, 0.0],
        [0.0, _HALF, 0.10915, 0.0], [0.0, -_HALF, 0.09465, 0.0], [0.0, 0.0, 0.0823, 0.0],
    ],
    "irb": [
        [0.32, -_HALF, 0.78, 0.0], [1.075, 0.0, 0.0, 0.0], [0.2, -_HALF, 0.0, 0.0],
        [0.0, _HALF, 1.142, 0.0], [0.0, -_HALF, 0.0, 0.0], [0.0, 0.0, 0.2, 0.0],
    ],
    "puma": [
        [0.0, _HALF, 0.67, 0.0], [0.4318, 0.0, 0.0, 0.0], [0.0203, -_HALF, 0.15005, 0.0],
        [0.0, _HALF, 0.4318, 0.0], [0.0, -_HALF, 0.0, 0.0], [0.0, 0.0, 0.2, 0.0],
    ],
}  # fmt: skip
"""Rows a, alpha, d, theta (standard convention) of arms with closed forms: parallel axes, two with a spherical wrist."""

_SAME = 1e-4  # [rad] in every coordinate
_TURN = 2.0 * math.pi


def closed_forms(rows: list[list[float]], poses: Floats) -> tuple[list[Floats], float]:
    """EAIK's solutions (k, 6) of each pose that reach it to 1e-6, and its seconds for a pose."""
    from eaik.IK_DH import DhRobot  # type: ignore[import-untyped]

    table = np.array(rows)
    peer = DhRobot(table[:, 1], table[:, 0], table[:, 2])
    begin = time.perf_counter()
    found = [peer.IK(pose).Q for pose in poses]
    seconds = (time.perf_counter() - begin) / max(1, len(poses))
    exact = []
    for pose, answers in zip(poses, found, strict=True):
        good = [np.asarray(q) for q in answers if np.abs(np.asarray(peer.fwdKin(q)) - pose).max() < 1e-6]
        exact.append(np.array(good).reshape(-1, 6))
    return exact, seconds


def measure(arm: str, limit: float, count: int = 1000, seed: int = 5) -> dict[str, Any]:
    """Figures of one arm whose joints go from ``-limit`` to ``limit`` [rad].

    Args:
        arm: A name of ``ARMS``.
        limit: Of every joint, up to three turns.
        count: Random poses.
        seed: Of the poses.

    Returns:
        Counts of solutions that EAIK knows and of those found, of poses whose nearest is found, and seconds a pose.
    """
    robot = dk.Robot.from_dh(ARMS[arm], lower=[-limit] * 6, upper=[limit] * 6)
    T = robot.forward_kinematics(robot.sample(count, seed=seed))
    q0 = robot.sample(count, seed=seed + 1)
    known, peer_seconds = closed_forms(ARMS[arm], T.numpy())
    dk.ik.solve_all(robot, T[:2])
    dk.solve_ik(robot, T[:2], q0=q0[:2], nearest_of=2)
    begin = time.perf_counter()
    found = dk.ik.solve_all(robot, T, max_solutions=1024)
    all_seconds = (time.perf_counter() - begin) / count
    begin = time.perf_counter()
    dk.ik.solve_all(robot, T)
    seconds = (time.perf_counter() - begin) / count
    begin = time.perf_counter()
    near = dk.solve_ik(robot, T, q0=q0, nearest_of=2)
    near_seconds = (time.perf_counter() - begin) / count
    alone = []
    for pose in T[:50]:
        begin = time.perf_counter()
        dk.ik.solve_all(robot, pose)
        alone.append(time.perf_counter() - begin)
    total = hits = nearest = 0
    for k, base in enumerate(known):
        expected, mine = _in_turns(base, limit), found.q[k][found.valid[k]].numpy()
        total += len(expected)
        if not len(expected):
            nearest += 1
            continue
        hits += sum(bool(len(mine)) and np.abs(mine - q).max(-1).min() < _SAME for q in expected)
        least = np.linalg.norm(expected - q0[k].numpy(), axis=-1).min()
        nearest += float((near.q[k] - q0[k]).norm()) < least + _SAME
    return {
        "arm": arm,
        "limit_rad": limit,
        "poses": count,
        "threads": get_num_threads(),
        "solutions_of_eaik": total,
        "of_these_found": int(hits),
        "nearest_right": int(nearest),
        "seconds_a_pose": seconds,
        "seconds_a_pose_up_to_1024": all_seconds,
        "seconds_nearest": near_seconds,
        "seconds_alone": sorted(alone)[len(alone) // 2],
        "seconds_eaik": peer_seconds,
    }


def _in_turns(q: Floats, limit: float) -> Floats:
    """All representations of some solutions within the limits."""
    rows: list[tuple[float, ...]] = []
    for row in q.tolist():
        choices = [[a for k in range(-4, 5) if abs(a := angle + k * _TURN) <= limit] for angle in row]
        rows += list(itertools.product(*choices))
    return np.array(rows).reshape(-1, 6)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--poses", type=int, default=1000)
    parser.add_argument("--arms", default=",".join(ARMS), help="comma-separated")
    parser.add_argument("--output", type=Path, default=Path("outputs/benchmarks/solutions.json"))
    arguments = parser.parse_args()
    rows = [measure(arm, limit, arguments.poses) for arm in arguments.arms.split(",") for limit in (math.pi, _TURN)]
    table = Table("arm", "limits", "found", "of EAIK's", "nearest right", "a pose", "nearest", "alone", "EAIK")
    for row in rows:
        table.add_row(
            row["arm"], f"{row['limit_rad']:.2f}", str(row["of_these_found"]), str(row["solutions_of_eaik"]),
            f"{row['nearest_right']} of {row['poses']}",
            *(f"{1e6 * row[name]:.0f} us" for name in ("seconds_a_pose", "seconds_nearest", "seconds_alone")),
            f"{1e6 * row['seconds_eaik']:.1f} us",
        )  # fmt: skip
    Console(width=120).print(table)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
