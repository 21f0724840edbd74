"""Where an arm reaches and how well it moves there: closed forms of a planar arm, and that the demo itself is unchanged."""

import math

import pytest
import torch

import diffkin as dk
from diffkin.demos.arm.surroundings import Surroundings, manipulability_ellipsoid, workspace_points
from diffkin.demos.joints import JointsDemo
from diffkin.demos.scene import Moment, first_values

ROBOT = dk.load_robot("planar_2r")


def reach(bend: float) -> float:
    """How far the tip is from the shoulder [m]."""
    return float(ROBOT.forward_kinematics(torch.tensor([0.0, bend], dtype=torch.float64))[:3, 3].norm())


def test_the_area_of_a_planar_ellipsoid() -> None:
    for bend in (0.3, 1.2, math.pi / 2):
        place, radii = manipulability_ellipsoid(ROBOT, torch.tensor([0.4, bend], dtype=torch.float64))
        product = 0.5 * (reach(0.0) ** 2 - reach(math.pi / 2) ** 2)  # of the lengths: (a + b)^2 - (a^2 + b^2) = 2 a b
        assert float(radii[0] * radii[1]) == pytest.approx(product * math.sin(bend), rel=1e-9)
        assert float(radii[2]) == pytest.approx(0.0, abs=1e-12)
        assert float(torch.linalg.det(place[:3, :3])) == pytest.approx(1.0)


def test_no_velocity_lies_outside() -> None:
    robot = dk.load_robot("kuka_iiwa") if "kuka_iiwa" in dk.robot_names() else dk.load_robot("scara")
    q = robot.sample(1, seed=1)[0]
    place, radii = manipulability_ellipsoid(robot, q)
    turns = torch.randn(500, robot.dof, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    v = (turns / turns.norm(dim=1, keepdim=True)) @ robot.jacobian(q)[:3].mT
    inside = ((v @ place[:3, :3] / radii.clamp(min=1e-12)) ** 2)[:, radii > 1e-9].sum(-1)
    assert 0.5 < float(inside.max()) <= 1.0 + 1e-9


def test_the_workspace_of_a_planar_arm_is_a_ring() -> None:
    away = workspace_points(ROBOT, 4000).norm(dim=1)
    assert float(away.max()) <= reach(0.0) + 1e-9
    assert float(away.max()) > 0.999 * reach(0.0)
    assert float(away.min()) >= reach(float(ROBOT.upper[1])) - 1e-9


def test_a_choice_shows_them() -> None:
    demo = JointsDemo(ROBOT)
    shown = Surroundings(demo, ROBOT)
    assert shown.title == demo.title and shown.controls[:-1] == demo.controls and shown.view == demo.view
    assert [len(shown.begin().ellipsoids), len(shown.begin().points)] == [1, 0]
    counts = {}
    for option in ("nothing", "ellipsoid", "workspace", "both"):
        scene = shown.step(Moment(0.1, 0.1, first_values(shown.controls) | {"show": option}))
        counts[option] = (len(scene.ellipsoids), len(scene.points))
        assert scene.readings == demo.step(Moment(0.1, 0.1, first_values(demo.controls))).readings
    assert counts == {"nothing": (0, 0), "ellipsoid": (1, 0), "workspace": (0, 1), "both": (1, 1)}
    again = shown.step(Moment(0.2, 0.1, first_values(shown.controls) | {"show": "both"}))
    assert again.points[0].points is scene.points[0].points  # drawn once
    assert shown.results() == demo.results() and shown.rehearsal(1.0) == demo.rehearsal(1.0)
