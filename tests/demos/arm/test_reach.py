"""Two arms race: targets come by time and by button, and the score is kept."""

import pytest

import diffkin as dk
from diffkin.demos.arm.answers import bullet_opinion
from diffkin.demos.arm.reach import ReachDemo
from diffkin.demos.scene import Moment, first_values


def test_both_race_for_the_same_targets(panda: dk.Robot) -> None:
    pytest.importorskip("pybullet")
    demo = ReachDemo(panda, bullet_opinion(panda), seed=1)
    demo.begin()
    values = first_values(demo.controls)
    assert values["rival"] == "Bullet"
    targets = []
    for k in range(1, 7):
        scene = demo.step(Moment(1.5 * k, 1.5, values))
        targets.append(scene.frames[0].pose)
    assert len({float(each[0, 3]) for each in targets}) >= 3
    scene = demo.step(Moment(9.1, 0.1, values, frozenset({"next target"})))
    assert float(scene.frames[0].pose[0, 3]) != float(targets[-1][0, 3])
    scene = demo.step(Moment(11.0, 1.9, values))  # on its way for longer than it takes
    arm = next(body for body in scene.bodies if body.name == "arm")
    assert scene.reading("success").value is True
    away = (panda.forward_kinematics(arm.q) - scene.frames[0].pose)[:3, 3].norm()
    assert float(away) < 1e-6
    results = demo.results()
    assert results["solves"] == results["rival_solves"] == results["solved"] >= 5
    assert results["rival_solved"] <= results["rival_solves"]


def test_without_bullet_another_solver_races(panda: dk.Robot) -> None:
    demo = ReachDemo(panda)
    assert first_values(demo.controls)["rival"] == "gauss_newton"
    scene = demo.begin()
    assert scene.reading("rival").value == "gauss_newton"
