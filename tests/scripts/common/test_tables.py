"""Tables show figures short and whole, and say what is not finite."""

import math

import pytest
import torch
from common.tables import cell, progress_bar, say, show_jacobian, show_pairs, show_rows, show_table, tracked


def test_cells() -> None:
    assert [cell(value) for value in (1.23456, 3, None, "a", True)] == ["1.235", "3", "-", "a", "True"]
    assert cell(math.nan) == "nan (not finite)" and cell(-math.inf) == "-inf (not finite)"


def test_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    say("a line")
    show_pairs("Pairs", [("worst_error", 0.125)])
    show_rows("Rows", {"one": {"a_b": 1.0}, "two": {"c": math.nan}})
    show_table("Table", ["name", "value"], [["x", "y"]])
    printed = capsys.readouterr().out
    for words in ("a line", "worst error", "0.125", "a b", "nan (not finite)", "Table"):
        assert words in printed


def test_a_jacobian_stands_beside_itself(capsys: pytest.CaptureFixture[str]) -> None:
    first = torch.eye(2, dtype=torch.float64)
    assert show_jacobian("J", ["x", "y"], ["q1", "q2"], first, first + 1e-3) == pytest.approx(1e-3)
    assert "+1.001" in capsys.readouterr().out


def test_bars_pass_everything_on() -> None:
    assert list(tracked(iter("abc"), "letters", 3)) == ["a", "b", "c"]
    with progress_bar() as bar:
        bar.update(bar.add_task("job", total=2), completed=2)
        assert bar.finished
