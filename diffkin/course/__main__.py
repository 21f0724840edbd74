"""``python -m diffkin.course``: stub files for students, marks for a folder of submissions."""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path

from diffkin.course.contain import Limits
from diffkin.course.exercise import LANGUAGES
from diffkin.course.grade import Submission, grade_folder, grade_table, write_csv
from diffkin.course.stubs import stub_file
from diffkin.errors import DiffkinError

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and do what it asks for; the exit status is 1 after a mistake of the user."""
    given = _parser().parse_args(arguments)
    try:
        if given.command == "new":
            _new(given)
        else:
            _grade(given)
    except DiffkinError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m diffkin.course", description="Exercises of the course.")
    commands = parser.add_subparsers(dest="command", required=True)
    new = commands.add_parser("new", help="write a file lesson_NN.py with the functions of a lesson, to be filled in")
    new.add_argument("lesson", type=int, help="number of the lesson")
    new.add_argument("--language", choices=LANGUAGES, default="en")
    new.add_argument("--folder", type=Path, default=Path(), help="where to write it (here)")
    grade = commands.add_parser("grade", help="mark a folder that holds one folder a student with files lesson_NN.py")
    grade.add_argument("folder", type=Path)
    grade.add_argument("--csv", type=Path, help="write a line for each answer there too")
    grade.add_argument("--seed", type=int, help="chooses the inputs (a fresh one, printed)")
    grade.add_argument("--language", choices=LANGUAGES, default="en")
    grade.add_argument("--seconds", type=float, default=20.0, help="time for each exercise (20)")
    grade.add_argument("--memory", type=float, default=1.0, help="memory of a submission beside torch in GB (1)")
    grade.add_argument("--jobs", type=int, default=1, help="submissions that run at a time (1)")
    return parser


def _new(given: argparse.Namespace) -> None:
    path = given.folder / f"lesson_{given.lesson:02d}.py"
    text = stub_file(given.lesson, given.language)
    if path.exists():
        raise DiffkinError(f"{path} exists already; it is left as it is. Move it away, or give another --folder.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(path)


def _grade(given: argparse.Namespace) -> None:
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed

    def report(done: Submission) -> None:
        print(f"done: {done.student}, lesson {done.lesson}", file=sys.stderr)

    limits = Limits(given.seconds, int(given.memory * 1e9))
    grades = grade_folder(given.folder, seed, given.language, limits, max(1, given.jobs), report)
    print(grade_table(grades))
    print(f"Inputs of seed {seed}; the same again with --seed {seed}.")
    if given.csv is not None:
        write_csv(grades, given.csv)
        print(f"{given.csv}: {len(grades)} answers.")


if __name__ == "__main__":
    sys.exit(main())
