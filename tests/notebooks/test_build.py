"""The builder: pairs of texts, one code for both languages, and notebooks that are what their lessons say."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from diffkin.course import lesson_exercises
from notebooks.build import LANGUAGES, ROOT, Cell, execute, fingerprint, lesson_files, make_notebook, read_lesson

LESSONS = lesson_files()
PAIR = '# %% [markdown] lang="en"\n# Hello\n\n# %% [markdown] lang="zh"\n# 你好\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "01_try.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_pairs_and_code_are_read(tmp_path: Path) -> None:
    cells = read_lesson(written(tmp_path, PAIR + '\n# %% tags=["exercise"]\nx = 1\n'))
    assert cells == [Cell(en="Hello", zh="你好"), Cell(code="x = 1", tags=("exercise",))]


@pytest.mark.parametrize(
    "text",
    [
        '# %% [markdown] lang="en"\n# Hello\n\n# %%\nx = 1\n',
        '# %% [markdown] lang="zh"\n# 你好\n',
        '# %% [markdown] lang="en"\n# Hello\n',
        "# %% [markdown]\n# Hello\n",
        PAIR + '\n# %% [markdown] lang="zh"\n# 再见\n',
    ],
)
def test_text_without_its_twin_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="twin|expected lang"):
        read_lesson(written(tmp_path, text))


def test_fingerprint_changes_with_any_word() -> None:
    cells = [Cell(en="a", zh="b"), Cell(code="c")]
    changed = [[Cell(en="a", zh="B"), cells[1]], [cells[0], Cell(code="d")], [cells[0], Cell(code="c", tags=("x",))]]
    assert len({fingerprint(cells), *map(fingerprint, changed)}) == 4


def test_chinese_lines_join_without_a_blank_and_checks_speak_the_language() -> None:
    assert Cell(en="a", zh="第一行，\n第二行 `x`\n第三行").source("zh") == "第一行，第二行 `x`\n第三行"
    code = Cell(code='check("1.1", f, language="en")')
    assert code.source("zh") == 'check("1.1", f, language="zh")'


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
@pytest.mark.parametrize("language", LANGUAGES)
def test_notebooks_are_what_their_lesson_says(path: Path, language: str) -> None:
    file = ROOT / language / f"{path.stem}.ipynb"
    stored = nbformat.read(file, as_version=4)
    nbformat.validate(stored)
    wanted = make_notebook(read_lesson(path), language)
    assert stored.metadata["diffkin"] == wanted.metadata["diffkin"], f"run: python notebooks/build.py {path.name[:2]}"
    assert [(c.cell_type, c.source) for c in stored.cells] == [(c.cell_type, c.source) for c in wanted.cells]
    assert file.stat().st_size < 1_000_000
    outputs = [output for cell in stored.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs), "no picture is stored"
    assert not any(output.output_type == "error" for output in outputs)
    text = str([output.get("text") or output.get("data", {}).get("text/plain") for output in outputs])
    assert not re.search(r"/(home|tmp|root|work|Users)/", text), "a path of the machine that built it is in the outputs"


def test_no_notebook_is_left_over() -> None:
    for language in LANGUAGES:
        assert sorted(file.stem for file in (ROOT / language).glob("*.ipynb")) == [path.stem for path in LESSONS]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_has_its_picture_summary_and_exercises(path: Path) -> None:
    cells, number = read_lesson(path), int(path.name[:2])
    assert (
        "![" in cells[0].en
        and f"../images/{path.stem}.png" in cells[0].en
        and f"../images/{path.stem}.png" in cells[0].zh
    )
    assert (ROOT / "images" / f"{path.stem}.png").exists()
    assert sum("opening" in cell.tags for cell in cells) == 1
    english, chinese = "\n".join(cell.en for cell in cells), "\n".join(cell.zh for cell in cells)
    assert "## Summary" in english and "## Exercises" in english
    assert "## 小结" in chinese and "## 练习" in chinese
    asked = re.findall(
        r'dk\.course\.check\("(\d+\.\d+)", (\w+), seed=0, language="en"\)', "\n".join(c.code for c in cells)
    )
    assert asked == [(exercise.number, exercise.function) for exercise in lesson_exercises(number)]
    assert 3 <= len(asked) <= 6
    for exercise in lesson_exercises(number):
        assert any(f"def {exercise.signature}:" in cell.code and "exercise" in cell.tags for cell in cells)
    assert (Path(__file__).parent / f"test_lesson_{number:02d}.py").exists(), "every lesson's numbers are tested"


def test_first_lesson_runs_in_a_kernel(tmp_path: Path) -> None:
    cells = read_lesson(LESSONS[0])
    outputs = execute(cells, tmp_path)
    stored = nbformat.read(ROOT / "en" / f"{LESSONS[0].stem}.ipynb", as_version=4)
    for cell, made, kept in zip(cells, outputs, stored.cells):
        if "exercise" in cell.tags:
            assert made == []
        elif cell.code:
            assert [output.get("text") for output in made] == [output.get("text") for output in kept.outputs]


@pytest.mark.slow
@pytest.mark.parametrize("path", LESSONS[1:], ids=lambda path: path.stem)
def test_lesson_runs_in_a_kernel(path: Path, tmp_path: Path) -> None:
    assert any(execute(read_lesson(path), tmp_path))
