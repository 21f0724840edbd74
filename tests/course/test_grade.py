"""A folder of submissions becomes a table and a CSV file."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from diffkin.course import Grade, Verdict, grade_folder
from diffkin.course.__main__ import main
from diffkin.course.grade import find_submissions, grade_table, write_csv
from diffkin.errors import ModelFileError, OptionError
from tests.course.answers import SOLUTIONS

SOLUTION = (SOLUTIONS / "lesson_01.py").read_text(encoding="utf-8")


def hand_in(folder: Path, student: str, text: str, name: str = "lesson_01.py") -> Path:
    path = folder / student / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_folder_is_marked_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hand_in(tmp_path, "anna", SOLUTION)
    hand_in(tmp_path, "李雷", SOLUTION.replace("torch.stack(rows)", "torch.stack(rows).T"))
    hand_in(tmp_path, "mallory", "import diffkin\n" + SOLUTION)
    table = tmp_path / "marks.csv"
    assert main(["grade", str(tmp_path), "--csv", str(table), "--seed", "42", "--language", "zh", "--jobs", "2"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split() == ["student", "1.1", "1.2", "1.3", "1.4", "1.5", "right"]
    assert printed[1].split() == ["anna", "+", "+", "+", "+", "+", "5/5"]
    assert printed[2].split() == ["mallory", *["imports"] * 5, "0/5"]
    assert printed[3].split()[:4] == ["李雷", "+", "transposed", "+"] and printed[3].split()[-1] == "3/5"
    assert "--seed 42" in printed[4]
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 15 and sum(int(row["right"]) for row in rows) == 8
    (row,) = [row for row in rows if row["student"] == "李雷" and row["exercise"] == "1.2"]
    assert row["reason"] == "transposed" and "转置" in row["hint"]


def test_submissions_are_found_at_any_depth_and_links_are_not_followed(tmp_path: Path) -> None:
    near = hand_in(tmp_path, "anna", SOLUTION)
    hand_in(tmp_path, "anna", SOLUTION, "old/lesson_01.py")
    deep = hand_in(tmp_path, "bert", SOLUTION, "work/lesson_01.py")
    hand_in(tmp_path, "bert", SOLUTION, "lesson_1.py")
    hand_in(tmp_path, "bert", SOLUTION, "lesson_99.py")
    hand_in(tmp_path, ".", SOLUTION)  # not in a student's folder
    (tmp_path / "carl").mkdir()
    (tmp_path / "carl" / "lesson_01.py").symlink_to(near)
    (tmp_path / "dora").symlink_to(near.parent)
    assert [(each.student, each.lesson, each.path) for each in find_submissions(tmp_path)] == [
        ("anna", 1, near),
        ("bert", 1, deep),
    ]


def test_empty_and_missing_folders_say_what_is_expected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OptionError, match="student/lesson_01.py"):
        grade_folder(tmp_path)
    assert main(["grade", str(tmp_path / "nowhere")]) == 1
    assert "no folder" in capsys.readouterr().err


def test_unreadable_file_is_not_read(tmp_path: Path) -> None:
    hand_in(tmp_path, "anna", "").write_bytes(b"\xff\xfe\x00 no text")
    assert {grade.verdict.reason for grade in grade_folder(tmp_path)} == {"not read"}


def test_table_leaves_gaps_and_csv_runs_no_formula(tmp_path: Path) -> None:
    def grade(student: str, number: str, right: bool) -> Grade:
        return Grade(student, Verdict(number, right, "" if right else "=1+1", "right" if right else "value", ""))

    grades = [grade("a", "1.1", True), grade("a", "10.1", False), grade("=b", "2.1", True)]
    lines = grade_table(grades).splitlines()
    assert lines[0].split() == ["student", "1.1", "2.1", "10.1", "right"]
    assert lines[1].split() == ["a", "+", "value", "1/3"]
    write_csv(grades, tmp_path / "x.csv")
    text = (tmp_path / "x.csv").read_text(encoding="utf-8-sig")
    assert "'=1+1" in text and "\n'=b" in text
    with pytest.raises(ModelFileError, match="Cannot write"):
        write_csv(grades, tmp_path / "no" / "x.csv")
