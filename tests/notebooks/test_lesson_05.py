"""The fifth lesson: a bold rate fails, Gauss-Newton jumps, and the damped solver with restarts wins the race."""

from __future__ import annotations

import torch

from tests.notebooks.running import run_lesson


def test_too_large_a_rate_never_arrives() -> None:
    names = run_lesson(5).names
    assert names["bold"][-1].median() > 1
    assert names["careful"][-1].median() < 0.1
    stable = (2 / names["values"][:, 0]).median()
    assert 0.5 < stable < 1


def test_gauss_newton_doubles_digits_and_jumps() -> None:
    names = run_lesson(5).names
    assert names["wild"].abs().max() > 100 > 1 > names["tame"].abs().max()
    errors = names["errors"][:, names["best"]]
    fast = [k for k in range(1, 12) if 1e-6 < errors[k] < 1e-2]
    assert fast and all(errors[k + 1] < 5 * errors[k] ** 1.5 for k in fast)


def test_race_is_won_by_damping_and_counted_honestly() -> None:
    names = run_lesson(5).names
    table = names["table"]
    solved = {name: row[1] for name, row in table.items()}
    assert solved["levenberg_marquardt"] >= 48 and solved["dk.solve_ik"] == 50
    assert solved["gradient_descent"] < solved["gauss_newton"] < solved["levenberg_marquardt"]
    iterations = {name: row[2] for name, row in table.items()}
    assert iterations["dk.solve_ik"] <= iterations["levenberg_marquardt"] < iterations["gauss_newton"]
    assert iterations["adam"] > 10 * iterations["levenberg_marquardt"]
    assert table["levenberg_marquardt"][0] < 50, "one start is not enough"
    assert 0 < names["bullet_first"] < 50
    result = names["ours"]
    e = names["robot"].forward_kinematics(result.q) - names["targets"]
    assert torch.linalg.norm(e[:, :3, 3], dim=-1).max() < 2e-6
    assert ((result.q >= names["lower"]) & (result.q <= names["upper"])).all()


def test_every_exercise_is_asked_and_unanswered() -> None:
    assert all(f"5.{k} not yet" in run_lesson(5).printed for k in range(1, 6))
    assert run_lesson(5).figures == 1
