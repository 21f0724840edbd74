"""The browser: a demo as a web page with gizmos to drag, by viser; needs no PyBullet."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

from diffkin.demos.scene import Demo, Moment, Scene
from diffkin.demos.stages.labels import check_language
from diffkin.demos.stages.web_panel import WebPanel
from diffkin.demos.stages.web_scene import WebScene, set_view
from diffkin.errors import MissingDependencyError

__all__ = ["BrowserStage"]

HOST = "127.0.0.1"
"""Where the page is served: to this machine alone."""


class BrowserStage:
    """A demo as a web page that this machine alone can open.

    The demo is stepped by one thread, the one that calls ``play``: at once when somebody touches a control, else a number
    of times a second.

    Args:
        demo: What is played.
        port: Where to serve; the next free one if it is taken. ``url`` tells.
        language: Of the labels, "en" or "zh".
        rate: Steps a second while nobody touches anything.

    Raises:
        diffkin.errors.MissingDependencyError: viser is not installed.
        diffkin.errors.UnknownNameError: There are no labels in that language.
    """

    def __init__(self, demo: Demo, *, port: int = 8080, language: str = "en", rate: float = 30.0) -> None:
        check_language(language)
        self.demo, self._rate = demo, rate
        self.latencies: list[float] = []
        """From each touch to the scene that answers it [s]."""
        self._ended = threading.Event()
        self.server = _server(port)
        """The ``viser.ViserServer``."""
        self._panel = WebPanel(self.server, demo, language)
        self._scene = WebScene(self.server)
        set_view(self.server, demo.view)
        scene = demo.begin()
        self._scene.draw(scene)
        self._panel.show(scene.shows, scene.readings)

    @property
    def url(self) -> str:
        """Where the page is, with the port that it really has."""
        return f"http://{HOST}:{self.server.get_port()}"

    def play(
        self,
        seconds: float | None = None,
        on_step: Callable[[Scene], object] = lambda scene: None,
        until: Callable[[], bool] = lambda: False,
    ) -> None:
        """Play until the time is over, or somebody wants the end.

        Args:
            seconds: How long; for ever if None.
            on_step: Called with each scene.
            until: Whether somebody wants the end; ``end`` says so from another thread.
        """
        start = last = time.perf_counter()
        while not (self._ended.is_set() or until()) and (seconds is None or last - start < seconds):
            wait = max(0.0, last + 1.0 / self._rate - time.perf_counter())
            values, touched = self._panel.take(wait)
            now = time.perf_counter()
            scene = self.demo.step(Moment(now - start, now - last, values, frozenset(touched)))
            last = now
            self._scene.draw(scene)
            if touched:  # the pose goes out before sliders and numbers are made
                self.server.flush()
                done = time.perf_counter()
                self.latencies += [done - begun for begun in touched.values()]
            self._panel.show(scene.shows, scene.readings)
            on_step(scene)

    def figures(self) -> dict[str, float | int]:
        """How many touches there were, and how soon the page was told the new pose: median and 95th percentile."""
        if len(self.latencies) < 2:
            return {"touches": len(self.latencies)}
        share = statistics.quantiles(self.latencies, n=20, method="inclusive")
        return {"touches": len(self.latencies), "median_ms": 1e3 * share[9], "p95_ms": 1e3 * share[18]}

    def end(self) -> None:
        """Have ``play`` return, from another thread."""
        self._ended.set()

    def close(self) -> None:
        """Stop serving."""
        with contextlib.redirect_stdout(io.StringIO()):  # it says that it stopped
            self.server.stop()

    def __enter__(self) -> BrowserStage:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _server(port: int) -> Any:
    if importlib.util.find_spec("viser") is None:
        raise MissingDependencyError(
            "The browser stage needs viser, which is not installed. Install it with `pip install 'diffkin[viewer]'`."
        )
    import viser

    with contextlib.redirect_stdout(io.StringIO()):  # its banner
        server = viser.ViserServer(host=HOST, port=port, verbose=False)
    server.gui.configure_theme(show_logo=False, show_share_button=False)
    server.scene.set_up_direction("+z")
    return server
