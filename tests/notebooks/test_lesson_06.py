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


def test_six_joints_have_so_many_solutions_and_whole_turns_of_them() -> None:
    names = run_lesson(6).names
    six, q, every, branches = (names[name] for name in ("six", "q_six", "every", "branches"))
    poses = six.forward_kinematics(every)
    torch.testing.assert_close(poses, six.forward_kinematics(q).expand_as(poses), rtol=0.0, atol=1e-5)
    assert ((every >= six.lower) & (every <= six.upper)).all()
    away = (every - q).norm(dim=-1)
    assert away[0] < 1e-5 and (away.diff() >= -1e-9).all()
    assert 2 <= len(branches) <= 16 < len(every) < 500
    looks = torch.cat((every.cos(), every.sin()), dim=-1)
    assert len((torch.cdist(looks, looks) < 1e-2).unique(dim=0)) == len(branches)


def test_every_exercise_is_asked_and_unanswered() -> None:
    assert all(f"6.{k} not yet" in run_lesson(6).printed for k in range(1, 7))
    assert run_lesson(6).figures == 1
