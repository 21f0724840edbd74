"""The tip runs along its path: on it, without jumps, as fast as it should."""

from dataclasses import replace

import pytest
import torch

import diffkin as dk
from diffkin.demos.arm import path
from diffkin.demos.arm.path import PathDemo
from diffkin.demos.arm.planned import Plan, plan_round
from diffkin.demos.scene import Moment, first_values
from diffkin.ik import PositionTask


@pytest.mark.parametrize("follower", ["whole path", "pose by pose"])
def test_the_tip_stays_on_the_circle_without_a_jump(iiwa: dk.Robot, follower: str) -> None:
    demo = PathDemo(iiwa, "circle")
    scene = demo.begin()
    assert scene.reading("continuous answer").value is True and scene.points == ()
    values = {**first_values(demo.controls), "rounds a minute": 10.0, "follower": follower}
    start, tips = scene.bodies[0].q, []
    for k in range(60):  # once round in six seconds
        scene = demo.step(Moment(0.1 * k, 0.1, values))
        tips.append(iiwa.forward_kinematics(scene.bodies[0].q)[:3, 3])
    round_ = scene.lines[0].points
    center, radius = round_[:-1].mean(0), float((round_[0] - round_[:-1].mean(0)).norm())
    away = (torch.stack(tips) - center).norm(dim=-1)
    torch.testing.assert_close(away, torch.full_like(away, radius), rtol=0.0, atol=1e-5)
    assert float((tips[-1] - tips[29]).norm()) > 1.9 * radius  # half a round earlier it was on the other side
    results = demo.results()
    assert results["solved"] == results["solves"] == 61 and results["largest_step_rad_or_m"] < 0.5
    scene = demo.step(Moment(7.0, 0.0, values, frozenset({"reset"})))
    assert float((scene.bodies[0].q - start).abs().max()) < 0.2


def test_a_whole_path_comes_back_to_where_it_began() -> None:
    xarm6 = dk.load_robot("xarm6")
    demo = PathDemo(xarm6, "lissajous")
    start = demo.begin().bodies[0].q
    values = {**first_values(demo.controls), "rounds a minute": 6.0}
    for k in range(50):  # once round in ten seconds
        scene = demo.step(Moment(0.2 * k, 0.2, values))
    torch.testing.assert_close(scene.bodies[0].q, start, rtol=0.0, atol=1e-5)
    assert demo.results()["continuous_path"] is True and demo.results()["path_reconfigurations"] == 0


def test_where_no_continuous_answer_was_found_it_is_said_and_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    robot = dk.load_robot("planar_2r")

    def flipping(robot, pose, q_start) -> Plan:
        """A round whose second half has the elbow on the other side."""
        plan = plan_round(robot, pose, q_start)
        other = dk.solve_ik(robot, PositionTask(None, robot.forward_kinematics(plan.path.q)[:, :3, 3]), q0=-plan.path.q)
        half = torch.arange(len(other.q)) < len(other.q) // 2
        q = torch.where(half[:, None], plan.path.q, other.q)
        return Plan(replace(plan.path, q=q, success=False, reconfigurations=(119, 239)), plan.seconds)

    monkeypatch.setattr(path, "plan_round", flipping)
    demo = PathDemo(robot, "circle")
    scene = demo.begin()
    assert scene.reading("continuous answer").value == "none found, jumps 2"
    assert demo.results()["continuous_path"] is False and demo.results()["path_reconfigurations"] == 2
    (cloud,) = scene.points
    circle = scene.lines[0].points
    torch.testing.assert_close(cloud.points, torch.stack((circle[30], circle[0])))  # at half a round, and at its end
    values = {**first_values(demo.controls), "rounds a minute": 6.0}
    steps = []
    for k in range(50):
        scene = demo.step(Moment(0.2 * k, 0.2, values))
        steps.append(scene.reading("joint step").value)
        assert scene.reading("success").value is True
    assert sum(step > 0.5 for step in steps) == 2
