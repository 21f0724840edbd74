"""Stub files are Python, in the student's language, and are never written over."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from diffkin.course import lesson_exercises, stub_file
from diffkin.course.__main__ import main
from diffkin.course.contain import forbidden_imports
from diffkin.errors import UnknownNameError


@pytest.mark.parametrize("language", ["en", "zh"])
def test_stub_file_has_every_function_with_its_task(language: str) -> None:
    text = stub_file(1, language)
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    for node, exercise in zip(functions, lesson_exercises(1), strict=True):
        assert f"{node.name}({ast.unparse(node.args)})" == exercise.signature
        assert exercise.task.of(language).split("\n")[0] in ast.get_docstring(node)
    assert forbidden_imports(text) == []


def test_command_writes_a_file_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "1", "--language", "zh", "--folder", str(tmp_path / "li")]) == 0
    path = tmp_path / "li" / "lesson_01.py"
    assert path.read_text(encoding="utf-8") == stub_file(1, "zh")
    path.write_text("mine", encoding="utf-8")
    assert main(["new", "1", "--folder", str(tmp_path / "li")]) == 1
    assert "exists already" in capsys.readouterr().err
    assert path.read_text(encoding="utf-8") == "mine"


def test_unknown_lesson(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnknownNameError):
        stub_file(99)
    assert main(["new", "99"]) == 1
    assert "99" in capsys.readouterr().err
