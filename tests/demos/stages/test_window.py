"""PyBullet's window as a person plays with it: under a virtual display, with a real mouse and real keys."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import diffkin as dk
from diffkin.demos.joints import JointsDemo
from diffkin.demos.scene import Scene
from diffkin.demos.stages import window
from diffkin.demos.stages.ending import CLOSED, ESCAPE, INTERRUPTED, TIME_IS_UP
from diffkin.errors import OptionError
from diffkin.simulation import library
from diffkin.simulation.window import WindowCamera, camera_now
from tests.demos.closing import end_once
from tests.demos.display import Display, handles, missing, running_demo, virtual_display
from tests.plotting.films import read_film

pytestmark = [
    pytest.mark.gui,
    pytest.mark.skipif(not library.is_installed(), reason="needs pybullet"),
    pytest.mark.skipif(bool(missing()), reason=missing()),
]


@pytest.fixture(scope="module")
def display() -> Iterator[Display]:
    with virtual_display() as display:
        yield display


def _arm(picture: np.ndarray) -> np.ndarray:
    """Where the KUKA's own light blue is; the blue of frames has no red in it."""
    red, green, blue = picture[..., 0], picture[..., 1], picture[..., 2]
    return (blue - red > 50) & (red > 40) & (green - red > 15)


def test_a_dragged_slider_moves_the_target_and_the_arm_reaches_it(display: Display, tmp_path: Path) -> None:
    """A slider is dragged by its handle: its value changes, the arm follows in the picture, the numbers say so."""
    with running_demo(display, tmp_path, "robot=kuka_iiwa", "record=film.mp4", "viewer.fps=5") as process:
        before = display.screenshot(tmp_path / "before.png")
        found = handles(before)
        assert len(found) == 6  # x, y, z, roll, pitch, yaw
        x, y = found[2]
        display.drag((x, y), (x - 25, y))
        arm = _arm(before)

        def followed(picture: np.ndarray) -> bool:
            """The handle is elsewhere, the others are not, and the arm moved."""
            now = handles(picture)
            return (
                len(now) == 6
                and now[2][0] < x - 10
                and now[0] == found[0]
                and (_arm(picture) ^ arm).sum() > 0.1 * arm.sum()
            )

        assert display.wait_until(followed, tmp_path / "after.png")
        process.send_signal(signal.SIGINT)
        printed = process.stdout.read()
        assert process.wait(60) == 0, printed
    assert "Traceback" not in printed
    rows = np.flatnonzero(arm.sum(1) > 3)
    assert rows[-1] - rows[0] > before.shape[0] / 3  # the camera frames the robot
    (path,) = tmp_path.rglob("results.json")
    results = json.loads(path.read_text())
    start = JointsDemo(dk.load_robot("kuka_iiwa"))
    home = start.robot.forward_kinematics(start.begin().bodies[0].q)
    assert results["ended"] == INTERRUPTED and results["solved"] == results["solves"] > 1
    assert results["target_z_m"] < float(home[2, 3]) - 0.05
    for axis in "xyz":
        assert results[f"reached_{axis}_m"] == pytest.approx(results[f"target_{axis}_m"], abs=1e-3)
    film = read_film(tmp_path / "film.mp4")
    assert len(film.frames) == results["film_frames"] > 1
    assert np.abs(film.frames[0].astype(int) - film.frames[-1]).mean() > 0.3


@pytest.mark.parametrize(
    ("way", "how"),
    [("esc", ESCAPE), ("close_button", CLOSED), ("ctrl_c", INTERRUPTED), ("seconds", TIME_IS_UP)],
)
def test_every_end_is_a_clean_one(way: str, how: str, display: Display, tmp_path: Path) -> None:
    end = end_once(display, tmp_path, way)
    assert end.code == 0, end.printed
    assert "Traceback" not in end.printed
    assert end.results["ended"] == how
    assert end.results["film_frames"] == len(read_film(end.film).frames) >= 1


def _camera(send, view) -> None:
    """What the window's process of the next test does: open, aim, tell where the camera is."""
    with window.open_window(640, 480, (1.0, 1.0, 1.0)) as client:
        window.aim(client, *window._framed(view))
        send(tuple(camera_now(client)))


def test_the_camera_stands_where_the_view_wants_it(display: Display, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", display.name)
    view = JointsDemo(dk.load_robot("kuka_iiwa")).view
    read: list = []
    assert window.supervise(_camera, view, receive=read.append) == "done"
    camera = WindowCamera(*read[0])
    wanted = window._framed(view)
    assert (camera.distance, camera.yaw, camera.pitch) == pytest.approx(wanted[1:], abs=1e-3)
    assert camera.target == pytest.approx(wanted[0], abs=1e-3)


class _Failing(JointsDemo):
    """A demo with a mistake in it."""

    def step(self, moment) -> Scene:
        raise OptionError("this demo cannot go on")


def _failing() -> _Failing:
    return _Failing(dk.load_robot("planar_2r"))


def test_what_a_demo_raises_is_raised_here(display: Display, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", display.name)
    with pytest.raises(OptionError, match="this demo cannot go on"):
        window.play_in_window(_failing, size=(640, 480), announce=lambda line: None)
