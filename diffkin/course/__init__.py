"""The exercises of the course: ``check`` answers at once, ``python -m diffkin.course grade FOLDER`` marks a class."""

from diffkin.course.catalogue import find_exercise, lesson_exercises, lesson_numbers
from diffkin.course.check import check
from diffkin.course.exercise import Exercise, Mistake, Text, like
from diffkin.course.grade import Grade, grade_folder
from diffkin.course.judge import Verdict
from diffkin.course.stubs import stub_file

__all__ = [
    "Exercise",
    "Grade",
    "Mistake",
    "Text",
    "Verdict",
    "check",
    "find_exercise",
    "grade_folder",
    "lesson_exercises",
    "lesson_numbers",
    "like",
    "stub_file",
]
