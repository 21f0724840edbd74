"""The window: shown under a virtual display, and never the end of the program without one."""

import os
import shutil
import subprocess
from collections.abc import Callable

import pytest

import diffkin as dk
from diffkin.demos.stages.pictures import start_graphics
from diffkin.errors import DiffkinError
from diffkin.simulation import library, window
from diffkin.simulation.world import open_world

pytestmark = pytest.mark.skipif(not library.is_installed(), reason="needs pybullet")


def test_without_display_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    robot = dk.load_robot("planar_2r")
    said = window.show_solutions(robot, robot.sample(1), robot.forward_kinematics(robot.sample(1)))
    if library.display_problem() is None:
        pytest.skip("this platform always has a display")
    assert "no display" in said


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch):
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed (Debian: xvfb, libgl1-mesa-dri, libgl1): the window was not tested")
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "800x600x24", "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as pipe:
        number = pipe.readline().strip()
    monkeypatch.setenv("DISPLAY", f":{number}")
    yield number
    server.terminate()
    server.wait()


class _Gone:
    """A PyBullet whose window is closed, which reads as zeros."""

    error = RuntimeError

    def getDebugVisualizerCamera(self, physicsClientId: int) -> tuple:
        matrix, vector = (0.0,) * 16, (0.0,) * 3
        return (0, 0, matrix, matrix, *(vector,) * 4, 0.0, 0.0, 0.0, vector)


def test_a_window_that_is_closed_has_no_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "bullet", lambda: _Gone())
    with pytest.raises(RuntimeError, match="closed"):
        window.camera_now(0)


def test_a_window_beside_an_open_world_is_refused() -> None:
    with (
        open_world(),
        pytest.raises(DiffkinError, match="in use in this process"),
        window.open_window(64, 64, (1, 1, 1)),
    ):
        pass


def _seen(send: Callable[[object], None]) -> None:
    with window.open_window(320, 240, (1.0, 1.0, 1.0)) as client:
        window.aim(client, (0.0, 0.0, 0.5), 2.0, 30.0, -10.0)
        send(tuple(window.camera_now(client)))


@pytest.mark.gui
@pytest.mark.parametrize("graphics", [False, True])
def test_worlds_that_are_open_do_not_disturb_the_window(display: str, graphics: bool) -> None:
    read: list = []
    with open_world() as client, open_world() as other:
        if graphics:
            start_graphics(client)
        assert window.supervise(_seen, receive=read.append) == window.DONE
        assert library.bullet().isConnected(client) and library.bullet().isConnected(other)
    camera = window.WindowCamera(*read[0])
    assert (camera.width, camera.height) == (320, 240)
    assert (camera.distance, camera.yaw, camera.pitch) == pytest.approx((2.0, 30.0, -10.0), abs=1e-3)


def _nothing(client: int) -> None:
    assert library.bullet().getConnectionInfo(client)["connectionMethod"] == library.bullet().GUI


def _killed(client: int) -> None:
    os._exit(1)  # what happens to the process when the window is closed by its X button


@pytest.mark.gui
def test_runs_in_a_window(display: str) -> None:
    assert window.run_in_window(_nothing) == "shown"


@pytest.mark.gui
def test_closing_the_window_ends_cleanly(display: str) -> None:
    assert "was closed" in window.run_in_window(_killed)


@pytest.mark.gui
def test_shows_an_arm(display: str) -> None:
    robot = dk.load_robot("planar_2r")
    q = robot.sample(1, seed=1)
    assert window.show_solutions(robot, q, robot.forward_kinematics(q), linger_seconds=0.0) == "shown"
