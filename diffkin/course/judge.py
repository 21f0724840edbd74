"""From what an answer did to a verdict: pure functions of observations, with no answer ever in the text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from diffkin.course.exercise import Exercise, Text, as_tensor, close
from diffkin.course.hints import ERROR_HINTS, LABELS, REASONS
from diffkin.course.observe import Observation, observe
from diffkin.course.wire import Unknown

__all__ = ["Verdict", "judge", "right_observations", "verdict_of"]


@dataclass(frozen=True)
class Verdict:
    """What is said about one answer.

    Attributes:
        number: Of the exercise.
        right: Whether the answer is right for every input.
        hint: What to think about; empty if right.
        reason: Short name of what was seen: "right", a key of ``REASONS``, or the name of one of the exercise's mistakes.
        text: All that is printed.
    """

    number: str
    right: bool
    hint: str
    reason: str
    text: str

    def __str__(self) -> str:
        return self.text

    def _ipython_display_(self) -> None:
        """Nothing: ``check`` has printed it already."""


def right_observations(exercise: Exercise, cases: Sequence[tuple[Any, ...]]) -> list[Observation]:
    """What a right answer does for these inputs; errors of the reference are raised."""
    seen = [observe(exercise.reference, case, exercise.gradient) for case in cases]
    for one in seen:
        if one.error:
            raise RuntimeError(f"The reference of exercise {exercise.number} fails: {one.error}: {one.message}")
    return seen


def judge(
    exercise: Exercise, cases: Sequence[tuple[Any, ...]], seen: Sequence[Observation], language: str = "en"
) -> Verdict:
    """Judge what an answer did.

    Args:
        exercise: The exercise.
        cases: The inputs, the lesson's sample first.
        seen: What the answer did with each of them.
        language: "en" or "zh".

    Returns:
        The verdict.
    """
    wanted = right_observations(exercise, cases)
    reason, hint = _reason(exercise, cases, seen, wanted)
    at = next((k for k, (s, w) in enumerate(zip(seen, wanted)) if not _agrees(exercise, cases[k], s, w)), 0)
    expected = _kind(wanted[at].value, language)
    if exercise.gradient:
        expected += LABELS["with_gradient"].of(language)
    given = _kind(seen[at].value, language) if not seen[at].error else ""
    return verdict_of(exercise, reason, hint, language, expected, given)


def verdict_of(
    exercise: Exercise, reason: str, hint: Text | None, language: str = "en", expected: str = "", given: str = ""
) -> Verdict:
    """The verdict for a reason, put into words."""
    right = reason == "right"
    colon = "：" if language == "zh" else ": "
    head = f"{exercise.number} {LABELS['right' if right else 'wrong'].of(language)}{colon}{exercise.title.of(language)}"
    said = "" if right or hint is None else hint.of(language)
    lines = [("expected", expected), ("given", given), ("hint", said)]
    rest = [] if right else [f"  {LABELS[name].of(language)}{colon}{line}" for name, line in lines if line]
    return Verdict(exercise.number, right, said, reason, "\n".join([head, *rest]))


def _reason(
    exercise: Exercise,
    cases: Sequence[tuple[Any, ...]],
    seen: Sequence[Observation],
    wanted: Sequence[Observation],
) -> tuple[str, Text | None]:
    """The first thing that is wrong, the most telling first, and what to say about it."""
    agrees = [_agrees(exercise, case, s, w) for case, s, w in zip(cases, seen, wanted)]
    for one in seen:
        if one.error:
            if agrees[0] and one.error not in ("NotImplementedError", "MemoryError", "PermissionError"):
                return "sample only", REASONS["sample only"]
            return _error(one)
    if not all(agrees):
        return _wrong(exercise, cases, seen, wanted, agrees)
    if not all(close(one.value, one.again, exercise.tolerance) for one in seen) and exercise.accept is None:
        return "accumulated", REASONS["accumulated"]
    if any(one.touched for one in seen):
        return "changed input", REASONS["changed input"]
    if exercise.gradient:
        for one, right in zip(seen, wanted):
            if not one.attached or one.gradients is None:
                return "detached", REASONS["detached"]
            if not all(bool(torch.isfinite(g).all()) for g in one.gradients):
                return "gradient not finite", REASONS["gradient not finite"]
            if not all(close(g, r, 100 * exercise.tolerance) for g, r in zip(one.gradients, right.gradients)):
                return "gradient", REASONS["gradient"]
    return "right", None


def _error(one: Observation) -> tuple[str, Text]:
    if one.error == "NotImplementedError":
        return "not answered", REASONS["not answered"]
    if one.error == "MemoryError" or "not enough memory" in one.message or "can't allocate memory" in one.message:
        return "memory", REASONS["memory"]
    if one.error == "PermissionError":
        return "fenced", _filled(REASONS["fenced"], message=one.message)
    what = _filled(REASONS["raised"], error=one.error, message=one.message.strip().split("\n")[0][:120])
    for words, meaning in ERROR_HINTS:
        if words in one.message:
            return "raised", Text(f"{meaning.en} ({what.en})", f"{meaning.zh}（{what.zh}）")
    return "raised", what


def _wrong(
    exercise: Exercise,
    cases: Sequence[tuple[Any, ...]],
    seen: Sequence[Observation],
    wanted: Sequence[Observation],
    agrees: Sequence[bool],
) -> tuple[str, Text]:
    values, rights = [one.value for one in seen], [one.value for one in wanted]
    if any(value is None for value in values):
        return "nothing", REASONS["nothing"]
    tensors, right_tensors = [as_tensor(value) for value in values], [as_tensor(right) for right in rights]
    if any(t is None for t, r in zip(tensors, right_tensors) if r is not None):
        return "kind", REASONS["kind"]
    if _is_constant(values) and not _is_constant(rights):
        return "constant", REASONS["constant"]
    for mistake in exercise.mistakes:
        if all(mistake.seen(value, right, *case) for value, right, case in zip(values, rights, cases)):
            return mistake.name, mistake.hint
    found = [(t, r) for t, r in zip(tensors, right_tensors) if t is not None and r is not None]
    reason = _numbers(found, exercise.tolerance, not all(close(one.value, one.again) for one in seen))
    if reason is None and agrees[0]:
        reason = "sample only"
    return (reason, REASONS[reason]) if reason else ("value", exercise.hint)


def _numbers(found: Sequence[tuple[torch.Tensor, torch.Tensor]], tolerance: float, changes: bool) -> str | None:
    """What can be told from the numbers alone: (given, right) for each input."""

    def all_like(wrong: Callable[[torch.Tensor], torch.Tensor], slack: float = 1.0) -> bool:
        return bool(found) and all(close(given, wrong(right), slack * tolerance) for given, right in found)

    if not found:
        return None
    if all_like(lambda right: right.T if right.ndim == 2 else right):
        return "transposed" if any(right.ndim == 2 for _, right in found) else "dtype"
    if any(given.shape != right.shape for given, right in found):
        return "shape"
    if any(not bool(torch.isfinite(given).all()) for given, right in found if bool(torch.isfinite(right).all())):
        return "not finite"
    if changes:
        return "accumulated"
    if any(given.dtype != right.dtype for given, right in found):
        return "dtype"
    if all_like(lambda right: -right):
        return "sign"
    if all_like(torch.rad2deg) or all_like(torch.deg2rad):
        return "degrees"
    if all_like(lambda right: right, slack=1e4):
        return "precision"
    given, right = found[0]
    largest = int(right.abs().argmax()) if right.numel() else 0
    ratio = float(given.flatten()[largest] / right.flatten()[largest]) if right.numel() else math.nan
    if math.isfinite(ratio) and len(found) > 1 and all_like(lambda right: ratio * right):
        return "factor"
    return None


def _agrees(exercise: Exercise, case: tuple[Any, ...], seen: Observation, wanted: Observation) -> bool:
    """Whether shape, kind of numbers and value are right for one input."""
    if seen.error or seen.value is None:
        return False
    given, right = as_tensor(seen.value), as_tensor(wanted.value)
    if given is not None and right is not None:
        whole = not (given.is_floating_point() or right.is_floating_point())
        if given.shape != right.shape or (given.dtype != right.dtype and not whole):
            return False
        if not bool(torch.isfinite(given).all()):
            return False
    elif (given is None) != (right is None):
        return False
    if exercise.accept is not None:
        return bool(exercise.accept(seen.value if given is None else given, wanted.value, *case))
    return close(seen.value, wanted.value, exercise.tolerance)


def _is_constant(values: Sequence[Any]) -> bool:
    return len(values) > 1 and all(close(value, values[0], 1e-12) for value in values[1:])


def _kind(value: Any, language: str) -> str:
    """Shape and kind of a value in words, without any of its numbers."""
    if value is None:
        return LABELS["nothing"].of(language)
    tensor = as_tensor(value)
    if tensor is None:
        return value.name if isinstance(value, Unknown) else type(value).__name__
    dtype = str(tensor.dtype).removeprefix("torch.")
    if tensor.ndim == 0:
        return LABELS["number"].of(language).format(dtype=dtype)
    return LABELS["tensor"].of(language).format(shape=tuple(tensor.shape), dtype=dtype)


def _filled(text: Text, **fields: str) -> Text:
    return Text(text.en.format(**fields), text.zh.format(**fields))
