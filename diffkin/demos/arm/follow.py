"""The tip follows a target that people move, by its own sliders or by the joints'."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from diffkin.demos.arm.answers import (
    SOLVER_NAMES,
    Answer,
    Opinion,
    asks_for_rotation,
    opinion_readings,
    readings,
    solve,
)
from diffkin.demos.arm.common import GHOST, MOTION, TRAIL, Tally, Trail, home_of, reachable, turned_apart
from diffkin.demos.arm.occasional import Occasional, every_solution
from diffkin.demos.arm.target import PLACES, Target
from diffkin.demos.arm.way import Way, eight
from diffkin.demos.joints import joint_sliders, view_of
from diffkin.demos.scene import Body, Button, Choice, Control, Frame, Moment, Reading, Scene, Value, first_values
from diffkin.robot import Robot

__all__ = ["FollowDemo"]

_GHOSTS = 10  # of an arm with self-motion; more hide it
_SAME = 0.3  # a ghost nearer to the arm than this is not drawn [rad or m]
_PERIOD = 8.0  # of the rehearsal [s]
_DESCENTS = ("gradient_descent", "adam", "lbfgs")  # these go on from frame to frame


class FollowDemo:
    """Sliders for the target's position and rotation, and for the joints; the arm solves for the target.

    Args:
        robot: A robot with a tip.
        opinion: Bullet's own inverse kinematics; see ``bullet_opinion``. None for none.
        solver: The first solver.
        seed: Of random targets.
    """

    def __init__(
        self,
        robot: Robot,
        opinion: Callable[[Tensor], Opinion] | None = None,
        solver: str = "levenberg_marquardt",
        seed: int = 0,
    ) -> None:
        self.robot = robot.to(dtype=torch.float64, device="cpu")
        self.title = f"{robot.name}: the arm follows its target"
        self.view = view_of(self.robot)
        self._opinion = opinion
        self._seed = seed
        self._home = home_of(self.robot)
        self._way = Way(self.robot, self._home, eight, 0.35 * self.view.radius)  # of the rehearsal
        self._begin()
        solve(self.robot, self._target.start, self._home, solver)  # loads what is compiled, so that no time shows it
        self.controls: tuple[Control, ...] = (
            *self._target.controls,
            *joint_sliders(self.robot, self._home),
            Choice("solver", SOLVER_NAMES, solver, "how to go downhill"),
            Choice("solution", ("nearest", "any"), "nearest", "the one near the arm, or whichever is found first"),
            Choice("all solutions", ("off", "on"), "off", "every other solution of the pose, as ghosts"),
            MOTION,
            Button("random target", "one that the arm can reach"),
            Button("reset", "to the posture of the start"),
        )

    def _begin(self) -> None:
        self._generator = torch.Generator().manual_seed(self._seed)
        self._q = self._home
        start = self.robot.forward_kinematics(self._home)
        self._target = Target(start, self.view, asks_for_rotation(self.robot))
        self._answer: Answer | None = None
        self._own = None if self._opinion is None else Occasional(self._opinion)
        self._all = Occasional(lambda target: every_solution(self.robot, target, self._q, _GHOSTS))
        self._trail = Trail("trail", TRAIL, self.view.radius)
        self._tally = Tally()

    def begin(self) -> Scene:
        self._begin()
        return self.step(Moment(0.0, 0.0, first_values(self.controls)))

    def step(self, moment: Moment) -> Scene:
        self._solve(moment)
        assert self._answer is not None
        measured = moment.measured.get("arm")
        reached = self.robot.forward_kinematics(self._q if measured is None else measured)
        self._trail.add(reached[:3, 3])
        told = readings(self.robot, self._answer, moment.option("solver"))
        if measured is not None:
            lag = float((reached[:3, 3] - self._target.pose[:3, 3]).norm())
            told = (*told, Reading("motors are off by", 1e3 * lag, "mm"))
        if self._own is not None:
            told = (*told, *opinion_readings(self._own.at(self._target.pose, moment.t)))
        ghosts, counted = self._ghosts(moment)
        length = 0.22 * self.view.radius
        return Scene(
            bodies=(Body("arm", self.robot, self._q, driven=moment.option("motion") == "motors"), *ghosts),
            frames=(Frame("target", self._target.pose, length), Frame("reached", reached, 0.6 * length)),
            lines=self._trail.lines(),
            readings=(*told, *counted),
            shows={**self._target.shows(), **dict(zip(self.robot.joint_names, self._q.tolist()))},
        )

    def rehearsal(self, t: float) -> Mapping[str, Value]:
        pose = self._way.pose(t / _PERIOD % 1.0)
        return dict(zip(PLACES, pose[:3, 3].tolist()))

    def results(self) -> Mapping[str, float | int | str | bool | None]:
        places = {"target": self._target.pose, "reached": self.robot.forward_kinematics(self._q)}
        ends = {f"{name}_{'xyz'[k]}_m": float(at[k, 3]) for name, at in places.items() for k in range(3)}
        return {"robot": self.robot.name, "mode": "follow", **ends, **self._tally.figures()}

    def _solve(self, moment: Moment) -> None:
        """Move the target as was asked, and solve where that, or a choice, makes a new problem."""
        touched, before = moment.touched, self._target.pose
        near: Tensor | None = self._q if moment.option("solution") == "nearest" else None
        joints = [k for k, name in enumerate(self.robot.joint_names) if name in touched]
        if "reset" in touched:
            self._trail.clear()
            near = self._home
            self._target.put(self._target.start)
        elif "random target" in touched:
            self._target.put(reachable(self.robot, self.view.floor, self._generator))
        elif joints:
            near = self._q.clone()
            for k in joints:
                near[k] = moment.number(self.robot.joint_names[k])
            self._target.put(self.robot.forward_kinematics(near))
        else:
            self._target.follow(moment)
        solver = moment.option("solver")
        moved = not torch.equal(before, self._target.pose) or "reset" in touched
        unfinished = self._answer is not None and not self._answer.success and solver in _DESCENTS
        if moved or unfinished or self._answer is None or {"solver", "solution"} & touched:
            start = self._q if unfinished and not moved else near
            self._answer = solve(self.robot, self._target.pose, start, solver)
            self._q = self._answer.q
            self._tally.add(self._answer)

    def _ghosts(self, moment: Moment) -> tuple[tuple[Body, ...], tuple[Reading, ...]]:
        """All other solutions, and how many there are."""
        if moment.option("all solutions") == "off":
            return (), ()
        found = self._all.at(self._target.pose, moment.t)
        assert found is not None
        away = turned_apart(self.robot, found.q, self._q) > _SAME
        ghosts = tuple(Body(f"ghost {k}", self.robot, q, None, GHOST, 0.35) for k, q in enumerate(found.q[away]))
        count = Reading("solutions", "endless" if found.endless else found.count)
        return ghosts, (count, Reading("that look different", len(found.q)))
