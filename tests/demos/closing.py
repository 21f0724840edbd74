"""End the arm demo's window in every way that people end it: ``python -m tests.demos.closing --times 20``."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from tests.demos.display import Display, missing, running_demo, virtual_display

WAYS: dict[str, Callable[[Display, Popen], object]] = {
    "esc": lambda display, process: display.key("Escape"),
    "close_button": lambda display, process: display.press_close_button(),
    "ctrl_c": lambda display, process: process.send_signal(signal.SIGINT),
    "seconds": lambda display, process: None,
}
"""What ends the window."""

QUICK = ("robot=planar_2r", "mode=joints", "bullet=false", "viewer.width=640", "viewer.height=480")


@dataclass(frozen=True)
class End:
    """How a run ended."""

    code: int
    printed: str
    results: dict
    film: Path

    @property
    def clean(self) -> bool:
        """Whether all is as it should be."""
        return self.code == 0 and "Traceback" not in self.printed and bool(self.results) and self.film.exists()


def end_once(display: Display, folder: Path, way: str) -> End:
    """Start the demo, record it, end it in one way."""
    film = folder / "film.mp4"
    seconds = ("seconds=2",) if way == "seconds" else ()
    with running_demo(display, folder, *QUICK, "record=film.mp4", "viewer.film_width=160", "viewer.film_height=128",
                      *seconds) as process:  # fmt: skip
        time.sleep(1.0)
        WAYS[way](display, process)
        printed = process.stdout.read()
        code = process.wait(60)
    found = list(folder.rglob("results.json"))
    return End(code, printed, json.loads(found[0].read_text()) if found else {}, film)


def main() -> int:
    """Count the clean ends of each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=list(WAYS))
    options = parser.parse_args()
    if missing():
        print(missing())
        return 1
    all_clean = True
    with virtual_display() as display:
        for way in options.ways:
            clean = 0
            for _ in range(options.times):
                with tempfile.TemporaryDirectory() as folder:
                    end = end_once(display, Path(folder), way)
                    clean += end.clean
                    if not end.clean:
                        print(f"{way}: exit code {end.code}\n{end.printed}")
            all_clean &= clean == options.times
            print(f"{way}: {clean} of {options.times} ended cleanly", flush=True)
    return 0 if all_clean else 1


if __name__ == "__main__":
    sys.exit(main())
