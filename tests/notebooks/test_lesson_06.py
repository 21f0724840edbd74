"""The sixth lesson: the hand drifts as the Hessian says, limits bind inside the solver, and a pose has eight kinds of solutions."""

from __future__ import annotations

import torch

from tests.notebooks.running import run_lesson


def test_null_space_holds_the_hand_at_first_order_only() -> None:
    names = run_lesson(6).names
    assert (names["robot"].jacobian(names["q_start"]) @ names["n"]).norm() < 1e-12
    assert names["drift"][-1] > 0.01
    (_, first, rest), (_, half, half_rest) = names["predictions"][0], names["predictions"][1]
    assert 3.8 < first / half < 4.2 and 7 < rest / half_rest < 9


def test_self_motion_keeps_the_hand_and_ends_at_a_limit() -> None:
    names = run_lesson(6).names
    path = names["self_motion"]
    assert names["error_of"](path).norm(dim=-1).max() < 1e-9
    assert ((path >= names["lower"]) & (path <= names["upper"])).all()
    assert 30 < len(path) < 121
    assert path[:, 3].std() < 1e-9
    elbow = names["elbow"]
    shoulder = torch.tensor([0.0, 0.0, 0.36], dtype=torch.float64)
    assert (elbow - shoulder).norm(dim=-1).std() < 1e-9


def test_wish_of_the_joints_is_fulfilled() -> None:
    names = run_lesson(6).names
    assert (names["by_autograd"] - names["by_formula"]).abs().max() < 1e-12
    assert names["nimble"][-1] > names["nimble"][0] + 0.005
    assert names["error_of"](names["q"]).norm() < 1e-9


def test_clamping_misses_and_solving_within_limits_does_not() -> None:
    names = run_lesson(6).names
    assert names["outside"].sum() > 40
    assert names["missed"].median() > 0.02
    assert names["within"].success.all()


def test_pose_has_eight_kinds_of_solutions_and_no_mean() -> None:
    names = run_lesson(6).names
    assert len(names["kind"].unique()) == 8
    assert len(names["solutions"]) > 250
    assert names["error_of"](names["solutions"]).norm(dim=-1).max() < 3e-6
    assert names["mean_miss"] > 0.1


def test_every_exercise_is_asked_and_unanswered() -> None:
    assert all(f"6.{k} not yet" in run_lesson(6).printed for k in range(1, 6))
    assert run_lesson(6).figures == 1
