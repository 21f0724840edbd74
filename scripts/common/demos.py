"""What the demo scripts share: on which stage, how long, and what is left behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.given import unused
from common.results import save_results
from common.settings import A_DAY, check_positive, choose
from common.tables import progress_bar, say, show_pairs
from diffkin.demos.scene import Demo
from diffkin.demos.stages.play import VIEWERS, play
from diffkin.simulation.library import display_problem, is_installed

__all__ = ["ViewerConfig", "check_stage", "run_demo"]


@dataclass(frozen=True)
class ViewerConfig:
    """The stage."""

    name: str
    width: int
    height: int
    film_width: int
    film_height: int
    fps: float
    oversampling: int
    port: int
    language: str


def check_stage(config: Any) -> None:
    """Raise for values out of range of ``viewer`` and ``seconds``."""
    choose(config.viewer.name, VIEWERS, "viewer")
    sizes = ("width", "height", "film_width", "film_height", "fps", "oversampling", "port")
    check_positive(config, *(f"viewer.{name}" for name in sizes))
    check_positive(config, "seconds", most=A_DAY)
    choose(config.viewer.language, ("en", "zh"), "viewer.language")
    _check_viewer(config.viewer.name, record=config.record is not None)


def _check_viewer(name: str, record: bool) -> None:
    """Raise for settings of the viewer that were given for another one."""
    of_window, of_film, of_page = ("width", "height"), ("film_width", "film_height", "fps"), ("port", "language")
    window = name == "window" and is_installed() and display_problem() is None  # else a film is made in its place
    groups = [
        (of_window, name == "film", "a film needs no window"),
        (of_film, window and not record, "no film is made; give record= too"),
        (("oversampling",), window, "films of a window are as it is drawn"),
        ((*of_window, *of_film, "oversampling"), name == "browser", "the browser draws, and nothing is recorded"),
        (of_page, name != "browser", "it is for viewer=browser"),
    ]
    for keys, idle, why in groups:
        for key in keys if idle else ():
            unused(f"viewer.{key}", why)


def run_demo(
    make: Callable[[], Demo], viewer: ViewerConfig, folder: Path, seconds: float | None, record: str | None
) -> None:
    """Play a demo, and write ``results.json`` however it ended."""
    with progress_bar() as bar:
        task = bar.add_task("drawing", total=None, visible=False)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=True)

        played = play(
            make,
            viewer.name,
            folder,
            seconds=seconds,
            record=record,
            fps=viewer.fps,
            film_size=(viewer.film_width, viewer.film_height),
            window_size=(viewer.width, viewer.height),
            oversampling=viewer.oversampling,
            port=viewer.port,
            language=viewer.language,
            announce=say,
            progress=progress,
        )
    figures = played.figures()
    show_pairs("Result", figures.items())
    if played.film is not None:
        say(f"Film: {played.film}")
    save_results(folder, figures)
