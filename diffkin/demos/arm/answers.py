"""Inverse kinematics for a demo: an answer within a frame's time, and the numbers that decide whether to trust it."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin.demos.scene import Reading
from diffkin.ik import SOLVERS, PositionTask, solve_ik
from diffkin.robot import Robot
from diffkin.simulation.bullet_robot import BulletRobot, load
from diffkin.simulation.checks import bullet_ik
from diffkin.simulation.library import is_installed
from diffkin.simulation.world import open_world

__all__ = [
    "Answer",
    "Opinion",
    "SOLVER_NAMES",
    "bullet_opinion",
    "limit_margin",
    "opinion_readings",
    "readings",
    "solve",
]

SOLVER_NAMES = tuple(SOLVERS)

_BUDGET: dict[str, dict[str, Any]] = {
    "levenberg_marquardt": {"max_restarts": 20},
    "gauss_newton": {"max_restarts": 2, "max_iterations": 30},
    "gradient_descent": {"max_restarts": 0, "max_iterations": 10},
    "adam": {"max_restarts": 0, "max_iterations": 10},
    "lbfgs": {"max_restarts": 0, "max_iterations": 10},
}
"""What each solver may spend on a frame. First-order solvers go on from frame to frame."""

_FULL_POSE = 6  # coordinates from which on position and rotation can both be asked for


@dataclass(frozen=True, eq=False)
class Answer:
    """What a solver said.

    Attributes:
        q: (dof,) coordinates.
        success: Whether both errors are within tolerance.
        position_error: [m].
        rotation_error: [rad]; None where only the position was asked for.
        iterations: Over all starts.
        seconds: How long it took.
    """

    q: Float[Tensor, " dof"]
    success: bool
    position_error: float
    rotation_error: float | None
    iterations: int
    seconds: float


@dataclass(frozen=True)
class Opinion:
    """What Bullet's own inverse kinematics said.

    Attributes:
        q: (dof,) its coordinates.
        position_error: [m].
        rotation_error: [rad].
        within_limits: Whether every joint is.
        seconds: How long it took, loading aside.
    """

    q: Tensor
    position_error: float
    rotation_error: float
    within_limits: bool
    seconds: float


def asks_for_rotation(robot: Robot) -> bool:
    """Whether the target's rotation is asked for: arms of fewer than six coordinates are asked for its position alone."""
    return robot.dof >= _FULL_POSE


def solve(robot: Robot, target: Float[Tensor, "4 4"], q0: Tensor | None, solver: str, **budget: int) -> Answer:
    """Solve for a target within a frame's time.

    Args:
        robot: A float64 robot with a tip.
        target: (4, 4) pose of the tip.
        q0: (dof,) where to start; wherever the solver likes if None.
        solver: Its name.
        **budget: In place of the solver's own: ``max_restarts``, ``max_iterations``.

    Returns:
        The answer.
    """
    full = asks_for_rotation(robot)
    goal: Any = target if full else PositionTask(None, target[:3, 3])
    began = time.perf_counter()
    result = solve_ik(robot, goal, q0=q0, solver=solver, **(budget or _BUDGET[solver]))
    seconds = time.perf_counter() - began
    return Answer(
        result.q,
        bool(result.success),
        float(result.position_error),
        float(result.rotation_error) if full else None,
        int(result.iterations),
        seconds,
    )


def limit_margin(robot: Robot, q: Float[Tensor, " dof"]) -> float | None:
    """How near the joint that is nearest to a limit is to it: 0 at the limit, 1 in the middle of its range.

    Returns:
        The share; None where no joint is limited.
    """
    half = 0.5 * (robot.upper - robot.lower)
    limited = torch.isfinite(half) & (half > 0)
    if not bool(limited.any()):
        return None
    margins = torch.minimum(q - robot.lower, robot.upper - q)[limited] / half[limited]
    return max(0.0, float(margins.min()))


def readings(robot: Robot, answer: Answer, solver: str) -> tuple[Reading, ...]:
    """The numbers that decide trust."""
    margin = limit_margin(robot, answer.q)
    turned = answer.rotation_error
    return (
        Reading("success", answer.success),
        Reading("position error", 1e3 * answer.position_error, "mm"),
        Reading("rotation error", None if turned is None else 1e3 * turned, "mrad"),
        Reading("limit margin", None if margin is None else 100.0 * margin, "%"),
        Reading("iterations", answer.iterations),
        Reading("solve time", 1e3 * answer.seconds, "ms"),
        Reading("manipulability", float(robot.manipulability(answer.q))),
        Reading("solver", solver),
    )


def opinion_readings(opinion: Opinion | None) -> tuple[Reading, ...]:
    """Bullet's own answer, to stand beside ours; nothing where there is none."""
    if opinion is None:
        return ()
    return (
        Reading("Bullet's own IK", 1e3 * opinion.position_error, "mm off"),
        Reading("  rotation", 1e3 * opinion.rotation_error, "mrad off"),
        Reading("  within limits", opinion.within_limits),
        Reading("  time", 1e3 * opinion.seconds, "ms"),
    )


def bullet_opinion(robot: Robot) -> Callable[[Tensor], Opinion] | None:
    """A function that asks Bullet's own inverse kinematics, from the middle of the limits, 200 iterations.

    The world it needs is opened with the first question, and closed when the function is dropped.

    Args:
        robot: A float64 robot with a tip.

    Returns:
        The function of a (4, 4) target; None where pybullet is not installed, or the robot was made from no file.
    """
    return _BulletOpinion(robot) if is_installed() and robot.source else None


class _BulletOpinion:
    def __init__(self, robot: Robot) -> None:
        self._robot = robot
        self._arm: BulletRobot | None = None
        self._world = ExitStack()
        weakref.finalize(self, self._world.close)

    def __call__(self, target: Tensor) -> Opinion:
        if self._arm is None:
            self._arm = load(self._world.enter_context(open_world()), self._robot)
        began = time.perf_counter()
        own = bullet_ik(self._arm, target[None])
        seconds = time.perf_counter() - began
        return Opinion(own.q[0], float(own.position_error), float(own.rotation_error), bool(own.within_limits), seconds)
