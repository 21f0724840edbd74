"""The smallest demo: sliders turn the joints, the numbers beside say where the tip is and how well it can move."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from diffkin.demos.scene import Body, Button, Control, Frame, Moment, Reading, Scene, Slider, Value, View
from diffkin.kinematics import PRISMATIC
from diffkin.kinematics.ranges import sampling_range
from diffkin.robot import Robot

__all__ = ["JointsDemo", "joint_sliders", "middle_of", "view_of"]

_PERIOD = 10.0  # of the first joint's swing in a film [s]
_TIPS = 400  # random poses that a camera frames


class JointsDemo:
    """Joint sliders and a reset button.

    Args:
        robot: A robot with a tip.
    """

    def __init__(self, robot: Robot) -> None:
        self.robot = robot.to(dtype=torch.float64, device="cpu")
        self.title = f"{robot.name}: move the joints"
        self.controls: tuple[Control, ...] = (
            *joint_sliders(self.robot),
            Button("reset", "to the middle of all ranges"),
        )
        self.view = view_of(self.robot)
        self._q = middle_of(self.robot)
        self._moved = 0

    def begin(self) -> Scene:
        self._q, self._moved = middle_of(self.robot), 0
        return self._scene()

    def step(self, moment: Moment) -> Scene:
        names = self.robot.joint_names
        moved = [k for k, name in enumerate(names) if name in moment.touched]
        self._q = self._q.clone()
        for k in moved:
            self._q[k] = moment.number(names[k])
        self._moved += bool(moved)
        if "reset" in moment.touched:
            self._q = middle_of(self.robot)
        return self._scene()

    def rehearsal(self, t: float) -> Mapping[str, Value]:
        low, high = _ranges(self.robot)
        middle = middle_of(self.robot)
        swing = 0.4 * torch.minimum(high - middle, middle - low).clamp(max=1.5)
        # joint k swings k times as fast as the first
        phase = torch.arange(1, self.robot.dof + 1, dtype=torch.float64, device="cpu")
        q = middle + swing * torch.sin(2.0 * math.pi * phase * t / _PERIOD)
        return dict(zip(self.robot.joint_names, q.tolist()))

    def results(self) -> Mapping[str, float | int | str | bool | None]:
        return {"robot": self.robot.name, "moves": self._moved}

    def _scene(self) -> Scene:
        tip = self.robot.forward_kinematics(self._q)
        x, y, z = tip[:3, 3].tolist()
        return Scene(
            bodies=(Body("arm", self.robot, self._q),),
            frames=(Frame("tip", tip, 0.1 * self.view.radius),),
            readings=(
                Reading("tip x", round(x, 6), "m"),
                Reading("tip y", round(y, 6), "m"),
                Reading("tip z", round(z, 6), "m"),
                Reading("manipulability", float(self.robot.manipulability(self._q))),
            ),
            shows=dict(zip(self.robot.joint_names, self._q.tolist())),
        )


def joint_sliders(robot: Robot, q: Tensor | None = None) -> tuple[Slider, ...]:
    """One slider a joint, named like it, over its limits (-pi to pi where it has none).

    Args:
        robot: The robot.
        q: (dof,) what they show at first; the middle of the ranges if None.

    Returns:
        dof sliders.
    """
    low, high = _ranges(robot)
    shown = torch.minimum(torch.maximum(middle_of(robot) if q is None else q, low), high)
    units = dict.fromkeys(range(robot.dof), "rad")
    for kind, coordinate in zip(robot.tree.kinds, robot.tree.coordinate):
        if kind == PRISMATIC:
            units[coordinate] = "m"
    rows = zip(robot.joint_names, low.tolist(), high.tolist(), shown.tolist(), units.values())
    return tuple(Slider(name, a, b, value, unit, "joints") for name, a, b, value, unit in rows)


def middle_of(robot: Robot) -> Tensor:
    """(dof,) the middle of the joints' ranges; 0 where a joint has none."""
    low, high = _ranges(robot)
    return 0.5 * (low + high)


def view_of(robot: Robot) -> View:
    """A view of all that the robot can reach, as random coordinates show it, standing on the floor."""
    links = robot.link_poses(torch.cat((middle_of(robot)[None], robot.sample(_TIPS, seed=0))))
    points = torch.cat([pose[:, :3, 3] for pose in links.values()])
    low, high = points.amin(0), points.amax(0)
    floor = min(0.0, float(points[: _TIPS + 1, 2].min()))
    low[2] = torch.clamp(low[2], min=floor)  # what would be under the floor needs no room
    x, y, z = (0.5 * (low + high)).tolist()
    size = max(0.5 * float((high - low)[2]), 0.35 * float((high - low)[:2].max()), 0.1)
    flat = float(high[2] - low[2]) < 0.2 * float((high - low)[:2].max())
    return View((x, y, z), size, pitch_deg=-60.0 if flat else View.pitch_deg, floor=floor)


def _ranges(robot: Robot) -> tuple[Tensor, Tensor]:
    return sampling_range(robot.tree, robot.lower.double(), robot.upper.double())
