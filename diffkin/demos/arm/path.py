"""The tip runs along a closed path: a circle or one of Lissajous' curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from diffkin.demos.arm.answers import SOLVER_NAMES, Answer, Opinion, opinion_readings, readings, solve
from diffkin.demos.arm.common import TRAIL, Tally, Trail, Way, circle, home_of, lissajous
from diffkin.demos.arm.occasional import Occasional
from diffkin.demos.joints import view_of
from diffkin.demos.scene import (
    Body,
    Button,
    Choice,
    Control,
    Frame,
    Moment,
    Reading,
    Scene,
    Slider,
    Value,
    first_values,
)
from diffkin.robot import Robot

__all__ = ["SHAPES", "PathDemo"]

SHAPES: dict[str, Callable[[float], tuple[float, float]]] = {"circle": circle, "lissajous": lissajous}


class PathDemo:
    """A path that is gone round and round, at a speed that people choose.

    Args:
        robot: A robot with a tip.
        shape: One of ``SHAPES``.
        opinion: Bullet's own inverse kinematics; see ``bullet_opinion``. None for none.
        solver: The first solver.
    """

    def __init__(
        self,
        robot: Robot,
        shape: str = "circle",
        opinion: Callable[[Tensor], Opinion] | None = None,
        solver: str = "levenberg_marquardt",
    ) -> None:
        self.robot = robot.to(dtype=torch.float64, device="cpu")
        self.title = f"{robot.name}: {shape}"
        self.view = view_of(self.robot)
        self._shape = shape
        self._opinion = opinion
        self._home = home_of(self.robot)
        self._way = Way(self.robot, self._home, SHAPES[shape], 0.4 * self.view.radius)
        self._begin()
        self.controls: tuple[Control, ...] = (
            Slider("rounds a minute", 0.0, 30.0, 12.0 if shape == "circle" else 6.0, "", "path"),
            Choice("solver", SOLVER_NAMES, solver, "how to go downhill"),
            Choice("solution", ("nearest", "any"), "nearest", "the one near the arm, or whichever is found first"),
            Choice("motion", ("placed", "motors"), "placed", "put the arm there, or let simulated motors carry it"),
            Button("reset", "to the start of the path"),
        )

    def _begin(self) -> None:
        self._phase = 0.0
        self._q = self._home
        self._step = 0.0
        self._own = None if self._opinion is None else Occasional(self._opinion)
        self._trail = Trail("trail", TRAIL, self.view.radius)
        self._tally = Tally()

    def begin(self) -> Scene:
        self._begin()
        return self.step(Moment(0.0, 0.0, first_values(self.controls)))

    def step(self, moment: Moment) -> Scene:
        if "reset" in moment.touched:
            self._phase, self._q = 0.0, self._home
            self._trail.clear()
        self._phase = (self._phase + moment.dt * moment.number("rounds a minute") / 60.0) % 1.0
        target = self._way.pose(self._phase)
        near = self._q if moment.option("solution") == "nearest" else None
        answer = solve(self.robot, target, near, moment.option("solver"))
        self._tally.add(answer)
        jump = float((answer.q - self._q).abs().max()) if self._tally.solves > 1 else 0.0
        self._step = max(self._step, jump)
        self._q = answer.q
        return self._scene(moment, target, answer, jump)

    def rehearsal(self, t: float) -> Mapping[str, Value]:
        return {}

    def results(self) -> Mapping[str, float | int | str | bool | None]:
        return {
            "robot": self.robot.name,
            "mode": self._shape,
            "path_radius_m": self._way.size,
            "largest_step_rad_or_m": self._step,
            **self._tally.figures(),
        }

    def _scene(self, moment: Moment, target: Tensor, answer: Answer, jump: float) -> Scene:
        measured = moment.measured.get("arm")
        reached = self.robot.forward_kinematics(self._q if measured is None else measured)
        self._trail.add(reached[:3, 3])
        told = (*readings(self.robot, answer, moment.option("solver")), Reading("largest joint step", jump))
        if measured is not None:
            told = (*told, Reading("motors are off by", 1e3 * float((reached - target)[:3, 3].norm()), "mm"))
        if self._own is not None:
            told = (*told, *opinion_readings(self._own.at(target, moment.t)))
        length = 0.22 * self.view.radius
        return Scene(
            bodies=(Body("arm", self.robot, self._q, driven=moment.option("motion") == "motors"),),
            frames=(Frame("target", target, length), Frame("reached", reached, 0.6 * length)),
            lines=(self._way.line(), *self._trail.lines()),
            readings=told,
        )
