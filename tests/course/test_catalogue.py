"""Exercises are found by number; a wrong one says which there are."""

from __future__ import annotations

import pytest

from diffkin.course import find_exercise, lesson_exercises, lesson_numbers
from diffkin.errors import OptionError, UnknownNameError


def test_lessons_are_counted_from_one() -> None:
    numbers = lesson_numbers()
    assert numbers == list(range(1, len(numbers) + 1))


def test_exercise_is_found() -> None:
    assert find_exercise("1.2").function == "jacobian_by_seeds"
    assert find_exercise("1.2") in lesson_exercises(1)


def test_unknown_numbers_name_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="1.5"):
        find_exercise("1.9")
    with pytest.raises(UnknownNameError, match="lesson '?99"):
        find_exercise("99.1")
    for wrong in (1.2, "1", "one.two", "", None):
        with pytest.raises(OptionError, match='"1.2"'):
            find_exercise(wrong)
