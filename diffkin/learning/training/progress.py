"""What a training shows while it runs: a bar where it is asked for, and a line for each validation."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from diffkin.learning.optional import needed

__all__ = ["Progress"]


class Progress:
    """A progress bar over steps, as a context; without one only the lines are printed.

    Args:
        steps: Of the whole run.
        done: Steps done before.
        shown: Whether to show the bar.

    Raises:
        diffkin.errors.MissingDependencyError: A bar is asked for and ``rich`` is not installed.
    """

    def __init__(self, steps: int, done: int, shown: bool) -> None:
        self.bar: Any = None
        if shown:
            rich = needed("rich.progress", "A progress bar (trainer.progress=true)")
            columns = (
                rich.TextColumn("training"),
                rich.BarColumn(),
                rich.MofNCompleteColumn(),
                rich.TimeElapsedColumn(),
                rich.TimeRemainingColumn(),
            )
            self.bar = rich.Progress(*columns)
            self.task = self.bar.add_task("training", total=steps, completed=done)

    def __enter__(self) -> Progress:
        if self.bar is not None:
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def at(self, step: int) -> None:
        """So many steps are done."""
        if self.bar is not None:
            self.bar.update(self.task, completed=step)

    def line(self, text: str) -> None:
        """Print a line, above the bar."""
        if self.bar is None:
            print(text, flush=True)
        else:
            self.bar.console.print(text)
