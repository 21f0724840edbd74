"""What an exercise is: frozen data. Its inputs vary by seed, its reference is computed by diffkin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from diffkin.errors import closest

__all__ = ["LANGUAGES", "Exercise", "Mistake", "Text", "check_language", "like"]

LANGUAGES = ("en", "zh")


class Text(NamedTuple):
    """The same sentence in English and in Chinese."""

    en: str
    zh: str

    def of(self, language: str) -> str:
        """The sentence in "en" or "zh"."""
        return self.zh if language == "zh" else self.en


def check_language(language: str) -> None:
    """Raise ``UnknownNameError`` unless the language is "en" or "zh"."""
    if language not in LANGUAGES:
        raise closest(language, LANGUAGES, "language")


@dataclass(frozen=True)
class Mistake:
    """A usual wrong answer, how it is recognised, and the hint that it gets.

    Attributes:
        name: Short name, for tests and tables: "transposed".
        hint: What to think about. It never says the answer.
        seen: ``seen(value, right, *inputs)`` says whether the answer's value is what this mistake gives; ``right`` is the
            reference's value. It must hold for all inputs. See ``like`` for the usual case.
    """

    name: str
    hint: Text
    seen: Callable[..., bool]


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Attributes:
        number: "lesson.exercise", as "1.2".
        title: What it is about, in a few words.
        task: What the function must do, with shapes and units; becomes the docstring of the stub.
        signature: First line of the function without "def" and colon: "gradient(f, x)".
        inputs: ``inputs(seed)`` gives the argument tuples that the answer is called with, the one shown in the lesson first.
            Arguments are tensors, numbers, strings, and module-level functions that use torch and math alone, with
            ``functools.partial`` where numbers go with them.
        reference: The right answer, computed by diffkin.
        hint: For wrong answers that no mistake fits.
        mistakes: Usual wrong answers, the most special first.
        gradient: Whether gradients must flow from the answer to every floating tensor among its arguments.
        tolerance: Largest difference from the reference, relative to the largest number in it where that is above 1.
        accept: ``accept(value, right, *inputs)`` where more than one value is right; the default compares.
    """

    number: str
    title: Text
    task: Text
    signature: str
    inputs: Callable[[int], Sequence[tuple[Any, ...]]]
    reference: Callable[..., Any]
    hint: Text
    mistakes: tuple[Mistake, ...] = ()
    gradient: bool = False
    tolerance: float = 1e-8
    accept: Callable[..., bool] | None = None

    @property
    def function(self) -> str:
        """Name of the function that answers it."""
        return self.signature.split("(")[0]


def like(wrong: Callable[..., Any], tolerance: float = 1e-8) -> Callable[..., bool]:
    """Recogniser of an answer that gives what ``wrong(right, *inputs)`` gives: ``like(lambda right, *_: right.T)``."""

    def seen(value: Any, right: Any, *inputs: Any) -> bool:
        return close(value, wrong(right, *inputs), tolerance)

    return seen


def as_tensor(value: Any) -> torch.Tensor | None:
    """Numbers, arrays and lists of them as a tensor; None where that cannot be."""
    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, (bool, int, float, np.ndarray, np.generic, list, tuple)):
        try:
            if isinstance(value, (list, tuple)) and any(isinstance(each, torch.Tensor) for each in value):
                return torch.stack([torch.as_tensor(each) for each in value])
            array = np.asarray(value)
            return torch.from_numpy(array.copy()) if array.dtype.kind in "biuf" else None
        except (TypeError, ValueError, RuntimeError):
            return None
    return None


def close(value: Any, wanted: Any, tolerance: float = 1e-8) -> bool:
    """Whether two answers are the same up to a tolerance, relative to the largest number where that is above 1."""
    a, b = as_tensor(value), as_tensor(wanted)
    if a is None or b is None:
        return type(value) is type(wanted) and bool(value == wanted)
    if a.shape != b.shape:
        return False
    a, b = a.detach().double(), b.detach().double()
    scale = max(1.0, float(b.abs().max())) if b.numel() else 1.0
    return bool(((a - b).abs() <= tolerance * scale).all())
