"""Make the notebooks of both languages from the lessons: ``python notebooks/build.py [NUMBER ...]``.

A lesson is one jupytext percent file. Its code runs once; both notebooks get the outputs. See README.md beside this file.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext
import nbformat

ROOT = Path(__file__).resolve().parent
LANGUAGES = ("en", "zh")
_CHINESE = "[\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef]"
_CHINESE_BREAK = re.compile(rf"(?<={_CHINESE})\n(?={_CHINESE})")  # a line's end would show as a blank there


@dataclass(frozen=True)
class Cell:
    """A code cell, or a text cell in both languages."""

    code: str = ""
    en: str = ""
    zh: str = ""
    tags: tuple[str, ...] = ()

    def source(self, language: str) -> str:
        """What the notebook of that language shows."""
        if self.code:
            return self.code.replace('language="en"', f'language="{language}"')
        return _CHINESE_BREAK.sub("", self.zh) if language == "zh" else self.en


def lesson_files() -> list[Path]:
    """The sources of all lessons, in order."""
    return sorted((ROOT / "lessons").glob("[0-9][0-9]_*.py"))


def read_lesson(path: Path) -> list[Cell]:
    """The cells of a lesson; every English text cell is followed by its Chinese twin.

    Raises:
        ValueError: A text cell has no twin, no language, or the twins are in the wrong order.
    """
    cells: list[Cell] = []
    english: str | None = None
    for k, cell in enumerate(jupytext.read(path, fmt="py:percent").cells):
        language = cell.metadata.get("lang")
        where = f"{path.name}, cell {k + 1} ({cell.source[:40]!r})"
        if cell.cell_type == "code":
            if english is not None:
                raise ValueError(f'{where}: the English text before it has no Chinese twin (lang="zh").')
            cells.append(Cell(code=cell.source, tags=tuple(cell.metadata.get("tags", ()))))
        elif language == "en" and english is None:
            english = cell.source
        elif language == "zh" and english is not None:
            cells.append(Cell(en=english, zh=cell.source))
            english = None
        else:
            raise ValueError(f'{where}: expected lang="{"en" if english is None else "zh"}", found {language!r}.')
    if english is not None:
        raise ValueError(f"{path.name}: the last English text has no Chinese twin.")
    return cells


def fingerprint(cells: list[Cell]) -> str:
    """Changes with any text, code or tag of the lesson."""
    text = json.dumps([[cell.code, cell.en, cell.zh, cell.tags] for cell in cells], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def make_notebook(cells: list[Cell], language: str) -> Any:
    """The notebook of one language, without outputs."""
    notebook = nbformat.v4.new_notebook()
    for k, cell in enumerate(cells):
        new = nbformat.v4.new_code_cell if cell.code else nbformat.v4.new_markdown_cell
        made = new(cell.source(language), id=f"cell-{k:03d}")
        if cell.tags:
            made.metadata["tags"] = list(cell.tags)
        notebook.cells.append(made)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "diffkin": {"language": language, "fingerprint": fingerprint(cells)},
    }
    return notebook


def execute(cells: list[Cell], folder: Path, timeout: int = 120) -> list[list[Any]]:
    """Run a lesson in a kernel that starts in ``folder``; the outputs of each cell, none for the exercises."""
    import nbclient

    notebook = make_notebook(cells, "en")
    nbclient.NotebookClient(notebook, timeout=timeout, resources={"metadata": {"path": str(folder)}}).execute()
    return [
        [] if not cell.code or "exercise" in cell.tags else [kept for kept in map(_kept, made.outputs) if kept]
        for cell, made in zip(cells, notebook.cells)
    ]


def _kept(output: Any) -> Any:
    """An output without what changes from run to run; None for warnings and logs."""
    if output.output_type == "stream":
        return output if output.name == "stdout" else None
    output = copy.deepcopy(output)
    output.metadata = {}
    if "image/png" in output.get("data", {}):
        output.data.pop("text/plain", None)
    if "execution_count" in output:
        output.execution_count = None
    return output


def opening_picture(cells: list[Cell], outputs: list[list[Any]]) -> bytes | None:
    """The picture that the cell tagged "opening" draws: what the lesson begins with."""
    for cell, made in zip(cells, outputs):
        if "opening" in cell.tags:
            pictures = [output.data["image/png"] for output in made if "image/png" in output.get("data", {})]
            return base64.b64decode(pictures[0])
    return None


def build(path: Path) -> list[Path]:
    """Run a lesson and write its two notebooks and its opening picture; the paths written."""
    cells = read_lesson(path)
    outputs = execute(cells, ROOT / "lessons")
    written = []
    for language in LANGUAGES:
        notebook = make_notebook(cells, language)
        for cell, made in zip(notebook.cells, outputs):
            if cell.cell_type == "code":
                cell.outputs = copy.deepcopy(made)
        nbformat.validate(notebook)
        target = ROOT / language / f"{path.stem}.ipynb"
        target.parent.mkdir(exist_ok=True)
        target.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
        written.append(target)
    if picture := opening_picture(cells, outputs):
        target = ROOT / "images" / f"{path.stem}.png"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(picture)
        written.append(target)
    return written


def main() -> None:
    """Build the lessons whose numbers are given, or all."""
    numbers = {f"{int(number):02d}" for number in sys.argv[1:]}
    for path in lesson_files():
        if not numbers or path.name[:2] in numbers:
            start = time.perf_counter()
            written = build(path)
            sizes = ", ".join(f"{file.relative_to(ROOT)} {file.stat().st_size // 1000} kB" for file in written)
            print(f"{path.name}: {time.perf_counter() - start:.0f} s; {sizes}")


if __name__ == "__main__":
    main()
