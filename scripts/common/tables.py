"""What a run prints: lines, tables and progress bars."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, track
from rich.table import Table
from torch import Tensor

__all__ = ["cell", "progress_bar", "say", "show_jacobian", "show_pairs", "show_rows", "show_table", "tracked"]

_console = Console()  # used here alone: a launcher could not pickle a script that holds the console
_Item = TypeVar("_Item")


def say(text: str) -> None:
    """Print a line."""
    _console.print(text)


def cell(value: object, digits: int = 4) -> str:
    """A figure as text: numbers to so many digits; what is not finite, and null in results.json, says so."""
    if isinstance(value, float):
        return f"{value:.{digits}g}" if math.isfinite(value) else f"{value} (not finite)"
    return "-" if value is None else str(value)


def show_pairs(title: str, rows: Iterable[tuple[str, object]]) -> None:
    """Print names and what they are."""
    table = Table(title=title, show_header=False)
    for name, value in rows:
        table.add_row(name.replace("_", " "), cell(value))
    _console.print(table)


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], lines: bool = False) -> None:
    """Print rows of text under a header, all columns but the first to the right."""
    table = Table(title=title, show_lines=lines)
    for k, column in enumerate(columns):
        table.add_column(column, justify="right" if k else "left", no_wrap=k == 0, overflow="fold")
    for row in rows:
        table.add_row(*row)
    _console.print(table)


def show_rows(title: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Print figures by name, one row a name; rows need not have the same figures."""
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    cells = ((name, *(cell(row[column]) if column in row else "" for column in columns)) for name, row in rows.items())
    show_table(title, ["", *(column.replace("_", " ") for column in columns)], cells)


def show_jacobian(title: str, rows: Sequence[str], columns: Sequence[str], seeds: Tensor, closed: Tensor) -> float:
    """Print a Jacobian twice: by backward seeds, below it in closed form; their largest difference."""
    difference = (seeds - closed).abs()
    cells = []
    for name, ours, theirs, apart in zip(rows, seeds.tolist(), closed.tolist(), difference):
        pairs = [f"{a:+.3f}\n[dim]{b:+.3f}[/dim]" for a, b in zip(ours, theirs)]
        cells.append([name, *pairs, f"{float(apart.max()):.0e}"])
    show_table(f"{title}: by backward seeds, below it in closed form", ["", *columns, "difference"], cells)
    return float(difference.max())


def progress_bar() -> Progress:
    """A bar for a job whose length is known."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=_console)


def tracked(items: Iterable[_Item], description: str, total: int) -> Iterable[_Item]:
    """Items one after another, with a bar."""
    return track(items, description=description, total=total, console=_console)
