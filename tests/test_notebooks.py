"""The notebooks run: their sources in this process, the notebooks themselves in a kernel; both say the same."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import jupytext  # type: ignore[import-untyped]
import nbclient
import nbformat
import pytest
import torch

FOLDER = Path(__file__).parent.parent / "notebooks"
SOURCES = sorted(FOLDER.glob("*.py"))


def run_source(source: Path) -> dict[str, Any]:
    dtype = torch.get_default_dtype()
    try:
        return runpy.run_path(str(source))
    finally:
        torch.set_default_dtype(dtype)


def test_first_lesson_gives_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    values = run_source(FOLDER / "01_backward_seeds.py")
    assert (values["first"], values["second"]) == (8.0, 16.0)
    assert values["J"].tolist() == [[4.0, 3.0], [2.0, 6.0]]
    assert values["errors"][-1] < 1e-6 < values["errors"][10]
    printed = capsys.readouterr().out
    assert "only for scalar outputs" in printed  # both usual errors are raised, shown and survived
    assert "a second time" in printed


def test_every_notebook_has_its_source() -> None:
    assert [source.stem for source in SOURCES] == [file.stem for file in sorted(FOLDER.glob("*.ipynb"))]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_notebook_is_what_its_source_says(source: Path) -> None:
    expected = jupytext.read(source)
    notebook = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    nbformat.validate(notebook)
    cells = [(cell.cell_type, cell.source) for cell in notebook.cells]
    assert cells == [(cell.cell_type, cell.source) for cell in expected.cells], (
        f"Make it anew: jupytext --to notebook notebooks/{source.name}"
    )
    assert not any(cell.get("outputs") for cell in notebook.cells), "notebooks are kept without outputs"


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_notebook_runs_in_a_kernel(source: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    numbers = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert numbers == list(range(1, len(numbers) + 1))
