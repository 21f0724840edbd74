"""The numbered examples run, stay short, and print numbers that are right."""

from __future__ import annotations

import ast
import math
import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import diffkin as dk
from diffkin import simulation

FOLDER = Path(__file__).resolve().parents[2] / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))


def run(number: int, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    """What an example leaves behind, and what it prints."""
    (path,) = FOLDER.glob(f"{number:02d}_*.py")
    names = runpy.run_path(str(path), run_name="__main__")
    return names, capsys.readouterr().out


def line(printed: str, start: str) -> list[float]:
    """The numbers in the line that begins so, after those words."""
    (found,) = (each for each in printed.splitlines() if each.startswith(start))
    return [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", found[len(start) :])]


def test_there_are_ten_and_each_is_short_and_explains_itself() -> None:
    assert [path.name[:2] for path in EXAMPLES] == [f"{k:02d}" for k in range(1, 11)]
    for path in EXAMPLES:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) < 60, path.name
        assert len(ast.get_docstring(ast.parse(text)) or "") > 100, path.name


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_front_pages_link_every_example(page: str) -> None:
    text = (FOLDER.parent / page).read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES if f"(examples/{path.name})" not in text] == []


def test_load_a_robot(capsys: pytest.CaptureFixture[str]) -> None:
    names, printed = run(1, capsys)
    assert line(printed, "tip at") == [0.0, 0.9, 0.1]  # 0.5 m and 0.4 m along y
    (farthest,) = line(printed, "farthest from the base:")
    assert farthest <= round(math.hypot(0.9, 0.1), 3)
    first, second = names["many"].numpy().T
    x = 0.5 * np.cos(first) + 0.4 * np.cos(first + second)  # of a planar arm, by hand
    y = 0.5 * np.sin(first) + 0.4 * np.sin(first + second)
    np.testing.assert_allclose(names["poses"][:, :2, 3].numpy(), np.stack((x, y), -1), atol=1e-12)


def test_jacobian(capsys: pytest.CaptureFixture[str]) -> None:
    names, printed = run(2, capsys)
    assert line(printed, "by hand and by one call:")[0] < 1e-12
    assert line(printed, "by hand and closed form:")[0] < 1e-12
    robot, q, step = names["robot"], names["q"], 1e-6
    for k in range(7):  # differences of forward kinematics
        moved = [robot.forward_kinematics(q + sign * step * torch.eye(7).double()[k])[:3, 3] for sign in (1, -1)]
        torch.testing.assert_close(names["by_hand"][:, k], (moved[0] - moved[1]) / (2 * step), rtol=0, atol=1e-8)
    predicted, true = line(printed, "predicted step [mm]:"), line(printed, "true step      [mm]:")
    assert predicted == pytest.approx(true, abs=2e-3) and max(map(abs, true)) > 0.1


def test_inverse_kinematics(capsys: pytest.CaptureFixture[str]) -> None:
    names, printed = run(3, capsys)
    assert "solved 500 of 500" in printed and "within limits: True" in printed and "[False]" in printed
    assert line(printed, "farthest from its target:")[0] <= 1e-6
    near, free = (line(printed, f"{name}: of ")[1] for name in ("with q0", "without"))
    assert near < free
    if not simulation.is_installed():
        pytest.skip("needs pybullet: the answers were not set there")
    with simulation.open_world() as client:
        arm = simulation.load(client, names["robot"])
        distance, angle = simulation.read_back(arm, names["result"].q[:20], names["targets"][:20])
    assert float(distance.max()) < 1.1e-6 and float(angle.max()) < 1.1e-6


def test_tool_and_partial_pose(capsys: pytest.CaptureFixture[str]) -> None:
    names, printed = run(4, capsys)
    for name in ("solved:", "drill:", "position alone:", "rotation alone:"):
        assert line(printed, name)[:2] == [100, 100], name
    assert line(printed, "pin off by at most")[0] <= 1.2e-6  # turned by 1e-6 rad, 12 cm behind the flange
    hand = names["robot"].forward_kinematics(names["drill"].q)
    point = hand[:, :3, 3] + 0.12 * hand[:, :3, 2]  # the pin's point, by hand
    assert float((point - names["targets"][:, :3, 3]).norm(dim=-1).max()) <= 1.2e-6
    turned = dk.rotations.angle_between(hand[:, :3, :3], names["targets"][:, :3, :3])
    assert float(turned.max()) > 0.1  # the free turn is used


def test_your_own_task(capsys: pytest.CaptureFixture[str]) -> None:
    names, printed = run(5, capsys)
    assert line(printed, "on the cylinder: True distance") == [0.5]
    assert line(printed, "both:")[:2] == [50, 50]
    x, y = names["T"][:, :2, 3].numpy().T
    np.testing.assert_allclose(np.hypot(x, y), 0.5, atol=1e-6)
    assert line(printed, "with a wish that cannot be had:")[:2] == [50, 50]


def test_gradients_through_ik(capsys: pytest.CaptureFixture[str]) -> None:
    names, printed = run(6, capsys)
    by_autograd, inverse = line(printed, "dq2/dtarget by autograd:"), line(printed, "row of the inverse Jacobian:")
    assert by_autograd == pytest.approx(inverse, abs=2e-4)
    robot, start, step = names["robot"], names["start"], 1e-4
    for axis in range(3):  # differences of the solver
        ends = []
        for sign in (1.0, -1.0):
            moved = start.clone()
            moved[axis, 3] += sign * step
            ends.append(
                dk.solve_ik(
                    robot, moved, q0=names["first"].q.detach(), position_tolerance=1e-10, rotation_tolerance=1e-10
                )
            )
        assert bool(ends[0].success) and bool(ends[1].success)
        assert by_autograd[axis] == pytest.approx(float(ends[0].q[1] - ends[1].q[1]) / (2 * step), rel=1e-3)
    strain = [line(printed, f"step {k:2d}: strain")[0] for k in range(0, 21, 5)]
    assert strain == sorted(strain, reverse=True) and strain[-1] < 0.95 * strain[0]


def test_point_an_aircraft(capsys: pytest.CaptureFixture[str]) -> None:
    _, printed = run(7, capsys)
    assert line(printed, "[300.0, 50.0, 0.0]: yaw")[0] == round(math.degrees(math.atan2(50, 300)), 1)
    assert line(printed, "[-200.0, -200.0, 0.0]: yaw")[0] == -135.0
    assert line(printed, "solved")[:2] == [3, 3] and line(printed, "solved")[2] < 1e-6
    angles = line(printed, "angle to the goal after 0, 1, 2, 4 s:")
    assert angles[0] > 5.0 and angles[-1] < 0.01


def test_train_a_network(capsys: pytest.CaptureFixture[str]) -> None:
    names, printed = run(8, capsys)
    assert line(printed, "trained") == [400]
    assert line(printed, "improved")[0] >= 4
    assert line(printed, "finished by inverse kinematics:") == [500, 500]
    reached = names["robot"].forward_kinematics(names["result"].q)
    assert float((reached - names["targets"])[:, :3, 3].norm(dim=-1).max()) <= 1e-6


def test_two_hands(capsys: pytest.CaptureFixture[str]) -> None:
    names, printed = run(9, capsys)
    assert line(printed, "carried:")[:2] == [3, 3] and line(printed, "carried:")[2] <= 2e-6
    assert line(printed, "in comfort:")[:2] == [3, 3] and line(printed, "in comfort:")[2] >= 0.2
    assert line(printed, "rod held: True mass at") == pytest.approx([0.25, 0.0], abs=1e-4)
    robot, held = names["robot"], names["held"]
    left, right = robot.forward_kinematics(held.q, links=["left_6", "right_6"])
    assert float((left - right)[:3, 3].norm()) == pytest.approx(0.45, abs=1e-6)
    assert float(left[0, 0]) >= math.cos(0.349)  # how far the x axis points forward
    for pose, box in zip(names["T"][:, 0], names["box"], strict=True):
        assert float((pose - box)[:3, 3].norm()) <= 1e-6


def test_follow_a_path(capsys: pytest.CaptureFixture[str]) -> None:
    names, printed = run(10, capsys)
    robot, T, path = names["robot"], names["T"], names["path"]
    count, away = line(printed, "solutions:")[:2]
    assert count == int(names["found"].count) and count > 8 and away < 1e-5
    assert "without a jump: True" in printed and line(printed, "without a jump: True largest step")[0] < 0.05
    assert "ends where it began: True" in printed and line(printed, "off by at most")[0] <= 1e-6
    away = (robot.forward_kinematics(path.q) - T)[:, :3, 3].norm(dim=-1)  # of a circle, by hand
    center = T[0, :3, 3] - torch.tensor([0.1, 0.0, 0.0], dtype=torch.float64)
    radius = (robot.forward_kinematics(path.q)[:, :3, 3] - center).norm(dim=-1)
    assert float(away.max()) <= 1e-6 and float((radius - 0.1).abs().max()) <= 1e-6
    behind, speed = line(printed, "servo: behind by at most")
    assert 0.0 < behind < 20.0 and 0.0 < speed <= 1.0
    slowed, ticks, late = line(printed, "five times as fast: slowed in")
    assert ticks == 41 and 0 < slowed <= 41 and late > behind
