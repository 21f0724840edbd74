"""A demo on the stage that somebody asked for, or on the one that there is."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from diffkin.demos.scene import Demo
from diffkin.demos.stages.ending import INTERRUPTED, TIME_IS_UP, Played, asked_to_end
from diffkin.errors import MissingDependencyError, OptionError, closest
from diffkin.simulation.library import display_problem, is_installed

__all__ = ["VIEWERS", "play"]

VIEWERS = ("window", "film", "browser")

_FILM_SECONDS = 8.0


def play(
    make: Callable[[], Demo],
    viewer: str,
    folder: Path,
    *,
    seconds: float | None = None,
    record: str | None = None,
    fps: float = 20.0,
    film_size: tuple[int, int] = (640, 480),
    window_size: tuple[int, int] = (1280, 800),
    oversampling: int = 1,
    port: int = 8080,
    language: str = "en",
    announce: Callable[[str], object] = print,
    progress: Callable[[int, int], object] | None = None,
) -> Played:
    """Play a demo in PyBullet's window, as a film, or in a browser. Without a display, the window becomes a film.

    Args:
        make: Makes the demo.
        viewer: One of ``VIEWERS``.
        folder: Where a film goes that has no name of its own.
        seconds: How long; until somebody ends it if None, a film 8 s.
        record: A film to write, ``.mp4`` or ``.gif``, of the window too.
        fps: Frames a second of films.
        film_size: Width and height of films [pixels].
        window_size: Of the window [pixels].
        oversampling: Of films without a window; 2 gives smooth edges.
        port: Of the web page.
        language: Of its labels, "en" or "zh".
        announce: Takes the lines that are for people to read.
        progress: Called with the frames of a film drawn, and all there will be.

    Returns:
        How it went.

    Raises:
        diffkin.errors.OptionError: The browser was asked for a film.
        diffkin.errors.UnknownNameError: There is no such viewer.
        diffkin.errors.MissingDependencyError: What the viewer needs is not installed.
    """
    if viewer not in VIEWERS:
        raise closest(viewer, VIEWERS, "viewer")
    if viewer == "browser":
        if record is not None:
            raise OptionError("A web page cannot be recorded. Take viewer=film, or viewer=window, with record=.")
        return _in_browser(make(), seconds, port, language, announce)
    if not is_installed():
        raise MissingDependencyError(
            "The window and films are drawn by pybullet, which is not installed (`pip install 'diffkin[simulation]'`, on "
            "Python 3.10 or 3.11). viewer=browser does without (`pip install 'diffkin[viewer]'`)."
        )
    path = Path(record) if record is not None else folder / "film.mp4"
    problem = display_problem() if viewer == "window" else None
    if viewer == "window" and problem is None:
        from diffkin.demos.stages.window import play_in_window

        return play_in_window(
            make, seconds=seconds, record=record, fps=fps, film_size=film_size, size=window_size, announce=announce
        )
    if problem is not None:
        announce(f"No PyBullet window: {problem}. Making a film instead: {path}")
    from diffkin.demos.stages.film import film_demo

    length = _FILM_SECONDS if seconds is None else seconds
    return film_demo(
        make(), path, seconds=length, fps=fps, size=film_size, oversampling=oversampling, progress=progress
    )


def _in_browser(
    demo: Demo, seconds: float | None, port: int, language: str, announce: Callable[[str], object]
) -> Played:
    from diffkin.demos.stages.browser import BrowserStage

    scenes = 0

    def count(scene: object) -> None:
        nonlocal scenes
        scenes += 1

    began = time.monotonic()
    with asked_to_end() as ending, BrowserStage(demo, port=port, language=language) as stage:
        announce(f"{demo.title}: open {stage.url} in a browser; Ctrl-C ends it.")
        stage.play(seconds, count, lambda: ending.asked)
    took = time.monotonic() - began
    how = INTERRUPTED if seconds is None or took < seconds else TIME_IS_UP
    return Played(how, took, scenes, results={**demo.results(), **stage.figures()})
