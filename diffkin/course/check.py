"""``check``: the verdict on one answer, at once, in the student's own Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from diffkin._given import seed_of
from diffkin.course.catalogue import find_exercise
from diffkin.course.exercise import check_language
from diffkin.course.hints import REASONS
from diffkin.course.judge import Verdict, judge, verdict_of
from diffkin.course.observe import observe

__all__ = ["check"]


def check(number: str, answer: Callable[..., Any], seed: int = 0, language: str = "en") -> Verdict:
    """Say whether an answer is right, what was expected in shape and kind, and what to think about if it is not.

    Args:
        number: Of the exercise: "1.2".
        answer: The function that answers it, with the signature of the exercise. It may use torch and numpy.
        seed: Chooses the inputs; every student can have their own.
        language: "en" or "zh".

    Returns:
        The verdict, printed already: ``.right`` (bool) and ``.hint`` (str, empty if right).

    Raises:
        diffkin.errors.UnknownNameError: There is no such exercise or language.
        diffkin.errors.OptionError: The number is not of the form "1.2", or the seed none.
    """
    check_language(language)
    exercise = find_exercise(number)
    if not callable(answer):
        verdict = verdict_of(exercise, "not callable", REASONS["not callable"], language)
    else:
        cases = list(exercise.inputs(seed_of(seed)))
        verdict = judge(exercise, cases, [observe(answer, case, exercise.gradient) for case in cases], language)
    print(verdict)
    return verdict
