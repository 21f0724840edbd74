"""The first lesson gives the numbers of the classic one, and raises the usual errors on purpose."""

from __future__ import annotations

from tests.notebooks.running import run_lesson


def test_numbers_of_the_classic_lesson() -> None:
    names = run_lesson(1).names
    assert names["m"].grad.tolist() == [4.0, 27.0]
    assert (names["first"], names["second"]) == (8.0, 16.0)
    assert names["J"].tolist() == [[4.0, 3.0], [2.0, 6.0]]
    assert names["wrong"].tolist() == [[4.0, 3.0], [6.0, 9.0]]  # forgotten to empty x.grad
    assert abs(names["W"].grad - names["by_hand"]).max() < 1e-15
    assert "19.0 8.0" in run_lesson(1).printed


def test_usual_errors_are_raised_shown_and_survived() -> None:
    names = run_lesson(1).names
    assert "only for scalar outputs" in names["no_seed"]
    assert "a second time" in names["freed"]


def test_every_exercise_is_asked_and_unanswered() -> None:
    printed = run_lesson(1).printed
    for number in ("1.1", "1.2", "1.3", "1.4", "1.5"):
        assert f"{number} not yet" in printed
    assert run_lesson(1).figures == 2
