"""What a run leaves: the one JSON writer, and CSV tables."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from common.tables import say

__all__ = ["save_results", "write_csv", "write_json", "write_text"]


def save_results(folder: Path, results: Mapping[str, Any]) -> None:
    """Write ``results.json``, and say which figures are null there because they are not finite, and where it is."""
    spoilt = write_json(folder / "results.json", results)
    if spoilt:
        say(f"Not finite, so null in results.json: {', '.join(spoilt)}")
    say(f"Results: {folder / 'results.json'}")


def write_json(path: Path, content: Mapping[str, Any]) -> list[str]:
    """Write a dictionary, one key a line, at once; NaN and infinity, which JSON does not know, become null.

    Args:
        path: The file.
        content: Dictionaries, lists, text and numbers.

    Returns:
        Dotted names of the numbers that were not finite.
    """
    text = json.dumps(_finite(content), indent=2, allow_nan=False) + "\n"
    write_text(path, text)
    return list(_spoilt(content, ""))


def write_text(path: Path, text: str) -> None:
    """Write a file beside, then put it there in one step: a kill leaves no half of it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table with a header."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _spoilt(value: Any, name: str) -> Iterator[str]:
    if isinstance(value, (Mapping, list, tuple)):
        for key, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _spoilt(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, float) and not math.isfinite(value):
        yield name
