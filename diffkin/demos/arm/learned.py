"""A network proposes, a solver refines: its answer as it comes, and after one descent from there."""

from __future__ import annotations

import os
from collections.abc import Mapping

import torch
from torch import Tensor

from diffkin.demos.arm.answers import Answer, asks_for_rotation, readings, solve
from diffkin.demos.arm.common import GHOST, Tally, home_of, reachable
from diffkin.demos.arm.way import Way, circle
from diffkin.demos.joints import view_of
from diffkin.demos.scene import Body, Button, Choice, Control, Frame, Moment, Reading, Scene, Value, first_values
from diffkin.errors import OptionError
from diffkin.learning import IKNetwork, load, make_network, pose_errors
from diffkin.robot import Robot

__all__ = ["LearnedDemo", "quick_network"]

_STEPS, _BATCH, _RATE = 300, 256, 2e-3  # of the training where no network is given
_ONE_DESCENT = {"max_restarts": 0, "max_iterations": 60}
_PERIOD = 8.0  # of the path [s]


class LearnedDemo:
    """The blue arm is where the network says; the other is where one descent from there ends.

    Args:
        robot: A robot with a tip.
        network: A network for its inverse kinematics, or the file of one; None trains a small one for some seconds.
        seed: Of random targets and of what the network draws.

    Raises:
        diffkin.errors.OptionError: The network is for another robot, or the arm has fewer than six coordinates.
    """

    def __init__(self, robot: Robot, network: IKNetwork | str | os.PathLike[str] | None = None, seed: int = 0) -> None:
        self.robot = robot.to(dtype=torch.float64, device="cpu")
        if not asks_for_rotation(self.robot):
            raise OptionError(
                f"Networks learn poses; {robot.name!r} has {robot.dof} coordinates, too few. Take another mode."
            )
        self.title = f"{robot.name}: network and one descent"
        self.view = view_of(self.robot)
        self._network = _network_for(self.robot, network)
        self._seed = seed
        self._home = home_of(self.robot)
        self._way = Way(self.robot, self._home, circle, 0.4 * self.view.radius)
        self.controls: tuple[Control, ...] = (
            Choice("targets", ("circle", "random"), "circle", "along a path, or where the button puts them"),
            Button("random target", "one that the arm can reach"),
            Button("another answer", "the network draws again, where it can"),
            Button("reset", "count from zero"),
        )
        self._begin()

    def _begin(self) -> None:
        self._generator = torch.Generator().manual_seed(self._seed)
        self._drawn = self._seed
        self._random = reachable(self.robot, self.view.floor, self._generator)
        self._proposed: list[float] = []
        self._tally = Tally()

    def begin(self) -> Scene:
        self._begin()
        return self.step(Moment(0.0, 0.0, first_values(self.controls)))

    def step(self, moment: Moment) -> Scene:
        if "reset" in moment.touched:
            self._begin()
        if "random target" in moment.touched:
            self._random = reachable(self.robot, self.view.floor, self._generator)
        self._drawn += "another answer" in moment.touched
        random = moment.option("targets") == "random" or "random target" in moment.touched
        target = self._random if random else self._way.pose(moment.t / _PERIOD % 1.0)
        proposed = self._network.sample(target[None], seed=self._drawn)[0, 0].double()
        proposed = proposed.clamp(self.robot.lower, self.robot.upper)
        answer = solve(self.robot, target, proposed, "levenberg_marquardt", **_ONE_DESCENT)
        self._tally.add(answer)
        shows: dict[str, Value] = {"targets": "random"} if random else {}
        return self._scene(target, proposed, answer, shows)

    def rehearsal(self, t: float) -> Mapping[str, Value]:
        return {}

    def results(self) -> Mapping[str, float | int | str | bool | None]:
        before = torch.tensor(self._proposed, dtype=torch.float64, device="cpu")
        return {
            "robot": self.robot.name,
            "mode": "learned",
            "network": str(self._network.settings.name),
            "proposed_position_error_median_m": float(before.median()) if len(before) else None,
            **self._tally.figures(),
        }

    def _scene(self, target: Tensor, proposed: Tensor, answer: Answer, shows: Mapping[str, Value]) -> Scene:
        distance, angle = pose_errors(self.robot, target[None], proposed[None])
        self._proposed.append(float(distance))
        told = (
            Reading("network", str(self._network.settings.name)),
            Reading("its position error", 1e3 * float(distance), "mm"),
            Reading("its rotation error", 1e3 * float(angle), "mrad"),
            Reading("after one descent", ""),
            *readings(self.robot, answer, "levenberg_marquardt"),
            Reading("solved", f"{self._tally.solved} of {self._tally.solves}"),
        )
        length = 0.22 * self.view.radius
        return Scene(
            bodies=(Body("arm", self.robot, answer.q), Body("network", self.robot, proposed, None, GHOST, 0.45)),
            frames=(
                Frame("target", target, length),
                Frame("proposed", self.robot.forward_kinematics(proposed), 0.6 * length),
            ),
            lines=(self._way.line(),),
            readings=told,
            shows=shows,
        )


def quick_network(robot: Robot, steps: int = _STEPS, seed: int = 0) -> IKNetwork:
    """A small network, trained for some seconds on the distance of its answers' poses to the targets."""
    network = make_network(robot, {"name": "through_fk"}, seed=seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, steps)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        q = robot.sample(_BATCH, seed=generator).float()
        loss = network.loss(*network.augment(q, network.single.forward_kinematics(q), generator))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.requires_grad_(False).eval()


def _network_for(robot: Robot, network: IKNetwork | str | os.PathLike[str] | None) -> IKNetwork:
    if network is None:
        return quick_network(robot)
    given = network if isinstance(network, IKNetwork) else load(network)
    if not isinstance(given, IKNetwork):
        raise OptionError(f"{network} holds a {type(given).__name__}, not a network for inverse kinematics.")
    if given.robot.joint_names != robot.joint_names or given.robot.tip != robot.tip:
        raise OptionError(
            f"The network is for {given.robot.name!r} with tip {given.robot.tip!r}, the robot is {robot.name!r} with tip "
            f"{robot.tip!r}. Take robot={given.robot.name}, or another checkpoint."
        )
    return given
