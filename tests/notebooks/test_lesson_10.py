"""The tenth lesson: densities have area 1, a forgotten determinant ruins a flow, and a trained one gives many solutions."""

from __future__ import annotations

import torch

import diffkin as dk
from tests.notebooks.running import run_lesson


def test_density_has_area_one_and_the_determinant_must_not_be_forgotten() -> None:
    names = run_lesson(10).names
    assert abs(names["mass"] - 1) < 0.01
    (a, b, right), (_, wrong_b, wrong) = names["fitted"][False], names["fitted"][True]
    data = names["data"]
    assert abs(a - data.mean()) < 0.02 and abs(b - data.std(correction=0)) < 0.02
    assert wrong < right and wrong_b > 3 * b


def test_flow_answers_within_limits_with_both_elbows() -> None:
    names = run_lesson(10).names
    robot = dk.load_robot("planar_3r")
    answers = names["answers"]
    assert ((answers > robot.lower) & (answers < robot.upper)).all()
    assert 0.2 < (answers[:, 1] > 0).double().mean() < 0.8
    assert torch.allclose(names["corners"](answers)[:, -1], robot.forward_kinematics(answers)[:, :2, 3], atol=1e-12)
    assert names["misses"].median() < 0.1
    assert names["misses"].min() < 0.02


def test_flow_is_a_better_start_than_uniform_angles() -> None:
    table = run_lesson(10).names["table"]
    uniform, flow = table["uniform q"], table["the flow"]
    assert flow["one"] < 0.2 * uniform["one"]
    assert flow["best"] < 0.2 * uniform["best"]
    assert flow["success"] > uniform["success"]
    assert flow["iterations"] < uniform["iterations"] - 1
    assert flow["both elbows"] > 0.9


def test_known_kinematics_helps() -> None:
    package = run_lesson(10).names["package"]
    for name in ("position_m", "rotation_rad"):
        assert package["chain_flow"][name] < 0.5 * package["flow"][name]
    assert run_lesson(10).figures == 2
