"""The tip runs along a closed path, a circle or one of Lissajous' curves, solved as a whole or pose by pose."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from diffkin.demos.arm.answers import SOLVER_NAMES, Answer, Opinion, opinion_readings, readings, solve
from diffkin.demos.arm.common import MOTION, TRAIL, Tally, Trail, home_of
from diffkin.demos.arm.occasional import Occasional
from diffkin.demos.arm.planned import plan_round
from diffkin.demos.arm.way import Way, circle, lissajous
from diffkin.demos.joints import view_of
from diffkin.demos.scene import (
    Body,
    Button,
    Choice,
    Control,
    Frame,
    Moment,
    Points,
    Reading,
    Scene,
    Slider,
    Value,
    first_values,
)
from diffkin.robot import Robot

__all__ = ["SHAPES", "PathDemo"]

SHAPES: dict[str, Callable[[float], tuple[float, float]]] = {"circle": circle, "lissajous": lissajous}

_WHOLE, _ONE = "whole path", "pose by pose"
_NEAR = {"max_restarts": 0, "max_iterations": 10}  # what is spent on a frame from where the plan already is
_JUMP = (0.9, 0.1, 0.1)


class PathDemo:
    """A path that is gone round and round, at a speed that people choose.

    Either every pose is solved from the last answer, or the whole round was solved beforehand by ``solve_path``, and a
    frame only goes on from where that is.

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
        home = home_of(self.robot)
        self._way = Way(self.robot, home, SHAPES[shape], 0.4 * self.view.radius)
        self._plan = plan_round(self.robot, self._way.pose, home)
        places = [self._way.pose(phase)[:3, 3] for phase in self._plan.jumps]
        self._marks = (Points("jumps", torch.stack(places), _JUMP, 0.03 * self.view.radius),) if places else ()
        self._begin()
        self.controls: tuple[Control, ...] = (
            Slider("rounds a minute", 0.0, 30.0, 12.0 if shape == "circle" else 6.0, "", "path"),
            Choice("follower", (_WHOLE, _ONE), _WHOLE, "solved beforehand without a jump, or each pose from the last"),
            Choice("solver", SOLVER_NAMES, solver, "how to go downhill"),
            Choice(
                "solution", ("nearest", "any"), "nearest", "pose by pose: near the arm, or whichever is found first"
            ),
            MOTION,
            Button("reset", "to the start of the path"),
        )

    def _begin(self) -> None:
        self._phase = 0.0
        self._q = self._plan.at(0.0)
        self._step = 0.0
        self._own = None if self._opinion is None else Occasional(self._opinion)
        self._trail = Trail("trail", TRAIL, self.view.radius)
        self._tally = Tally()

    def begin(self) -> Scene:
        self._begin()
        return self.step(Moment(0.0, 0.0, first_values(self.controls)))

    def step(self, moment: Moment) -> Scene:
        whole = moment.option("follower") == _WHOLE
        if "reset" in moment.touched:
            self._phase, self._q = 0.0, self._plan.at(0.0)
            self._trail.clear()
        anew = bool({"reset", "follower"} & moment.touched) or not self._tally.solves
        self._phase = (self._phase + moment.dt * moment.number("rounds a minute") / 60.0) % 1.0
        target = self._way.pose(self._phase)
        if whole:
            answer = solve(self.robot, target, self._plan.at(self._phase), moment.option("solver"), **_NEAR)
        else:
            near = self._q if moment.option("solution") == "nearest" else None
            answer = solve(self.robot, target, near, moment.option("solver"))
        self._tally.add(answer)
        jump = 0.0 if anew else float((answer.q - self._q).abs().max())
        self._step = jump if anew else max(self._step, jump)
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
            "continuous_path": self._plan.path.success,
            "path_reconfigurations": len(self._plan.jumps),
            "path_seconds": self._plan.seconds,
            **self._tally.figures(),
        }

    def _scene(self, moment: Moment, target: Tensor, answer: Answer, jump: float) -> Scene:
        measured = moment.measured.get("arm")
        reached = self.robot.forward_kinematics(self._q if measured is None else measured)
        self._trail.add(reached[:3, 3])
        told = (
            *readings(self.robot, answer, moment.option("solver")),
            Reading("joint step", jump),
            Reading("largest joint step", self._step),
            Reading("continuous answer", self._found()),
            Reading("path solved in", 1e3 * self._plan.seconds, "ms"),
        )
        if measured is not None:
            told = (*told, Reading("motors are off by", 1e3 * float((reached - target)[:3, 3].norm()), "mm"))
        if self._own is not None:
            told = (*told, *opinion_readings(self._own.at(target, moment.t)))
        length = 0.22 * self.view.radius
        return Scene(
            bodies=(Body("arm", self.robot, self._q, driven=moment.option("motion") == "motors"),),
            frames=(Frame("target", target, length), Frame("reached", reached, 0.6 * length)),
            lines=(self._way.line(), *self._trail.lines()),
            points=self._marks,
            readings=told,
        )

    def _found(self) -> bool | str:
        """Whether the path was solved without a jump, or how many there are."""
        jumps = len(self._plan.jumps)
        return True if self._plan.path.success else f"none found, jumps {jumps}"
