"""Make the pictures of docs/demos.md that show the arm: ``python -m tests.demos.pictures [window] [film] [modes]
[solutions] [browser]``."""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

import diffkin as dk
from diffkin.demos.arm import bullet_opinion, make_arm_demo
from diffkin.demos.arm.surroundings import Surroundings
from diffkin.demos.scene import Demo, Moment, Scene, Value, first_values
from diffkin.demos.stages.browser import BrowserStage
from diffkin.demos.stages.film import film_demo
from tests.demos.display import ROOT, running_demo, virtual_display
from tests.demos.stages.chromium import chromium, drag, on_screen, open_page, picture
from tests.plotting.films import read_film

IMAGES = ROOT / "docs" / "images"


def window() -> None:
    """The window as it stands after some seconds."""
    with (
        virtual_display(1280, 830) as display,
        tempfile.TemporaryDirectory() as folder,
        running_demo(display, Path(folder), "robot=franka_panda") as process,
    ):
        time.sleep(6.0)
        display.screenshot(IMAGES / "demo_window.png")
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        process.wait(60)


def film() -> None:
    """The follow demo as a GIF."""
    robot = dk.load_robot("franka_panda")
    demo = make_arm_demo(robot, "follow", opinion=bullet_opinion(robot))
    film_demo(demo, IMAGES / "demo_arm.gif", seconds=8.0, fps=10, size=(560, 420), oversampling=2)


def modes() -> None:
    """One frame of each other mode, side by side."""
    from PIL import Image

    robot = dk.load_robot("franka_panda")
    frames = []
    for mode in ("lissajous", "reach", "learned"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "film.mp4"
            demo = make_arm_demo(robot, mode, opinion=bullet_opinion(robot))
            film_demo(demo, path, seconds=6.0, fps=5, size=(640, 440))
            frames.append(read_film(path).frames[-1])
    Image.fromarray(np.concatenate(frames, axis=1)).save(IMAGES / "demo_modes.png", optimize=True)


def solutions() -> None:
    """All solutions of a pose: of an arm that has finitely many, and of one with self-motion."""
    from PIL import Image

    frames = []
    for name in ("xarm6", "franka_panda"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "film.mp4"
            demo = make_arm_demo(dk.load_robot(name), "follow")
            film_demo(Showing(demo, {"all solutions": "on"}), path, seconds=0.4, fps=5, size=(640, 480))
            frames.append(read_film(path).frames[-1])
    Image.fromarray(np.concatenate(frames, axis=1)).save(IMAGES / "demo_solutions.png", optimize=True)


def browser() -> None:
    """The page with the arm, its gizmo, the ellipsoid and the readings."""
    robot = dk.load_robot("kuka_iiwa")
    demo = Showing(Surroundings(make_arm_demo(robot), robot), {"show": "ellipsoid"})
    with chromium() as page, BrowserStage(demo) as stage:
        thread = threading.Thread(target=stage.play)
        thread.start()
        client = open_page(page, stage.url, stage.server)
        start, end = (on_screen(page, client, place) for place in ((0.0, 0.0, 0.1), (0.15, -0.05, 0.1)))
        drag(page, start, end)  # past the gizmo: it turns the camera
        time.sleep(2.0)
        picture(page, IMAGES / "demo-browser.png")
        stage.end()
        thread.join()


class Showing:
    """A demo in whose rehearsal nothing is touched, but choices show what they are told."""

    def __init__(self, demo: Demo, chosen: Mapping[str, Value]) -> None:
        self.title, self.view, self._demo = demo.title, demo.view, demo
        self.controls = tuple(
            replace(each, value=chosen[each.name]) if each.name in chosen else each for each in demo.controls
        )
        self.step, self.results = demo.step, demo.results

    def begin(self) -> Scene:
        self._demo.begin()
        return self.step(Moment(0.0, 0.0, first_values(self.controls)))

    def rehearsal(self, t: float) -> Mapping[str, Value]:
        return {}


if __name__ == "__main__":
    made = {"window": window, "film": film, "modes": modes, "solutions": solutions, "browser": browser}
    for name in sys.argv[1:] or made:
        made[name]()
