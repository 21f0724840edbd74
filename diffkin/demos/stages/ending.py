"""Ending a demo from outside: Ctrl-C asks it to end, so that it finishes its film and its results."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

__all__ = ["CLOSED", "ESCAPE", "INTERRUPTED", "TIME_IS_UP", "Ending", "Played", "asked_to_end"]

TIME_IS_UP = "time is up"
ESCAPE = "Esc or the window was closed"
CLOSED = "the window was closed"
INTERRUPTED = "Ctrl-C"


@dataclass(frozen=True)
class Played:
    """How a demo went.

    Attributes:
        how: How it ended, in words.
        seconds: How long it played.
        scenes: How many it showed.
        film_frames: How many the film has; 0 without one.
        film: Where it is; None without one.
        results: What the demo says of itself.
    """

    how: str
    seconds: float
    scenes: int
    film_frames: int = 0
    film: str | None = None
    results: dict[str, float | int | str | bool | None] = field(default_factory=dict)

    def figures(self) -> dict[str, float | int | str | bool | None]:
        """All of it by name, for JSON."""
        rate = self.scenes / self.seconds if self.seconds > 0 else 0.0
        return {
            "ended": self.how,
            "seconds": self.seconds,
            "scenes": self.scenes,
            "scenes_per_second": rate,
            "film": self.film,
            "film_frames": self.film_frames,
            **self.results,
        }


class Ending:
    """Whether somebody asked for the end."""

    asked = False


@contextmanager
def asked_to_end() -> Iterator[Ending]:
    """Within, Ctrl-C and SIGTERM set ``asked`` and do nothing else. Only in the main thread of a process."""
    ending = Ending()

    def ask(number: int, frame: FrameType | None) -> None:
        ending.asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
