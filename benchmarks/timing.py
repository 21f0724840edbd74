"""Timing of several calls side by side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

__all__ = ["REST", "interleaved"]

REST = 0.05  # OpenMP threads spin for milliseconds after a call, on the cores that the next library needs


def interleaved(
    calls: dict[str, Callable[[], object]], repeats: int = 7, least_seconds: float = 0.05
) -> dict[str, float]:
    """Median seconds of one call of each, the calls taking turns so that the machine's moods hit all alike.

    Args:
        calls: What to time, by name. Each is called once before, unmeasured.
        repeats: Rounds; the median over them is taken.
        least_seconds: A call shorter than this is repeated within a round until it takes so long: after the rest, threads
            and memory need some calls to be as they are in a loop that goes on.

    Returns:
        Seconds by name.
    """
    loops = {}
    for name, call in calls.items():
        call()
        begin = time.perf_counter()
        call()
        once = time.perf_counter() - begin
        loops[name] = max(1, min(10_000, int(least_seconds / max(once, 1e-7))))
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            time.sleep(REST)
            call()
            begin = time.perf_counter()
            for _ in range(loops[name]):
                call()
            seconds[name].append((time.perf_counter() - begin) / loops[name])
    return {name: statistics.median(measured) for name, measured in seconds.items()}
