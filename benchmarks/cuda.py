"""The reference path on a CUDA device, where there is one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

import diffkin as dk

__all__ = ["measure"]


def measure(
    sizes: tuple[int, ...] = (1, 1000, 100_000, 1_000_000), ik_sizes: tuple[int, ...] = (1, 1000, 10_000)
) -> dict[str, Any]:
    """Seconds of FK, Jacobian (float32) and IK (float64) of kuka_iiwa on the GPU; says so where there is none."""
    if not torch.cuda.is_available():
        return {"device": None, "note": "no CUDA device here: not measured"}
    robot = dk.load_robot("kuka_iiwa").to(device="cuda")
    single = robot.to(dtype=torch.float32)
    seconds: dict[str, dict[str, float]] = {"forward": {}, "jacobian": {}, "ik": {}}
    for size in sizes:
        q = single.sample(size, seed=1)
        seconds["forward"][str(size)] = _timed(lambda q=q: single.forward_kinematics(q))
        seconds["jacobian"][str(size)] = _timed(lambda q=q: single.jacobian(q))
    for size in ik_sizes:
        targets = robot.forward_kinematics(robot.sample(size, seed=1))
        seconds["ik"][str(size)] = _timed(lambda t=targets: dk.solve_ik(robot, t), 1)
    return {"device": torch.cuda.get_device_name(), "seconds": seconds}


def _timed(call: Callable[[], object], repeats: int = 5) -> float:
    call()
    torch.cuda.synchronize()
    begin = time.perf_counter()
    for _ in range(repeats):
        call()
    torch.cuda.synchronize()
    return (time.perf_counter() - begin) / repeats
