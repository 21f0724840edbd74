"""Inverse kinematics beside the peers: many targets, one target, tight limits; one neutral judge for all."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import diffkin as dk
from benchmarks import models, peers
from benchmarks.models import Model
from benchmarks.timing import REST, interleaved
from benchmarks.two_processes import split_over_two

__all__ = ["batch", "one_target", "tight_limits"]

Floats = NDArray[np.float64]

BATCH_PEERS = {"robotics-toolbox": 2000, "optik": 1000, "TRAC-IK": 500, "PyBullet": 100}  # targets each gets
TORCH_TARGETS = 500


def batch(
    robots: tuple[str, ...] = models.ROBOTS, count: int = 10_000, repeats: int = 5, peer_share: float = 1.0
) -> dict[str, Any]:
    """Many targets: seconds a target and the share solved, by robot and library.

    Args:
        robots: Which robots.
        count: Targets that diffkin gets.
        repeats: Rounds diffkin's median is taken over.
        peer_share: Scales the numbers of targets that the peers get.
    """
    present = peers.installed()
    results: dict[str, Any] = {}
    for name in robots:
        model = models.load_model(name)
        _, targets = models.problems(model, count)
        poses = torch.from_numpy(targets)
        seconds = interleaved({"diffkin": lambda m=model, p=poses: dk.solve_ik(m.robot, p)}, repeats, 0.0)["diffkin"]
        found = dk.solve_ik(model.robot, poses)
        good = model.solved(found.q.numpy(), targets)
        rows = {
            "diffkin": {
                "targets": count,
                "seconds_each": seconds / count,
                "solved": float(good.mean()),
                "claimed": float(found.success.double().mean()),
                "claims_not_confirmed": int((found.success.numpy() & ~good).sum()),
                "iterations_mean": float(found.iterations.double().mean()),
            }
        }
        starts, _ = models.problems(model, count, seed=2)
        for peer, full in BATCH_PEERS.items():
            if present[peer]:
                rows[peer] = _loop(peer, model, targets, starts, max(2, int(full * peer_share)))
        if present["pytorch_kinematics"]:
            some = targets[: max(2, int(TORCH_TARGETS * peer_share))]
            torch.manual_seed(0)
            solve = peers.torch_ik(model, some)
            begin = time.perf_counter()
            q = solve()
            each = (time.perf_counter() - begin) / len(some)
            share = float(model.solved(q, some).mean())
            rows["pytorch_kinematics"] = {"targets": len(some), "seconds_each": each, "solved": share}
        results[name] = rows
    halved = [peer for peer in ("robotics-toolbox", "optik", "TRAC-IK") if present[peer]]
    sizes = {peer: max(2, int(BATCH_PEERS[peer] * peer_share)) for peer in halved}
    split = split_over_two([(peer, name, sizes[peer]) for name in robots for peer in halved])
    for (peer, name), seconds in split.items():
        row = {"targets": sizes[peer], "seconds_each": seconds / sizes[peer], "solved": results[name][peer]["solved"]}
        results[name][f"{peer}, two processes"] = row
    return results


def _loop(peer: str, model: Model, targets: Floats, starts: Floats, count: int) -> dict[str, Any]:
    solve = peers.ik_solver(peer, model, model.lower, model.upper)
    pairs = list(zip(targets[:count], starts[:count], strict=True))
    solve(*pairs[0])
    begin = time.perf_counter()
    answers = [solve(target, start) for target, start in pairs]
    each = (time.perf_counter() - begin) / len(pairs)
    solved = float(model.solved(np.array(answers), targets[: len(pairs)]).mean())
    return {"targets": len(pairs), "seconds_each": each, "solved": solved}


def one_target(robots: tuple[str, ...] = models.ROBOTS, count: int = 2000, peer_share: float = 0.25) -> dict[str, Any]:
    """One target a call, the Python call included: median, mean and 99th percentile, by robot and library."""
    present = peers.installed()
    results: dict[str, Any] = {}
    for name in robots:
        model = models.load_model(name)
        _, targets = models.problems(model, count)
        starts, _ = models.problems(model, count, seed=2)
        poses = list(torch.from_numpy(targets))
        robot = model.robot
        solvers: dict[str, Any] = {"diffkin": lambda i, r=robot, p=poses: dk.solve_ik(r, p[i]).q}
        rows = {"diffkin": count}
        few = max(2, int(count * peer_share))
        wanted = [(peer, peer, False) for peer in ("robotics-toolbox", "TRAC-IK", "optik")]
        for label, peer, parallel in [*wanted, ("optik, all cores", "optik", True)]:
            if present[peer]:
                solve = peers.ik_solver(peer, model, model.lower, model.upper, parallel)
                solvers[label] = lambda i, s=solve, t=targets, q=starts: s(t[i], q[i])
                rows[label] = few
        times: dict[str, list[float]] = {label: [] for label in solvers}
        answers: dict[str, list[Any]] = {label: [] for label in solvers}
        for label, solve in solvers.items():
            for i in range(min(20, rows[label])):
                solve(i)
        parts = 10  # the libraries take turns
        for part in range(parts):
            for label, solve in solvers.items():
                time.sleep(REST)
                for i in range(3):  # uncounted: what the library before left in the caches is none of its business
                    solve(i)
                for i in range(rows[label] * part // parts, rows[label] * (part + 1) // parts):
                    begin = time.perf_counter()
                    q = solve(i)
                    times[label].append(time.perf_counter() - begin)
                    answers[label].append(q)
        results[name] = {
            label: {
                "targets": rows[label],
                "median": float(np.median(times[label])),
                "mean": float(np.mean(times[label])),
                "p99": float(np.quantile(times[label], 0.99)),
                "solved": float(
                    model.solved(np.stack([np.asarray(q) for q in answers[label]]), targets[: rows[label]]).mean()
                ),
            }
            for label in solvers
        }
    return results


def tight_limits(count: int = 10_000, peer_share: float = 0.1) -> dict[str, Any]:
    """The Panda with every range halved about its middle, targets reachable within: the share solved."""
    whole = models.load_model("franka_panda")
    middle, half = (whole.lower + whole.upper) / 2, (whole.upper - whole.lower) / 4
    lower, upper = middle - half, middle + half
    robot = whole.robot.replace(lower=torch.from_numpy(lower), upper=torch.from_numpy(upper))
    model = Model(
        "franka_panda, half ranges",
        whole.text,
        whole.base,
        whole.tip,
        robot,
        whole.pin_model,
        whole.pin_frame,
        lower,
        upper,
    )
    _, targets = models.problems(model, count)
    starts, _ = models.problems(model, count, seed=2)
    poses = torch.from_numpy(targets)
    dk.solve_ik(robot, poses[:2])
    begin = time.perf_counter()
    found = dk.solve_ik(robot, poses)
    each = (time.perf_counter() - begin) / count
    share = float(model.solved(found.q.numpy(), targets).mean())
    rows = {"diffkin": {"targets": count, "seconds_each": each, "solved": share}}
    for peer in ("robotics-toolbox", "TRAC-IK"):
        if peers.installed()[peer]:
            rows[peer] = _loop(peer, model, targets, starts, max(2, int(count * peer_share)))
    return rows
