"""The window: shown under a virtual display, and never the end of the program without one."""

import os
import shutil
import subprocess

import pytest

import diffkin as dk
from diffkin.errors import DiffkinError
from diffkin.simulation import library, window

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


class _Slow:
    """A PyBullet whose window gives no answer at first, which reads as zeros."""

    def __init__(self, zeros: int) -> None:
        self.zeros = zeros

    def getDebugVisualizerCamera(self, physicsClientId: int) -> tuple:
        self.zeros -= 1
        matrix, vector = (0.0,) * 16, (0.0,) * 3
        size, angles = ((0, 0), (0.0, 0.0, 0.0)) if self.zeros >= 0 else ((1024, 768), (50.0, -20.0, 1.5))
        return (*size, matrix, matrix, *(vector,) * 4, *angles, vector)


def test_a_window_without_an_answer_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = _Slow(zeros=3)
    monkeypatch.setattr(window, "bullet", lambda: slow)
    camera = window.camera_now(0)
    assert (camera.width, camera.yaw, camera.pitch, camera.distance) == (1024, 50.0, -20.0, 1.5) and slow.zeros == -1
    monkeypatch.setattr(window, "_AIM_SECONDS", 0.05)
    slow.zeros = 10**6
    with pytest.raises(DiffkinError, match="does not say where its camera is"):
        window.camera_now(0)


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
