"""The log of a training run: metrics.csv, and TensorBoard beside it where asked for."""

from __future__ import annotations

import csv
from pathlib import Path

from diffkin.learning.training.checkpoint import write_atomically

__all__ = ["MetricsLog", "read_metrics"]


class MetricsLog:
    """Rows of numbers by step. A run that goes on drops what was logged after its checkpoint and writes on.

    Args:
        folder: The run's folder; the table is ``metrics.csv`` there.
        after: Step of the checkpoint that the run goes on from; 0 starts an empty log.
        tensorboard: Whether to write event files to ``tensorboard/`` too.
    """

    def __init__(self, folder: Path, after: int = 0, tensorboard: bool = False) -> None:
        self.path = folder / "metrics.csv"
        rows = [row for row in read_metrics(self.path) if row["step"] <= after] if self.path.exists() else []
        write_atomically(self.path, lambda beside: _write(beside, rows))
        self.writer = None
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(str(folder / "tensorboard"), purge_step=after + 1)

    def add(self, row: dict[str, float]) -> None:
        """Write one row; the first one sets the columns."""
        header = self.path.stat().st_size == 0
        with open(self.path, "a", newline="") as file:
            table = csv.writer(file)
            if header:
                table.writerow(row)
            table.writerow(row.values())
        if self.writer is not None:
            for name, value in row.items():
                if name != "step":
                    self.writer.add_scalar(name, value, int(row["step"]))
            self.writer.flush()


def read_metrics(path: Path) -> list[dict[str, float]]:
    """Rows of a ``metrics.csv``; a last row cut short by a kill is left out."""
    with open(path, newline="") as file:
        lines = file.read().split("\n")
    complete = [line for line in csv.reader(lines[:-1])]  # what follows the last line end is cut short
    if not complete:
        return []
    names, *rows = complete
    return [dict(zip(names, map(float, row))) for row in rows if len(row) == len(names)]


def _write(path: Path, rows: list[dict[str, float]]) -> None:
    with open(path, "w", newline="") as file:
        if rows:
            table = csv.writer(file)
            table.writerow(rows[0])
            table.writerows(row.values() for row in rows)
