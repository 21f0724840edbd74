"""Inverse kinematics by the fused kernel, where it applies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from diffkin.ik.descent import Method
from diffkin.ik.problem import Problem
from diffkin.ik.search import Found, Progress

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["applies", "solve"]


def applies(backend: str | None, problem: Problem, method: Method, base: Tensor | None, history: bool) -> bool:
    return False


def solve(
    problem: Problem,
    robot: Robot,
    q0: Tensor | None,
    count: int,
    max_restarts: int | None,
    max_iterations: int | None,
    seed: int,
    nearest_of: int,
    progress: Progress | None,
) -> Found:
    raise NotImplementedError
