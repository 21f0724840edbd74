"""The JSON writer never refuses and never writes what is no JSON; the table says what became null."""

import csv
import json
import math
from pathlib import Path

import pytest
from common.results import save_results, write_csv, write_json, write_text

RESULTS = {"a": 1.5, "b": {"c": math.nan, "d": [1, math.inf, None]}, "e": "text", "f": True}


def test_what_is_not_finite_becomes_null_and_is_named(tmp_path: Path) -> None:
    assert write_json(tmp_path / "r.json", RESULTS) == ["b.c", "b.d.1"]
    strict = json.loads((tmp_path / "r.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert strict == {"a": 1.5, "b": {"c": None, "d": [1, None, None]}, "e": "text", "f": True}
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]  # nothing is left beside it


def test_the_user_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_results(tmp_path, RESULTS)
    assert "Not finite, so null in results.json: b.c, b.d.1" in capsys.readouterr().out
    save_results(tmp_path, {"a": 1})
    assert "finite" not in capsys.readouterr().out


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "old")
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert path.read_text() == "old"


def test_tables(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ["a", "b"], ([k, "x, y"] for k in range(2)))
    with (tmp_path / "t.csv").open() as file:
        assert list(csv.DictReader(file)) == [{"a": "0", "b": "x, y"}, {"a": "1", "b": "x, y"}]
