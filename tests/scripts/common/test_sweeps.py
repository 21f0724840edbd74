"""A sweep ends in a table of its runs; runs that failed at once leave no folders."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from common import sweeps
from common.sweeps import end_sweep, keep_row, remove_empty


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three runs of a sweep, the last of which failed at once."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "outputs" / "sweep"
    figures = [
        {"robot": "a", "cost": 0.5, "same": 3, "nested": {"x": 1}},
        {"robot": "b", "cost": 0.25, "same": 3},
        None,
    ]
    for number, found in enumerate(figures):
        run = folder / str(number)
        run.mkdir(parents=True)
        if found:
            (run / "results.json").write_text(json.dumps(found))
        hydra = SimpleNamespace(
            sweep=SimpleNamespace(dir=folder),
            job=SimpleNamespace(num=number),
            runtime=SimpleNamespace(output_dir=str(run)),
        )
        monkeypatch.setattr(sweeps, "HydraConfig", SimpleNamespace(get=lambda hydra=hydra: hydra))
        monkeypatch.setattr(sweeps, "given", lambda number=number: {"rate": 0.1 * number, "batch": 8})
        keep_row(found["cost"] if found else None, None if found else "it cannot be")
    (folder / "multirun.yaml").write_text("x: 1")
    return folder


def test_the_table_has_what_differs_and_the_file_all(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    end_sweep(sweep)
    rows = list(csv.DictReader((sweep / "runs.csv").open()))
    assert [row["run"] for row in rows] == ["0", "1", "2"]
    assert [row["returned"] for row in rows] == ["0.5", "0.25", ""]
    assert [row["cost"] for row in rows] == ["0.5", "0.25", ""] and [row["same"] for row in rows] == ["3", "3", ""]
    assert rows[2]["error"] == "it cannot be" and "batch" not in rows[0] and rows[1]["rate"] == "0.1"
    printed = capsys.readouterr().out
    for words in ("Runs of this sweep: 3", "rate", "0.25", "it cannot be", "runs.csv"):
        assert words in printed
    assert sorted(child.name for child in sweep.iterdir()) == ["0", "1", "multirun.yaml", "runs.csv"]


def test_a_sweep_of_nothing_but_failures_leaves_nothing(sweep: Path) -> None:
    for number in "01":
        (sweep / number / "results.json").unlink()
    end_sweep(sweep)
    assert not (sweep.parents[1] / "outputs").exists()


def test_only_empty_folders_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    inner = tmp_path / "a" / "b" / "c"
    inner.mkdir(parents=True)
    (tmp_path / "a" / "kept").write_text("x")
    remove_empty(inner)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "kept"]
