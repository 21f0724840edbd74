"""What a run prints: lines, tables and progress bars. Nothing of a table is cut, however narrow the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, track
from rich.table import Table
from rich.text import Text
from torch import Tensor

__all__ = ["cell", "progress_bar", "say", "show_jacobian", "show_pairs", "show_rows", "show_table", "tracked"]

_console = Console()  # used here alone: a launcher could not pickle a script that holds the console
_Item = TypeVar("_Item")
_BORDER = 3  # cells of a column beside its content


def say(text: str) -> None:
    """Print a line."""
    _console.print(text, markup=False, soft_wrap=True)


def cell(value: object, digits: int = 4) -> str:
    """A figure as text: numbers to so many digits; what is not finite, and null in results.json, says so."""
    if isinstance(value, float):
        return f"{value:.{digits}g}" if math.isfinite(value) else f"{value} (not finite)"
    return "-" if value is None else str(value)


def show_pairs(title: str, rows: Iterable[tuple[str, object]]) -> None:
    """Print names and what they are."""
    cells = [[Text(name.replace("_", " ")), Text(cell(value))] for name, value in rows]
    _print(title, None, cells, lines=False)


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str | Text]], lines: bool = False) -> None:
    """Print rows of text under a header, all columns but the first to the right.

    Where it is wider than the terminal, headings are broken between words, and columns that still find no room follow in
    a table below.
    """
    cells = [[each if isinstance(each, Text) else Text(each) for each in row] for row in rows]
    _print(title, [Text(column) for column in columns], cells, lines)


def show_rows(title: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Print figures by name, one row a name; rows need not have the same figures."""
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    cells = ((name, *(cell(row[column]) if column in row else "" for column in columns)) for name, row in rows.items())
    show_table(title, ["", *(column.replace("_", " ") for column in columns)], cells)


def show_jacobian(title: str, rows: Sequence[str], columns: Sequence[str], seeds: Tensor, closed: Tensor) -> float:
    """Print a Jacobian twice: by backward seeds, below it in closed form; their largest difference."""
    difference = (seeds - closed).abs()
    cells: list[list[str | Text]] = []
    for name, ours, theirs, apart in zip(rows, seeds.tolist(), closed.tolist(), difference):
        pairs = [Text.assemble(f"{a:+.3f}\n", (f"{b:+.3f}", "dim")) for a, b in zip(ours, theirs)]
        cells.append([name, *pairs, f"{float(apart.max()):.0e}"])
    show_table(f"{title}: by backward seeds, below it in closed form", ["", *columns, "difference"], cells)
    return float(difference.max())


def _print(title: str, header: list[Text] | None, rows: list[list[Text]], lines: bool) -> None:
    """Print a table in as many parts as its columns need, the first column in each."""
    columns = [[*([] if header is None else [header[k]]), *(row[k] for row in rows)] for k in range(len(rows[0]))]
    least = [max(_word(text) for text in column) for column in columns]
    most = [max(_line(text) for text in column) for column in columns]
    if header is not None:
        least[0] = most[0]  # names of rows stay on one line
    for number, part in enumerate(_parts(least, _console.width - 1, whole=header is None)):
        widths = _widths([least[k] for k in part], [most[k] for k in part], _console.width - 1)
        table = Table(title=Text(title) if number == 0 else None, show_lines=lines, show_header=header is not None)
        for place, (k, width) in enumerate(zip(part, widths, strict=True)):
            right = header is not None and place > 0
            table.add_column(header[k] if header else "", justify="right" if right else "left", width=width)
        for row in rows:
            table.add_row(*(row[k] for k in part))
        needed = sum(widths) + _BORDER * len(widths) + 1
        console = _console if needed <= _console.width else Console(width=needed, file=_console.file)
        console.print(table)


def _word(text: Text) -> int:
    """Cells of the longest word, which is never broken."""
    return max((Text(word).cell_len for word in text.plain.split()), default=1)


def _line(text: Text) -> int:
    return max((Text(line).cell_len for line in text.plain.splitlines()), default=1)


def _parts(least: list[int], room: int, whole: bool) -> list[list[int]]:
    """Columns of each part: as many beside the first as there is room for, one at least."""
    parts = [[0]]
    for k in range(1, len(least)):
        needed = sum(least[i] + _BORDER for i in (*parts[-1], k))
        if not whole and needed > room and len(parts[-1]) > 1:
            parts.append([0])
        parts[-1].append(k)
    return parts


def _widths(least: list[int], most: list[int], room: int) -> list[int]:
    """Widths between the two, the widest made narrower until there is room."""
    widths = list(most)
    while sum(widths) + _BORDER * len(widths) > room:
        spare = [k for k in range(len(widths)) if widths[k] > least[k]]
        if not spare:
            break
        widths[max(spare, key=lambda k: widths[k])] -= 1
    return widths


def progress_bar() -> Progress:
    """A bar for a job whose length is known."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=_console)


def tracked(items: Iterable[_Item], description: str, total: int) -> Iterable[_Item]:
    """Items one after another, with a bar."""
    return track(items, description=description, total=total, console=_console)
