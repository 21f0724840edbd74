"""Files to write answers into: a lesson's functions with fixed first lines, their task as docstring."""

from __future__ import annotations

import textwrap

from diffkin.course.catalogue import lesson_exercises
from diffkin.course.exercise import Exercise, Text, check_language

__all__ = ["stub", "stub_file"]

_HEAD = Text(
    '"""Lesson {lesson}: answers. Use torch, numpy and math alone; keep names and arguments as they are.\n\n'
    "Try one in a Python that has diffkin:\n\n"
    "    import diffkin as dk, lesson_{lesson:02d} as mine\n"
    '    dk.course.check("{number}", mine.{function})\n"""',
    '"""第 {lesson} 课：答案。只能使用 torch、numpy 和 math；函数名和参数请保持不变。\n\n'
    "在装有 diffkin 的 Python 里检查一题：\n\n"
    "    import diffkin as dk, lesson_{lesson:02d} as mine\n"
    '    dk.course.check("{number}", mine.{function}, language="zh")\n"""',
)


def stub(exercise: Exercise, language: str = "en") -> str:
    """The function of one exercise, still to be written."""
    text = f"{exercise.number} {exercise.title.of(language)}\n\n{exercise.task.of(language)}"
    body = textwrap.indent(f'"""{text}\n"""\nraise NotImplementedError', "    ", lambda line: bool(line.strip()))
    return f"def {exercise.signature}:\n{body}\n"


def stub_file(lesson: int, language: str = "en") -> str:
    """The file of one lesson's answers, all still to be written.

    Args:
        lesson: Number of the lesson.
        language: "en" or "zh".

    Returns:
        Python source, to be saved as ``lesson_NN.py``.

    Raises:
        diffkin.errors.UnknownNameError: There is no such lesson or language.
    """
    check_language(language)
    exercises = lesson_exercises(lesson)
    first = exercises[0]
    head = _HEAD.of(language).format(lesson=lesson, number=first.number, function=first.function)
    imports = "import math\n\nimport numpy as np\nimport torch\n\ntorch.set_default_dtype(torch.float64)"
    return "\n\n".join([head, imports, *("\n" + stub(exercise, language).rstrip() for exercise in exercises)]) + "\n"
