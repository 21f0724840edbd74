"""Which exercises there are: one module a lesson, loaded when one of its exercises is asked for."""

from __future__ import annotations

import importlib
import pkgutil

from diffkin.course import lessons
from diffkin.course.exercise import Exercise
from diffkin.errors import OptionError, closest

__all__ = ["find_exercise", "lesson_exercises", "lesson_numbers"]


def lesson_numbers() -> list[int]:
    """Numbers of the lessons that have exercises."""
    names = [module.name for module in pkgutil.iter_modules(lessons.__path__)]
    return sorted(int(name.removeprefix("lesson_")) for name in names if name.startswith("lesson_"))


def lesson_exercises(lesson: int) -> tuple[Exercise, ...]:
    """The exercises of a lesson in their order.

    Args:
        lesson: Its number.

    Returns:
        One or more exercises.

    Raises:
        diffkin.errors.UnknownNameError: There is no such lesson.
    """
    if lesson not in lesson_numbers():
        raise closest(lesson, [str(number) for number in lesson_numbers()], "lesson")
    exercises: tuple[Exercise, ...] = importlib.import_module(f"diffkin.course.lessons.lesson_{lesson:02d}").EXERCISES
    return exercises


def find_exercise(number: str) -> Exercise:
    """The exercise of a number.

    Args:
        number: "lesson.exercise", as "1.2".

    Returns:
        The exercise.

    Raises:
        diffkin.errors.OptionError: The number is not of that form.
        diffkin.errors.UnknownNameError: There is no exercise of that number.
    """
    lesson, point, _ = str(number).partition(".")
    if not isinstance(number, str) or not point or not lesson.isdigit():
        raise OptionError(f'An exercise is named by a string "lesson.exercise", as "1.2"; got {number!r}.')
    exercises = {exercise.number: exercise for exercise in lesson_exercises(int(lesson))}
    if number not in exercises:
        raise closest(number, exercises, "exercise")
    return exercises[number]
