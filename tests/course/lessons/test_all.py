"""What holds for the exercises of every lesson."""

from __future__ import annotations

import ast

import pytest
import torch

from diffkin.course import Exercise, find_exercise, lesson_exercises, lesson_numbers, stub_file
from diffkin.course.contain import forbidden_imports
from diffkin.course.exercise import as_tensor, close
from diffkin.course.hints import REASONS
from diffkin.course.judge import right_observations
from diffkin.course.wire import decode, encode
from tests.course.answers import SOLUTIONS, solutions, verdict

EXERCISES = [exercise for lesson in lesson_numbers() for exercise in lesson_exercises(lesson)]
by_number = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.number)


def answer(exercise: Exercise):
    return getattr(solutions(int(exercise.number.split(".")[0])), exercise.function)


@by_number
@pytest.mark.parametrize("seed", [0, 1, 20231234])
def test_solution_is_right(exercise: Exercise, seed: int) -> None:
    found = verdict(exercise.number, answer(exercise), seed)
    assert found.right, found.text
    assert found.hint == "" and found.reason == "right"


@by_number
def test_stub_is_not_answered(exercise: Exercise) -> None:
    names: dict = {}
    dtype = torch.get_default_dtype()
    try:
        exec(stub_file(int(exercise.number.split(".")[0]), "zh"), names)
    finally:
        torch.set_default_dtype(dtype)
    found = verdict(exercise.number, names[exercise.function])
    assert not found.right and found.reason == "not answered"


@by_number
def test_sample_is_fixed_and_the_other_inputs_vary_by_seed(exercise: Exercise) -> None:
    a, b = ([one.value for one in right_observations(exercise, exercise.inputs(seed))] for seed in (0, 1))
    assert len(a) == len(b) >= 3
    assert close(a[0], b[0])
    assert sum(not close(x, y) for x, y in zip(a[1:], b[1:])) >= 2


@by_number
def test_inputs_reach_the_process_of_a_submission(exercise: Exercise) -> None:
    cases = list(exercise.inputs(5))
    arrived = [decode(encode(case), functions=True) for case in cases]
    here = right_observations(exercise, cases)
    there = right_observations(exercise, arrived)
    assert all(close(a.value, b.value, 1e-12) for a, b in zip(here, there))


@by_number
def test_text_never_says_the_answer(exercise: Exercise) -> None:
    right = as_tensor(right_observations(exercise, exercise.inputs(0))[1].value)
    for wrong in (lambda *_: 0.0, lambda *_: None):
        text = verdict(exercise.number, wrong).text
        assert not any(
            f"{float(number):.4g}" in text for number in right.flatten() if abs(number - round(float(number))) > 0.01
        )


@pytest.mark.parametrize("lesson", lesson_numbers())
def test_lesson_is_in_order(lesson: int) -> None:
    exercises = lesson_exercises(lesson)
    assert [exercise.number for exercise in exercises] == [f"{lesson}.{k + 1}" for k in range(len(exercises))]
    assert 3 <= len(exercises) <= 6
    assert len({exercise.function for exercise in exercises}) == len(exercises)
    for exercise in exercises:
        assert find_exercise(exercise.number) is exercise
        names = [mistake.name for mistake in exercise.mistakes]
        assert len(set(names)) == len(names) and not set(names) & set(REASONS)
        assert isinstance(ast.parse(f"def {exercise.signature}: ...").body[0], ast.FunctionDef)


@pytest.mark.parametrize("lesson", lesson_numbers())
def test_solutions_use_torch_and_numpy_alone(lesson: int) -> None:
    assert forbidden_imports((SOLUTIONS / f"lesson_{lesson:02d}.py").read_text(encoding="utf-8")) == []
