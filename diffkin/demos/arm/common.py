"""What the arm demos share: a start from which the tip can move, trails, targets, and figures."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from diffkin.demos.arm.answers import Answer, asks_for_rotation
from diffkin.demos.joints import middle_of
from diffkin.demos.scene import Choice, Color, Line
from diffkin.robot import Robot

__all__ = [
    "GHOST",
    "MOTION",
    "TRAIL",
    "Tally",
    "Trail",
    "home_of",
    "reachable",
    "turned_apart",
]

TRAIL: Color = (0.9, 0.45, 0.05)
GHOST: Color = (0.2, 0.5, 0.95)

MOTION = Choice(
    "motion", ("placed", "motors"), "placed", "put the arm there, or let simulated motors carry it", physics=True
)
"""Whether the arm is driven."""

_LONGEST = 160  # points of a trail
_APART = 4e-3  # between them, in radii of the view


class Trail:
    """Where something was of late.

    Args:
        name: Of the line.
        color: Of the line.
        scale: A length of the scene, which points are spaced by [m].
    """

    def __init__(self, name: str, color: Color, scale: float) -> None:
        self._name = name
        self._color = color
        self._apart = _APART * scale
        self._points: list[Tensor] = []

    def add(self, point: Tensor) -> None:
        """Go on to a point (3,), where it is far enough from the last."""
        if not self._points or float((point - self._points[-1]).norm()) > self._apart:
            self._points = [*self._points[-_LONGEST + 1 :], point.detach().clone()]

    def clear(self) -> None:
        """Forget all points."""
        self._points = []

    def lines(self) -> tuple[Line, ...]:
        """The trail as a line; none where there are fewer than two points."""
        if len(self._points) < 2:
            return ()
        return (Line(self._name, torch.stack(self._points), self._color, 3.0),)


def home_of(robot: Robot) -> Tensor:
    """(dof,) a posture to start from: near the middle of the ranges, where the tip can move in most directions.

    The middle itself where it is not singular; of some postures around it else, the one of greatest manipulability.
    """
    middle = middle_of(robot)
    half = torch.where(torch.isfinite(robot.upper - robot.lower), 0.5 * (robot.upper - robot.lower), math.pi)
    generator = torch.Generator().manual_seed(0)
    shifts = 2.0 * torch.rand(64, robot.dof, generator=generator, device="cpu", dtype=torch.float64) - 1.0
    tried = torch.cat((middle[None], middle + 0.35 * half.clamp(max=math.pi) * shifts))
    if asks_for_rotation(robot):
        room = robot.manipulability(tried)
    else:  # the position alone, in the directions in which it moves at all
        moves = torch.linalg.svdvals(robot.jacobian(tried)[:, :3])
        room = moves[:, moves.amax(0) > 1e-6].prod(-1)
    return middle if float(room[0]) > 0.5 * float(room.max()) else tried[int(room.argmax())]


def reachable(robot: Robot, floor: float | None, generator: torch.Generator) -> Tensor:
    """(4, 4) a random pose that the tip can reach, above the floor where there are such."""
    poses = robot.forward_kinematics(robot.sample(32, seed=generator))
    good = poses[poses[:, 2, 3] > floor + 0.02] if floor is not None else poses
    return (good if len(good) else poses)[0]


def turned_apart(robot: Robot, q: Tensor, other: Tensor) -> Tensor:
    """(n,) distances of configurations (n, dof) from one (dof,), whole turns of unlimited joints aside [rad or m]."""
    difference = q - other
    turned = torch.remainder(difference + math.pi, 2.0 * math.pi) - math.pi
    return torch.where(robot.periodic, turned, difference).norm(dim=-1)


class Tally:
    """Figures over all answers of a demo."""

    def __init__(self) -> None:
        self.solves = 0
        self.solved = 0
        self._worst = 0.0
        self._seconds: list[float] = []

    def add(self, answer: Answer) -> None:
        """Count one."""
        self.solves += 1
        self.solved += answer.success
        self._seconds.append(answer.seconds)
        if answer.success:
            self._worst = max(self._worst, answer.position_error)

    @property
    def median_ms(self) -> float | None:
        """Median time of an answer [ms]: the first compiles, or loads what was compiled."""
        return (
            1e3 * float(torch.tensor(self._seconds, dtype=torch.float64, device="cpu").median())
            if self._seconds
            else None
        )

    def figures(self, prefix: str = "") -> dict[str, float | int | str | bool | None]:
        """By name, for results.json."""
        return {
            f"{prefix}solves": self.solves,
            f"{prefix}solved": self.solved,
            f"{prefix}worst_position_error_of_the_solved_m": self._worst if self.solved else None,
            f"{prefix}solve_time_median_ms": self.median_ms,
        }
