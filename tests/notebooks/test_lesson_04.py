"""The fourth lesson: the file gives the arm that PyBullet has, and only one of four Jacobians says how the hand moves."""

from __future__ import annotations

import torch

from tests.notebooks.running import run_lesson


def test_file_gives_the_arm() -> None:
    names = run_lesson(4).names
    assert len(names["origins"]) == 7
    assert names["ours_difference"] < 1e-12
    assert names["apart"] < 1e-6 and names["angle_apart"] < 1e-6  # single precision
    assert names["distance"] < 1e-11 and names["angle"] < 1e-7 and names["jacobian_difference"] < 1e-11


def test_centre_of_mass_raises_a_false_alarm() -> None:
    alarm = run_lesson(4).names["alarm"]
    assert 0.10 < alarm.max() < 0.14
    assert (alarm > 0.01).sum() == 6


def test_jacobians_agree_and_only_one_tells_the_motion() -> None:
    names = run_lesson(4).names
    robot, q, J = names["robot"], names["q"], names["J"]
    assert torch.allclose(J, robot.jacobian(q), atol=1e-12, rtol=0)
    assert torch.allclose(J.new_tensor([*names["linear"], *names["angular"]]), J, atol=1e-9, rtol=0)
    assert torch.allclose(names["by_seeds"], J[:3], atol=1e-12, rtol=0)
    assert names["local_difference"] < 1e-12
    misses = list(names["misses"].values())
    assert misses[0] < 1e-5 and min(misses[1:]) > 0.05


def test_every_exercise_is_asked_and_unanswered() -> None:
    assert all(f"4.{k} not yet" in run_lesson(4).printed for k in range(1, 6))
    assert run_lesson(4).figures == 1
