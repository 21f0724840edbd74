"""Random targets, and two arms that race for them: ours, and one that another solver or Bullet's own IK moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from diffkin.demos.arm.answers import SOLVER_NAMES, Answer, Opinion, asks_for_rotation, readings, solve
from diffkin.demos.arm.common import GHOST, Tally, home_of, reachable
from diffkin.demos.joints import view_of
from diffkin.demos.scene import Body, Button, Choice, Control, Frame, Moment, Reading, Scene, Value, first_values
from diffkin.robot import Robot

__all__ = ["ReachDemo"]

_MOVE, _STAY = 1.2, 1.0  # a target takes so long: on the way, and there [s]
_BULLET = "Bullet"
_MET = 1e-3  # when Bullet's answer counts as solved, as in ``diffkin.simulation.check_solutions`` [m and rad]
_SLACK = 1e-9  # a joint put on its limit may be off it by rounding
_ROUND = {"max_restarts": 20}


class ReachDemo:
    """A new target every two seconds; both arms go from where they are to what their solver found.

    Args:
        robot: A robot with a tip.
        opinion: Bullet's own inverse kinematics, the rival; see ``bullet_opinion``. Another solver where it is None.
        solver: Ours at first.
        seed: Of the targets.
    """

    def __init__(
        self,
        robot: Robot,
        opinion: Callable[[Tensor], Opinion] | None = None,
        solver: str = "levenberg_marquardt",
        seed: int = 0,
    ) -> None:
        self.robot = robot.to(dtype=torch.float64, device="cpu")
        self.title = f"{robot.name}: two solvers race"
        self.view = view_of(self.robot)
        self._opinion = opinion if asks_for_rotation(self.robot) else None
        self._seed = seed
        self._home = home_of(self.robot)
        rivals = ((_BULLET,) if self._opinion is not None else ()) + tuple(n for n in SOLVER_NAMES if n != solver)
        self.controls: tuple[Control, ...] = (
            Choice("solver", SOLVER_NAMES, solver, "of the arm in its own colours"),
            Choice("rival", rivals, rivals[0], "of the blue arm"),
            Button("next target", "do not wait for it"),
            Button("reset", "and count from zero"),
        )
        self._begin()

    def _begin(self) -> None:
        self._generator = torch.Generator().manual_seed(self._seed)
        self._tallies = {"": Tally(), "rival_": Tally()}
        self._goals = self._from = (self._home, self._home)
        self._answers: tuple[Answer, Answer] | None = None
        self._target = self.robot.forward_kinematics(self._home)
        self._due = self._began = 0.0

    def begin(self) -> Scene:
        self._begin()
        return self.step(Moment(0.0, 0.0, first_values(self.controls)))

    def step(self, moment: Moment) -> Scene:
        if "reset" in moment.touched or "rival" in moment.touched:
            self._tallies = {"": Tally(), "rival_": Tally()}
        if moment.t >= self._due or "next target" in moment.touched:
            self._next(moment)
        share = min(1.0, (moment.t - self._began) / _MOVE)
        ours, rival = (a + share * (b - a) for a, b in zip(self._from, self._goals))
        return self._scene(moment, ours, rival)

    def rehearsal(self, t: float) -> Mapping[str, Value]:
        return {}

    def results(self) -> Mapping[str, float | int | str | bool | None]:
        figures = {"robot": self.robot.name, "mode": "reach"}
        return {**figures, **self._tallies[""].figures(), **self._tallies["rival_"].figures("rival_")}

    def _next(self, moment: Moment) -> None:
        """A new target for both."""
        share = min(1.0, (moment.t - self._began) / _MOVE)
        ours, rival = (a + share * (b - a) for a, b in zip(self._from, self._goals))
        self._target = reachable(self.robot, self.view.floor, self._generator)
        mine = solve(self.robot, self._target, ours, moment.option("solver"), **_ROUND)
        other = self._rival(moment.option("rival"), rival)
        self._answers = mine, other
        self._tallies[""].add(mine)
        self._tallies["rival_"].add(other)
        self._from, self._goals = (ours, rival), (mine.q, other.q)
        self._began, self._due = moment.t, moment.t + _MOVE + _STAY

    def _rival(self, name: str, start: Tensor) -> Answer:
        if name != _BULLET or self._opinion is None:
            return solve(self.robot, self._target, start, name)
        own = self._opinion(self._target)
        met = own.within_limits and own.position_error <= _MET and own.rotation_error <= _MET
        return Answer(own.q, met, own.position_error, own.rotation_error, 0, own.seconds)

    def _scene(self, moment: Moment, ours: Tensor, rival: Tensor) -> Scene:
        assert self._answers is not None
        mine, other = self._answers
        told = readings(self.robot, mine, moment.option("solver"))
        turned = other.rotation_error
        inside = (other.q >= self.robot.lower - _SLACK) & (other.q <= self.robot.upper + _SLACK)
        told = (
            *told,
            self._score("solved", ""),
            Reading("rival", moment.option("rival")),
            Reading("rival success", other.success),
            Reading("rival position error", 1e3 * other.position_error, "mm"),
            Reading("rival rotation error", None if turned is None else 1e3 * turned, "mrad"),
            Reading("rival within limits", bool(inside.all())),
            Reading("rival solve time", 1e3 * other.seconds, "ms"),
            self._score("rival solved", "rival_"),
        )
        return Scene(
            bodies=(Body("arm", self.robot, ours), Body("rival", self.robot, rival, None, GHOST, 0.45)),
            frames=(Frame("target", self._target, 0.22 * self.view.radius),),
            readings=told,
        )

    def _score(self, name: str, whose: str) -> Reading:
        tally = self._tallies[whose]
        return Reading(name, f"{tally.solved} of {tally.solves}, {tally.median_ms or 0.0:.2g} ms each")
