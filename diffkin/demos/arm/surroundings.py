"""What stands round an arm in any of its demos, if people want it: where it can reach, and how well it can move there."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin.demos.scene import Choice, Control, Demo, Ellipsoid, Moment, Points, Scene, Value, View
from diffkin.robot import Robot
from diffkin.transforms import pose

__all__ = ["Surroundings", "manipulability_ellipsoid", "workspace_points"]

_POINTS = 20_000
_SHARE = 0.4  # of the view's radius, that the longest axis of any ellipsoid has


class Surroundings:
    """An arm demo with a choice of what else is drawn: the points that the tip reaches, the manipulability ellipsoid.

    Args:
        demo: An arm demo, whose first body is the arm.
        robot: The arm.
    """

    def __init__(self, demo: Demo, robot: Robot) -> None:
        self._demo, self._robot = demo, robot.to(dtype=torch.float64, device="cpu")
        options = ("nothing", "ellipsoid", "workspace", "both")
        choice = Choice("show", options, "ellipsoid", "how well the tip can move, and where it can be")
        self.controls: tuple[Control, ...] = (*demo.controls, choice)
        some = self._robot.jacobian(self._robot.sample(200, seed=0))[:, :3]
        self._scale = _SHARE * demo.view.radius / max(float(torch.linalg.matrix_norm(some, 2).max()), 1e-9)
        self._points: Tensor | None = None

    @property
    def title(self) -> str:
        return self._demo.title

    @property
    def view(self) -> View:
        return self._demo.view

    def begin(self) -> Scene:
        return self._with(self._demo.begin(), "ellipsoid")

    def step(self, moment: Moment) -> Scene:
        return self._with(self._demo.step(moment), moment.option("show"))

    def rehearsal(self, t: float) -> Mapping[str, Value]:
        return self._demo.rehearsal(t)

    def results(self) -> Mapping[str, float | int | str | bool | None]:
        return self._demo.results()

    def _with(self, scene: Scene, shown: str) -> Scene:
        if shown in ("workspace", "both"):
            if self._points is None:
                self._points = workspace_points(self._robot)
            cloud = Points("workspace", self._points, (0.35, 0.55, 0.9), 0.006 * self.view.radius)
            scene = dataclasses.replace(scene, points=(*scene.points, cloud))
        if shown in ("ellipsoid", "both"):
            place, radii = manipulability_ellipsoid(self._robot, scene.bodies[0].q)
            egg = Ellipsoid("manipulability", place, self._scale * radii)
            scene = dataclasses.replace(scene, ellipsoids=(*scene.ellipsoids, egg))
        return scene


def manipulability_ellipsoid(
    robot: Robot, q: Float[Tensor, " dof"]
) -> tuple[Float[Tensor, "4 4"], Float[Tensor, " 3"]]:
    """Velocities of the tip for joint velocities of length one: ``v^T (J J^T)^-1 v <= 1`` (Yoshikawa, 1985).

    Args:
        robot: A robot with a tip.
        q: (dof,).

    Returns:
        (4, 4) the tip's place with the ellipsoid's axes, the longest first, and (3,) its radii [m/s].
    """
    axes, radii, _ = torch.linalg.svd(robot.jacobian(q)[:3])
    axes = axes * torch.linalg.det(axes).sign()  # right-handed
    radii = torch.cat((radii, radii.new_zeros(3 - len(radii))))
    return pose(axes, robot.forward_kinematics(q)[:3, 3]), radii


def workspace_points(robot: Robot, count: int = _POINTS, seed: int = 0) -> Float[Tensor, "n 3"]:
    """(count, 3) places of the tip at random joint values within limits, by one batched call."""
    return robot.forward_kinematics(robot.sample(count, seed=seed))[:, :3, 3].contiguous()
