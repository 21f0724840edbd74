"""The log of a training run: metrics.csv, and TensorBoard beside it where asked for."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from diffkin._files import path_of, unwritten, write_bytes_atomically
from diffkin.errors import ModelFileError, OptionError
from diffkin.learning.optional import needed

__all__ = ["MetricsLog", "read_metrics"]


class MetricsLog:
    """Rows of numbers by step. A run that goes on drops what was logged after its checkpoint and writes on.

    Args:
        folder: The run's folder; the table is ``metrics.csv`` there.
        after: Step of the checkpoint that the run goes on from; 0 starts an empty log.
        tensorboard: Whether to write event files to ``tensorboard/`` too.

    Raises:
        diffkin.errors.ModelFileError: The table of the run that goes on cannot be read, or the new one not be written.
        diffkin.errors.MissingDependencyError: ``tensorboard`` is asked for and not installed.
    """

    def __init__(self, folder: Path, after: int = 0, tensorboard: bool = False) -> None:
        self.path = folder / "metrics.csv"
        self.writer = None
        if tensorboard:
            make = needed("torch.utils.tensorboard", "trainer.tensorboard=true", "tensorboard").SummaryWriter
            try:
                self.writer = make(str(folder / "tensorboard"), purge_step=after + 1)
            except OSError as error:
                raise unwritten(folder / "tensorboard", error) from error
        rows = read_metrics(self.path) if after and self.path.exists() else []
        if rows and "step" not in rows[0]:
            raise ModelFileError(
                f"{self.path} has no column 'step', so the run cannot go on with it. Delete or mend it."
            )
        rows = [row for row in rows if row["step"] <= after]
        self.names = tuple(rows[0]) if rows else ()
        content = _table([self.names, *(tuple(row.values()) for row in rows)] if rows else [])
        write_bytes_atomically(self.path, lambda file: file.write(content))

    def add(self, row: Mapping[str, float]) -> None:
        """Write one row; the first one sets the columns.

        Raises:
            diffkin.errors.ModelFileError: It cannot be written; the rows before are as they were.
            diffkin.errors.OptionError: It has other columns than the first one.
        """
        first = not self.names
        self.names = self.names or tuple(row)
        if set(row) != set(self.names):
            raise OptionError(
                f"validate() must always give the same scores: {', '.join(self.names)} at first, now {', '.join(row)}."
            )
        values = tuple(row[name] for name in self.names)
        try:
            with open(self.path, "ab") as file:
                file.write(_table([self.names, values] if first else [values]))
            if self.writer is not None:
                for name, value in row.items():
                    if name != "step":
                        self.writer.add_scalar(name, value, int(row["step"]))
                self.writer.flush()
        except OSError as error:
            raise unwritten(self.path, error) from error


def read_metrics(path: str | os.PathLike[str]) -> list[dict[str, float]]:
    """Rows of a ``metrics.csv``; a last row cut short by a kill is left out.

    Args:
        path: Of the file.

    Returns:
        A dictionary for each row, by the names in the first line.

    Raises:
        diffkin.errors.ModelFileError: There is no such file, or it is no table of numbers; the message names the line.
    """
    path = path_of(path)
    try:
        with open(path, newline="", encoding="utf-8") as file:
            text = file.read()
        complete = text[: text.rfind("\n") + 1]  # what follows the last line end is cut short
        lines = [line for line in csv.reader(io.StringIO(complete, newline=""))]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ModelFileError(f"{path} cannot be read as the log of a training: {error}.") from error
    if not lines:
        return []
    names, *rows = lines
    proper = all(name.strip() and name.isprintable() and not _is_number(name) for name in names)
    if not proper or len(set(names)) != len(names):
        raise ModelFileError(
            f"{path} does not begin with the names of its columns, each once. It is no log of a training."
        )
    found = []
    for number, row in enumerate(rows, start=2):
        if len(row) != len(names) or not all(map(_is_number, row)):
            raise ModelFileError(
                f"{path}, line {number}: expected {len(names)} numbers ({', '.join(names)[:200]}), got "
                f"{','.join(row)[:100]!r}. Delete the line."
            )
        found.append(dict(zip(names, map(float, row))))
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _table(rows: Sequence[Sequence[object]]) -> bytes:
    """Rows as lines of a CSV."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
