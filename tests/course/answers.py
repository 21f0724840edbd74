"""What the tests of the course share: reference solutions, and verdicts without print-out."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from diffkin.course import Verdict, find_exercise
from diffkin.course.judge import judge
from diffkin.course.observe import observe

SOLUTIONS = Path(__file__).parent / "solutions"


def solutions(lesson: int) -> ModuleType:
    """The module of a lesson's right answers, written with torch and numpy alone."""
    path = SOLUTIONS / f"lesson_{lesson:02d}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    dtype = torch.get_default_dtype()
    try:
        spec.loader.exec_module(module)
    finally:
        torch.set_default_dtype(dtype)
    return module


def verdict(number: str, answer: Callable[..., Any], seed: int = 0, language: str = "en") -> Verdict:
    """The verdict on an answer, in the default dtype that stub files set."""
    exercise = find_exercise(number)
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        cases = list(exercise.inputs(seed))
        return judge(exercise, cases, [observe(answer, case, exercise.gradient) for case in cases], language)
    finally:
        torch.set_default_dtype(dtype)
