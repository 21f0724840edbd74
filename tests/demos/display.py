"""A virtual display with a window manager, and hands for it: what a person would do at a screen."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("Xvfb", "xdotool", "wmctrl", "openbox", "import")
_EDGE, _SHINE = 113, 254  # greys of a slider's handle: its border, and the line inside it
_WIDE = 10  # pixels of a handle


def missing() -> str:
    """What a test must say that cannot run here; empty where it can."""
    absent = [name for name in NEEDED if shutil.which(name) is None]
    packages = "xvfb xdotool wmctrl openbox imagemagick libgl1-mesa-dri libgl1"
    return f"{', '.join(absent)} not installed (Debian: {packages}): the window was NOT tested" if absent else ""


@dataclass(frozen=True)
class Display:
    """An X server of its own."""

    name: str

    @property
    def environment(self) -> dict[str, str]:
        """For programs that are to run on it."""
        return {**os.environ, "DISPLAY": self.name, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def do(self, *command: object) -> str:
        """Run a program on it."""
        words = [str(word) for word in command]
        return subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=60).stdout

    def screenshot(self, keep: Path | None = None) -> NDArray[np.int64]:
        """(height, width, 3) what is on the screen; kept in a file where that is given."""
        from PIL import Image

        done = subprocess.run(
            ["import", "-window", "root", "png:-"], env=self.environment, capture_output=True, check=True, timeout=60
        )
        if keep is not None:
            keep.write_bytes(done.stdout)
        return np.asarray(Image.open(io.BytesIO(done.stdout)).convert("RGB")).astype(np.int64)

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Press, move in small steps, let go; slowly enough for a window that is drawn in software."""
        self.do("xdotool", "mousemove", *start)
        time.sleep(0.5)
        self.do("xdotool", "mousedown", 1)
        time.sleep(0.5)
        for k in range(1, 6):
            x, y = (round(a + k / 5 * (b - a)) for a, b in zip(start, end))
            self.do("xdotool", "mousemove", x, y)
            time.sleep(0.3)
        time.sleep(0.5)
        self.do("xdotool", "mouseup", 1)
        time.sleep(0.5)

    def wait_until(self, holds: Callable[[NDArray[np.int64]], bool], keep: Path, seconds: float = 60.0) -> bool:
        """Look at the screen again and again until that holds of it, and keep what is seen last."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if holds(self.screenshot(keep)):
                return True
            time.sleep(0.3)
        return False

    def click(self, place: tuple[int, int]) -> None:
        """Press and let go."""
        self.do("xdotool", "mousemove", *place)
        time.sleep(0.5)
        self.do("xdotool", "mousedown", 1)
        time.sleep(0.5)
        self.do("xdotool", "mouseup", 1)
        time.sleep(0.5)

    def key(self, name: str) -> None:
        """Press a key while the window has the focus."""
        self.do("wmctrl", "-a", "Bullet Physics")
        time.sleep(0.3)
        self.do("xdotool", "keydown", name)
        time.sleep(0.2)
        self.do("xdotool", "keyup", name)

    def press_close_button(self) -> None:
        """What the X in a window's corner does."""
        self.do("wmctrl", "-c", "Bullet Physics")


@contextmanager
def virtual_display(width: int = 1280, height: int = 830) -> Iterator[Display]:
    """An X server with a window manager; both end with the context."""
    read, write = os.pipe()
    screen = ["-screen", "0", f"{width}x{height}x24"]
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), *screen, "-nolisten", "tcp", "-noreset"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as pipe:
        display = Display(f":{pipe.readline().strip()}")
    manager = subprocess.Popen(["openbox"], env=display.environment, stderr=subprocess.DEVNULL)
    try:
        yield display
    finally:
        for process in (manager, server):
            process.terminate()
            process.wait()


@contextmanager
def running_demo(display: Display, folder: Path, *arguments: str) -> Iterator[subprocess.Popen]:
    """The script of the arm demo, from the moment that its window stands; killed at the end if it is still there."""
    command = [sys.executable, "-u", str(ROOT / "scripts" / "demo_arm.py"), *arguments]
    process = subprocess.Popen(
        command, cwd=folder, env=display.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Esc or closing" in line:
            break
    else:
        raise AssertionError("".join(lines))
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.stdout.close()
        process.wait()


def handles(picture: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Middles (x, y) of the sliders' handles, from top to bottom, found by their greys."""
    grey = np.where((picture == picture[..., :1]).all(-1), picture[..., 0], -1)
    start = (grey[:, : -_WIDE + 1] == _EDGE) & (grey[:, _WIDE - 1 :] == _EDGE)
    start &= (grey[:, 1 : -_WIDE + 2] == _SHINE) & (grey[:, _WIDE - 2 : -1] == _SHINE)
    found: list[list[tuple[int, int]]] = []
    for y, x in np.argwhere(start):
        if found and 0 < y - found[-1][-1][1] <= 2 and x + _WIDE // 2 == found[-1][-1][0]:
            found[-1].append((int(x) + _WIDE // 2, int(y)))
        else:
            found.append([(int(x) + _WIDE // 2, int(y))])
    return [(rows[0][0], (rows[0][1] + rows[-1][1]) // 2) for rows in found if len(rows) > 8]
