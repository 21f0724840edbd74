"""The library pybullet: whether it is there, importing it without noise, and whether a window can be opened."""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from diffkin.errors import MissingDependencyError

__all__ = ["bullet", "display_problem", "is_installed", "quiet"]


def is_installed() -> bool:
    """Whether pybullet can be imported."""
    return importlib.util.find_spec("pybullet") is not None


def bullet() -> Any:
    """The module ``pybullet``.

    Raises:
        diffkin.errors.MissingDependencyError: It is not installed.
    """
    if not is_installed():
        raise MissingDependencyError(
            "This needs pybullet, which is not installed. Install it with `pip install pybullet` (or "
            "`pip install 'diffkin[simulation]'`) on Python 3.10 or 3.11, for which it has wheels; this is Python "
            f"{sys.version_info.major}.{sys.version_info.minor}."
        )
    if "pybullet" not in sys.modules:
        with quiet():  # it prints the date of its build
            import pybullet  # noqa: F401
    return sys.modules["pybullet"]


def display_problem() -> str | None:
    """Why no window can be opened here, or None if there is a working display.

    PyBullet ends the whole process where it finds no display, so this is asked first.
    """
    if not sys.platform.startswith("linux"):
        return None
    name = os.environ.get("DISPLAY")
    if not name:
        return "there is no display (the environment variable DISPLAY is not set)"
    library = ctypes.util.find_library("X11")
    if library is None:
        return "the library libX11 is not installed"
    x11 = ctypes.CDLL(library)
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    display = x11.XOpenDisplay(None)
    if not display:
        return f"no X server answers at DISPLAY={name}"
    x11.XCloseDisplay(display)
    return None


@contextmanager
def quiet() -> Iterator[Callable[[], str]]:
    """Hold back what Bullet's C code prints; gives a function that returns it."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(number) for number in (1, 2)]
    with tempfile.TemporaryFile() as held:
        try:
            for number in (1, 2):
                os.dup2(held.fileno(), number)

            def printed() -> str:
                size = held.tell()
                held.seek(0)
                text = held.read().decode(errors="replace")
                held.seek(size)
                return " ".join(text.split())[-300:]

            yield printed
        finally:
            for number, original in zip((1, 2), saved):
                os.dup2(original, number)
                os.close(original)
