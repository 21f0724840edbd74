"""Mark a folder of submissions: students by exercises, as a table and as CSV."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from diffkin.course.catalogue import lesson_exercises, lesson_numbers
from diffkin.course.contain import Failure, Limits, run_submission
from diffkin.course.exercise import Text, check_language
from diffkin.course.hints import REASONS
from diffkin.course.judge import Verdict, judge, verdict_of
from diffkin.course.observe import Observation
from diffkin.errors import ModelFileError, OptionError

__all__ = ["Grade", "Submission", "find_submissions", "grade_folder", "grade_table", "write_csv"]

Results = Mapping[str, "list[Observation] | Failure"]

_FILE = re.compile(r"lesson_(\d\d)\.py")


@dataclass(frozen=True)
class Submission:
    """One file of one student: ``STUDENT/lesson_NN.py``."""

    student: str
    lesson: int
    path: Path


@dataclass(frozen=True)
class Grade:
    """The verdict on one answer of one student."""

    student: str
    verdict: Verdict


def find_submissions(folder: str | os.PathLike[str]) -> list[Submission]:
    """The submissions in a folder: one folder a student, in it (at any depth) files ``lesson_NN.py``.

    Args:
        folder: Its path. Links are not followed.

    Returns:
        By student and lesson; a lesson that a student has twice is taken from the shortest path.

    Raises:
        diffkin.errors.OptionError: There is no such folder, or no submission in it.
    """
    root = Path(folder)
    if not root.is_dir():
        raise OptionError(f"There is no folder {str(folder)!r}. Give the folder that holds one folder a student.")
    found: dict[tuple[str, int], Path] = {}
    for path in sorted(root.rglob("lesson_*.py"), key=lambda path: (len(path.parts), path)):
        inside = path.relative_to(root)
        links = any((root / part).is_symlink() for part in [inside, *inside.parents])
        if (match := _FILE.fullmatch(path.name)) and len(inside.parts) > 1 and path.is_file() and not links:
            found.setdefault((inside.parts[0], int(match[1])), path)
    known = [Submission(student, lesson, path) for (student, lesson), path in sorted(found.items())]
    known = [each for each in known if each.lesson in lesson_numbers()]
    if not known:
        raise OptionError(
            f"No submissions in {str(folder)!r}. Expected files like {root / 'student' / 'lesson_01.py'}."
        )
    return known


def grade_folder(
    folder: str | os.PathLike[str],
    seed: int = 0,
    language: str = "en",
    limits: Limits | None = None,
    jobs: int = 1,
    report: Callable[[Submission], None] = lambda submission: None,
) -> list[Grade]:
    """Mark all submissions in a folder, each in a process of its own.

    Args:
        folder: It holds one folder a student, each with files ``lesson_NN.py``.
        seed: Chooses the inputs; take one that no student knows.
        language: Of the hints: "en" or "zh".
        limits: Time and memory of each submission.
        jobs: How many submissions run at a time.
        report: Told of each submission that is done.

    Returns:
        One grade for each exercise of each lesson that a student handed in.

    Raises:
        diffkin.errors.OptionError: There is no such folder, or no submission in it.
    """
    check_language(language)

    def one(submission: Submission) -> Results:
        results = _run(submission, seed, limits)
        report(submission)
        return results

    submissions = find_submissions(folder)
    with ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(one, submissions))
    # judged one after the other: torch's forward mode is not for several threads
    return [
        Grade(submission.student, verdict)
        for submission, result in zip(submissions, results)
        for verdict in _verdicts(submission, result, seed, language)
    ]


def _run(submission: Submission, seed: int, limits: Limits | None) -> Results:
    exercises = lesson_exercises(submission.lesson)
    cases = {exercise.number: list(exercise.inputs(seed)) for exercise in exercises}
    try:
        source = submission.path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return dict.fromkeys(cases, Failure("not read", type(error).__name__))
    return run_submission(source, exercises, cases, limits)


def _verdicts(submission: Submission, results: Results, seed: int, language: str) -> list[Verdict]:
    verdicts = []
    for exercise in lesson_exercises(submission.lesson):
        result = results[exercise.number]
        if isinstance(result, Failure):
            hint = Text(*(text.replace("{message}", result.message) for text in REASONS[result.reason]))
            verdicts.append(verdict_of(exercise, result.reason, hint, language))
        else:
            verdicts.append(judge(exercise, list(exercise.inputs(seed)), result, language))
    return verdicts


def grade_table(grades: Sequence[Grade]) -> str:
    """Students by exercises as text: "+" right, the reason where not, and how many are right.

    Args:
        grades: As from ``grade_folder``.

    Returns:
        Lines of equal columns.
    """
    numbers = sorted({grade.verdict.number for grade in grades}, key=_order)
    rows = [["student", *numbers, "right"]]
    for student in dict.fromkeys(grade.student for grade in grades):
        own = {grade.verdict.number: grade.verdict for grade in grades if grade.student == student}
        cells = ["+" if own[n].right else own[n].reason for n in numbers if n in own]
        marks = iter(cells)
        line = [next(marks) if number in own else "" for number in numbers]
        rows.append([student, *line, f"{sum(verdict.right for verdict in own.values())}/{len(numbers)}"])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def write_csv(grades: Sequence[Grade], path: str | os.PathLike[str]) -> None:
    """Write a line for each grade: student, exercise, right (1 or 0), reason, hint.

    Args:
        grades: As from ``grade_folder``.
        path: File to write, in UTF-8 with the mark that Excel wants.

    Raises:
        diffkin.errors.ModelFileError: The file cannot be written.
    """
    try:
        with open(path, "w", encoding="utf-8-sig", newline="") as file:
            lines = csv.writer(file)
            lines.writerow(["student", "exercise", "right", "reason", "hint"])
            for grade in grades:
                verdict = grade.verdict
                row = [grade.student, verdict.number, int(verdict.right), verdict.reason, verdict.hint]
                lines.writerow([f"'{cell}" if str(cell).startswith(("=", "+", "-", "@")) else cell for cell in row])
    except OSError as error:
        raise ModelFileError(f"Cannot write {os.fspath(path)!r}: {error.strerror}.") from error


def _order(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in number.split("."))
