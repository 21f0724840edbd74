"""Tables show figures short and whole, and say what is not finite."""

import math

import pytest
import torch
from common import tables
from common.tables import cell, progress_bar, say, show_jacobian, show_pairs, show_rows, show_table, tracked
from rich.console import Console


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


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_heading_and_no_number_is_cut_however_narrow(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_console", Console(width=width))
    names = ["raw position error m median", "one descent iterations", "mmd between solutions", "success [rad]"]
    rows = {f"row_{k}": {name: 1.2345e-5 + k for name in names} for k in range(2)}
    show_rows("Figures", rows)
    show_pairs("Pairs", [("held_out_position_rms_m_before", "3.49e-06 m, 1.27e-05 rad"), ("worst", 1.5e-300)])
    printed = capsys.readouterr().out
    words = {word for name in names for word in name.split()} | {
        "row_0",
        "row_1",
        "1.234e-05",
        "held",
        "before",
        "3.49e-06",
    }
    assert words <= set(printed.replace("\u2502", " ").replace("\u2503", " ").split())
    if width >= 40:
        assert max(map(len, printed.splitlines())) <= width


def test_long_lines_and_brackets_are_printed_as_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_console", Console(width=40))
    line = "Results: " + "/long/path/[x]" * 10
    say(line)
    show_table("angles [deg]", ["[rad]"], [["[bold]"]])
    printed = capsys.readouterr().out
    assert line in printed and "[rad]" in printed and "[bold]" in printed and "[deg]" in printed
