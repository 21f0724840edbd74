"""``check`` prints its verdict, in either language, and nothing that a student gives makes it fail."""

from __future__ import annotations

import pytest

import diffkin as dk
from diffkin.errors import UnknownNameError
from tests.course.answers import solutions

RIGHT = solutions(1).gradient


def test_right_answer(capsys: pytest.CaptureFixture[str]) -> None:
    verdict = dk.course.check("1.1", RIGHT, seed=5)
    assert verdict.right and verdict.hint == ""
    assert capsys.readouterr().out == "1.1 right: The gradient of one number\n"
    assert dk.course.check("1.1", RIGHT, language="zh").right
    assert capsys.readouterr().out == "1.1 正确：标量函数的梯度\n"


def test_wrong_answer(capsys: pytest.CaptureFixture[str]) -> None:
    verdict = dk.course.check("1.1", lambda f, x: -RIGHT(f, x), language="zh")
    assert not verdict.right and "符号" in verdict.hint
    assert verdict.hint in capsys.readouterr().out


def test_what_is_no_function_gets_a_hint() -> None:
    for wrong in (None, 3.0, "gradient"):
        verdict = dk.course.check("1.1", wrong)
        assert not verdict.right and verdict.reason == "not callable"


def test_mistakes_of_the_caller_are_errors() -> None:
    with pytest.raises(UnknownNameError):
        dk.course.check("1.1", RIGHT, language="fr")
    with pytest.raises(UnknownNameError):
        dk.course.check("1.77", RIGHT)


def test_notebook_does_not_show_it_twice() -> None:
    verdict = dk.course.check("1.1", RIGHT)
    assert verdict._ipython_display_() is None
