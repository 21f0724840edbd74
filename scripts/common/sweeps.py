"""What a sweep leaves: a table of its runs, on the screen and as ``runs.csv``."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from common.given import given
from common.results import write_csv, write_json
from common.tables import cell, say, show_table

__all__ = ["SweepTable", "end_sweep", "keep_row", "remove_empty"]

_ROWS = ".runs"  # folder of the sweep in which each run, perhaps a process of its own, leaves its row
_MOST_SHOWN = 8  # figures on the screen; the file has all


class SweepTable(Callback):
    """What Hydra calls when a sweep has ended well."""

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Show and write the table."""
        end_sweep(Path(config.hydra.sweep.dir))


def keep_row(value: Any, error: str | None) -> None:
    """Leave the row of this run of a sweep: what was given, and the figure it returned or the error it ended in."""
    hydra = HydraConfig.get()
    folder = Path(hydra.sweep.dir) / _ROWS
    folder.mkdir(parents=True, exist_ok=True)
    settings = {key: each if isinstance(each, (int, float)) else str(each) for key, each in given().items()}
    row = {"run": hydra.job.num, "given": settings, "folder": hydra.runtime.output_dir, "error": error}
    number = float(value) if isinstance(value, (int, float)) else None
    write_json(folder / f"{hydra.job.num}.json", {**row, "returned": number})


def end_sweep(folder: Path) -> None:
    """Write ``runs.csv`` of a sweep and show what differs between its runs; a sweep of no run leaves no folder."""
    files = sorted((folder / _ROWS).glob("*.json"), key=lambda file: int(file.stem))
    rows = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    for file in files:
        file.unlink()
    remove_empty(folder / _ROWS)
    for child in folder.iterdir() if folder.is_dir() else ():
        if child.is_dir():
            remove_empty(child)
    if {child.name for child in folder.glob("*")} == {"multirun.yaml"}:
        (folder / "multirun.yaml").unlink()
        remove_empty(folder)
        return
    if not rows:
        return
    found = [_figures(Path(row["folder"])) for row in rows]
    settings = _different([row["given"] for row in rows])
    figures = list(dict.fromkeys(name for each in found for name in each if name not in settings))
    header = ["run", *settings, "returned", *figures, "error"]
    table = [
        [row["run"], *(row["given"].get(name) for name in settings), row["returned"],
         *(each.get(name) for name in figures), row["error"]]
        for row, each in zip(rows, found, strict=True)
    ]  # fmt: skip
    write_csv(folder / "runs.csv", header, table)
    numbers = [name for name in figures if all(isinstance(each.get(name, 0), (int, float)) for each in found)]
    shown = [name for name in _different(found) if name in numbers]
    columns = ["run", *settings, "returned", *shown[:_MOST_SHOWN]]
    columns += ["error"] if any(row["error"] for row in rows) else []
    lines = [[_shown(dict(zip(header, row, strict=True))[name]) for name in columns] for row in table]
    show_table(f"Runs of this sweep: {len(rows)}", [name.replace("_", " ") for name in columns], lines)
    say(f"All figures: {folder / 'runs.csv'}")


def remove_empty(folder: Path) -> None:
    """Remove a folder, and those above it within the working directory, as far as they are empty."""
    here = Path.cwd()
    with contextlib.suppress(OSError):  # where one is not empty
        for each in (folder.absolute(), *folder.absolute().parents):
            if here not in each.parents:
                break
            os.rmdir(each)


def _figures(folder: Path) -> dict[str, Any]:
    """Numbers and texts of ``results.json``; none for a run that ended before."""
    path = folder / "results.json"
    results = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {name: value for name, value in results.items() if not isinstance(value, (dict, list))}


def _different(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names whose values differ between rows."""
    names = dict.fromkeys(name for row in rows for name in row)
    return [name for name in names if len({repr(row.get(name)) for row in rows}) > 1]


def _shown(value: Any) -> str:
    return "-" if value is None else cell(value)
