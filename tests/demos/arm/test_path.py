"""The tip runs along its path: on it, without jumps, as fast as it should."""

import torch

import diffkin as dk
from diffkin.demos.arm.path import PathDemo
from diffkin.demos.scene import Moment, first_values


def test_the_tip_stays_on_the_circle_without_a_jump(iiwa: dk.Robot) -> None:
    demo = PathDemo(iiwa, "circle")
    scene = demo.begin()
    values = {**first_values(demo.controls), "rounds a minute": 10.0}
    start, tips = scene.bodies[0].q, []
    for k in range(60):  # once round in six seconds
        scene = demo.step(Moment(0.1 * k, 0.1, values))
        tips.append(iiwa.forward_kinematics(scene.bodies[0].q)[:3, 3])
    path = scene.lines[0].points
    center, radius = path[:-1].mean(0), float((path[0] - path[:-1].mean(0)).norm())
    away = (torch.stack(tips) - center).norm(dim=-1)
    torch.testing.assert_close(away, torch.full_like(away, radius), rtol=0.0, atol=1e-5)
    assert float((tips[-1] - tips[29]).norm()) > 1.9 * radius  # half a round earlier it was on the other side
    results = demo.results()
    assert results["solved"] == results["solves"] == 61 and results["largest_step_rad_or_m"] < 0.5
    scene = demo.step(Moment(7.0, 0.0, values, frozenset({"reset"})))
    assert float((scene.bodies[0].q - start).abs().max()) < 0.2
