"""Reachability maps: how long they take, what they miss, and how often a reachable pose is given up wrongly.

``python -m benchmarks.reachability``; ``--voxels`` and ``--targets`` for shorter runs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

import diffkin as dk
from benchmarks import models

__all__ = ["DRAWS", "TASKS", "asked", "given_up", "main", "mapped", "narrowed", "tool_down"]

THOROUGH = 1000  # restarts that a map is compared with, none of them left out
TASKS = ("pose", "list")


def tool_down(robot: dk.Robot, voxels: int) -> Tensor:
    """About so many poses (n, 4, 4) at the middles of cubes that fill the box around the tip's samples, z downward."""
    places = robot.forward_kinematics(robot.sample(20_000))[:, :3, 3]
    low, high = places.amin(0), places.amax(0)
    edge = float(((high - low).prod() / voxels) ** (1 / 3))
    ticks = [
        torch.arange(float(a) + edge / 2, float(b), edge, dtype=robot.dtype) for a, b in zip(low, high, strict=True)
    ]
    centres = torch.cartesian_prod(*ticks)
    poses = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=robot.dtype)).repeat(len(centres), 1, 1)
    poses[:, :3, 3] = centres
    return poses


def asked(poses: Tensor, task: str) -> Any:
    """What is asked of the tip: "pose", or "list": a position and the direction of the tool, free to turn about it."""
    if task == "pose":
        return poses
    return [
        dk.ik.PositionTask(None, poses[:, :3, 3]),
        dk.ik.RayDirectionTask(None, (0.0, 0.0, 1.0), poses[:, :3, 2]),
    ]


def mapped(robot: dk.Robot, voxels: int, task: str = "pose", thorough: int = THOROUGH) -> dict[str, Any]:
    """One map: seconds, voxels found, and those that many restarts find beside them.

    Args:
        robot: The robot.
        voxels: About how many.
        task: One of ``TASKS``.
        thorough: Restarts to compare with; none if 0.
    """
    poses = tool_down(robot, voxels)
    target = asked(poses, task)
    dk.solve_ik(robot, asked(poses[:2], task))  # compiles
    begin = time.perf_counter()
    found = dk.solve_ik(robot, target)
    seconds = time.perf_counter() - begin
    proven = torch.zeros(0) if found.out_of_reach is None else found.out_of_reach()
    row = {
        "voxels": len(poses),
        "seconds": seconds,
        "found": int(found.success.sum()),
        "proven out of reach": int(proven.sum()),
        "iterations of others": float(found.iterations[~found.success].double().mean()),
    }
    if thorough:
        more = dk.solve_ik(robot, target, max_restarts=thorough).success
        row |= {"found thoroughly": int(more.sum()), "lost": int((more & ~found.success).sum())}
    return row


def _anywhere(robot: dk.Robot, count: int, seed: int) -> Tensor:
    """Uniform within limits."""
    return robot.sample(count, seed=seed)


def _at_limits(robot: dk.Robot, count: int, seed: int) -> Tensor:
    """Half of the joints within a hundredth of their range from a limit."""
    q, at = robot.sample(count, seed=seed), robot.sample(count, seed=seed + 1)
    draw = torch.rand(count, robot.dof, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    edge = torch.where(at > (robot.lower + robot.upper) / 2, robot.upper, robot.lower)
    edge = torch.where(torch.isfinite(edge), edge, q)
    return torch.where(draw < 0.5, edge + 0.01 * (q - edge), q)


def _stretched(robot: dk.Robot, count: int, seed: int) -> Tensor:
    """All joints but the first and last few near zero, or as near as limits allow: stretched or folded for most arms."""
    q = robot.sample(count, seed=seed)
    rest = torch.zeros(robot.dof, dtype=robot.dtype).clamp(robot.lower, robot.upper)
    inner = torch.arange(robot.dof)
    near = rest + 0.05 * (q - rest)
    return torch.where((inner > 0) & (inner < robot.dof - 2), near, q)


DRAWS: dict[str, Callable[[dk.Robot, int, int], Tensor]] = {
    "anywhere": _anywhere,
    "at limits": _at_limits,
    "stretched": _stretched,
}
"""Where reachable targets come from."""


def given_up(robot: dk.Robot, draw: str, count: int, thorough: int = THOROUGH, task: str = "pose") -> dict[str, Any]:
    """How many of ``count`` reachable poses are not solved, and why.

    Returns:
        Targets; those unsolved by default; targets that look proven to be out of reach, each of which were a wrong proof;
        those given up wrongly, that the default budget solves when none of its restarts is left out; those too hard
        for that budget, that only ``thorough`` restarts solve.
    """
    unsolved, proven, hundred, solved, done = 0, 0, 0, 0, 0
    while done < count:
        some = min(20_000, count - done)
        poses = robot.forward_kinematics(DRAWS[draw](robot, some, 1000 + done))
        found = dk.solve_ik(robot, asked(poses, task))
        proven += int(found.out_of_reach().sum()) if found.out_of_reach is not None else 0
        left = poses[~found.success]
        unsolved += len(left)
        if len(left):
            hundred += int(dk.solve_ik(robot, asked(left, task), max_restarts=100).success.sum())
            solved += int(dk.solve_ik(robot, asked(left, task), max_restarts=thorough).success.sum())
        done += some
    return {"targets": done, "unsolved": unsolved, "proven": proven, "given up": hundred, "too hard": solved - hundred}


def narrowed(robot: dk.Robot, share: float) -> dk.Robot:
    """The robot with a share of every range about its middle."""
    middle, half = (robot.lower + robot.upper) / 2, share * (robot.upper - robot.lower) / 2
    return robot.replace(lower=middle - half, upper=middle + half)


def robots() -> dict[str, dk.Robot]:
    """Arms of six and seven joints, and some of them with tight limits."""
    made = {name: models.load_model(name).robot for name in models.ROBOTS}
    made["franka_panda, half the ranges"] = narrowed(made["franka_panda"], 0.5)
    made["kuka_iiwa, a third of the ranges"] = narrowed(made["kuka_iiwa"], 1 / 3)
    made["xarm6, a fifth of the ranges"] = narrowed(made["xarm6"], 0.2)
    return made


def main(arguments: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
    """Measure and print; what is asked for on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reachability", description=__doc__)
    parser.add_argument("--voxels", type=int, default=4000, help="about how many in a map")
    parser.add_argument(
        "--targets", type=int, default=200_000, help="reachable targets for a robot and way to draw them"
    )
    parser.add_argument("--thorough", type=int, default=THOROUGH, help="restarts to compare with")
    parser.add_argument("--robots", nargs="*", default=[], help="names, all if none are given")
    parser.add_argument("--task", choices=TASKS, help="one of the two, both if not given")
    parser.add_argument("--only", choices=("maps", "targets"), help="one of the two measurements")
    options = parser.parse_args(arguments)
    tasks = (options.task,) if options.task else TASKS
    results: dict[str, dict[str, Any]] = {}
    for name, robot in robots().items():
        if options.robots and name not in options.robots:
            continue
        if options.only != "targets":
            for task in tasks:
                results[f"map, {task}, {name}"] = mapped(robot, options.voxels, task, options.thorough)
        if options.only != "maps":
            for draw in DRAWS:
                for task in tasks:
                    results[f"targets {draw}, {task}, {name}"] = given_up(
                        robot, draw, options.targets, options.thorough, task
                    )
        for title in [title for title in results if title.endswith(f", {name}")]:
            print(
                title,
                "|",
                ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in results[title].items()),
                flush=True,
            )
    return results


if __name__ == "__main__":
    main()
