"""The browser as a person has it: a page in headless Chromium, its gizmo, sliders, menus and buttons worked by the mouse."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

import diffkin as dk
from diffkin.demos.arm import make_arm_demo
from diffkin.demos.arm.surroundings import Surroundings
from diffkin.demos.joints import JointsDemo
from diffkin.demos.scene import Demo, Moment, Scene, Value, View
from diffkin.demos.stages import browser
from diffkin.demos.stages.browser import BrowserStage
from diffkin.errors import MissingDependencyError, UnknownNameError
from tests.demos.stages.chromium import chromium, drag, on_screen, open_page, picture, wait_for
from tests.fresh import run_code

pytest.importorskip(
    "viser", reason="viser is not installed (pip install 'diffkin[viewer]'): the browser was not tested"
)

ROOT = Path(__file__).resolve().parents[3]


class Watched:
    """A demo, and the last of what it was told and said."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.title, self.controls, self.view = demo.title, demo.controls, demo.view
        self.touched: list[frozenset[str]] = []
        self.values: dict[str, Value] = {}

    def begin(self) -> Scene:
        self.scene = self.demo.begin()
        return self.scene

    def step(self, moment: Moment) -> Scene:
        self.scene = self.demo.step(moment)
        self.values = dict(moment.values)
        if moment.touched:
            self.touched.append(moment.touched)
        return self.scene

    def results(self) -> dict[str, object]:
        return dict(self.demo.results())

    def rehearsal(self, t: float) -> dict[str, Value]:
        return {}


@contextmanager
def playing(demo: Demo, **options: object) -> Iterator[BrowserStage]:
    """A stage that plays in a thread of its own."""
    with BrowserStage(demo, **options) as stage:  # type: ignore[arg-type]
        thread = threading.Thread(target=stage.play)
        thread.start()
        try:
            yield stage
        finally:
            stage.end()
            thread.join()


def handle_of(watched: Watched) -> tuple[torch.Tensor, float]:
    """The target's pose and how long the arrows of its gizmo are."""
    target = watched.scene.shows["target"]
    size = next(control.size for control in watched.controls if type(control).__name__ == "Gizmo")  # type: ignore[union-attr]
    return torch.as_tensor(target), size


def test_a_person_moves_an_arm(tmp_path: Path) -> None:
    robot = dk.load_robot("kuka_iiwa") if "kuka_iiwa" in dk.robot_names() else dk.load_robot("scara")
    watched = Watched(Surroundings(make_arm_demo(robot), robot))
    watched.begin()  # compiles what is not yet
    with chromium() as page, playing(watched, rate=10.0) as stage:
        client = open_page(page, stage.url, stage.server)

        # the gizmo: its z arrow is dragged along itself, out of the page it stays where the mouse let go
        target, size = handle_of(watched)
        arrow = target[:3, 3] + 0.85 * size * target[:3, 2]
        start, end = (on_screen(page, client, (arrow - back * target[:3, 2]).numpy()) for back in (0.0, 0.12))
        drag(page, start, end)
        wait_for(lambda: any("target" in touched for touched in watched.touched))
        wait_for(lambda: float((handle_of(watched)[0][:3, 3] - target[:3, 3]).norm()) > 0.05)
        wait_for(lambda: watched.scene.reading("success").value is True)
        moved = handle_of(watched)[0]
        along = (moved[:3, 3] - target[:3, 3]) @ target[:3, 2]
        assert float(along) == pytest.approx(-0.12, abs=0.04)
        arm = watched.scene.bodies[0]
        assert float((arm.robot.forward_kinematics(arm.q) - moved)[:3, 3].norm()) < 1e-6
        assert watched.scene.reading("position error").value < 1e-3  # [mm]
        assert stage.figures()["touches"] >= 5

        # a joint slider: the arm turns, and the target and the other controls follow
        first = page.find_elements("css selector", ".mantine-Slider-thumb")[6]
        box = first.rect
        middle = (round(box["x"] + 0.5 * box["width"]), round(box["y"] + 0.5 * box["height"]))
        before = arm.q.clone()
        drag(page, middle, (middle[0] + 15, middle[1]), moves=5)
        wait_for(lambda: any(robot.joint_names[0] in touched for touched in watched.touched))
        wait_for(lambda: abs(float(watched.scene.bodies[0].q[0] - before[0])) > 0.05)
        wait_for(lambda: torch.allclose(torch.as_tensor(watched.values["target"]), handle_of(watched)[0], atol=1e-5))

        # a button
        button = next(each for each in page.find_elements("css selector", "button") if each.text == "reset")
        page.execute_script("arguments[0].scrollIntoView()", button)
        button.click()
        wait_for(lambda: any("reset" in touched for touched in watched.touched))
        wait_for(lambda: torch.allclose(handle_of(watched)[0], target, atol=1e-9))

        stage.end()
        image = picture(page, tmp_path / "arm.png")
        assert image[:, :900].std() > 20.0
        red = (image[..., 0] > 200) & (image[..., 1] < 90) & (image[..., 2] < 130)
        assert red.sum() > 50  # the x axes
        print("p95", stage.figures(), tmp_path)


def test_the_port_is_the_one_that_was_free() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with BrowserStage(JointsDemo(dk.load_robot("scara")), port=port) as stage:
            assert stage.url != f"http://127.0.0.1:{port}"
            with socket.create_connection(("127.0.0.1", int(stage.url.rpartition(":")[2])), timeout=5.0):
                pass


def test_it_ends_when_its_time_is_over() -> None:
    scenes: list[Scene] = []
    with BrowserStage(JointsDemo(dk.load_robot("scara"))) as stage:
        stage.play(0.3, scenes.append)
    assert len(scenes) >= 2
    assert stage.figures() == {"touches": 0}


@pytest.mark.parametrize("ending", ["time", "interrupt", "terminate"])
def test_the_script_ends_cleanly(ending: str, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "demo_arm.py"), "robot=scara", "mode=joints", "viewer=browser"]
    seconds = 1 if ending == "time" else 60
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    arguments = [*command, f"seconds={seconds}", f"hydra.run.dir={tmp_path}"]
    with subprocess.Popen(
        arguments, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told = process.stdout.readline()
        while "http" not in told:
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            told = process.stdout.readline()
        if ending != "time":
            process.send_signal(signal.SIGINT if ending == "interrupt" else signal.SIGTERM)
        _, errors = process.communicate(timeout=60.0)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert (tmp_path / "results.json").is_file()


def test_it_does_without_pybullet() -> None:
    code = """
import importlib.util, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name.startswith("pybullet") else found(name, *rest)
sys.modules["pybullet"] = sys.modules["pybullet_data"] = None
import diffkin as dk
from diffkin import aircraft
from diffkin.demos.aircraft import AIRCRAFT_MODES, aircraft_demo
from diffkin.demos.arm import make_arm_demo
from diffkin.demos.arm.surroundings import Surroundings
from diffkin.demos.stages.browser import BrowserStage
airframe, arm = aircraft.load_airframe("quadrotor"), dk.load_robot("scara")
for demo in (*(aircraft_demo(mode, airframe) for mode in AIRCRAFT_MODES), Surroundings(make_arm_demo(arm), arm)):
    with BrowserStage(demo) as stage:
        stage.play(0.2)
print(aircraft_demo("fly", airframe).results()["flown_by"])
"""
    done = run_code(code)
    assert done.returncode == 0, done.stderr
    assert "diffkin (PyBullet is not installed)" in done.stdout


def test_viser_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    demo = JointsDemo(dk.load_robot("scara"))
    monkeypatch.setattr(browser.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"diffkin\[viewer\]"):
        BrowserStage(demo)


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="zh"):
        BrowserStage(JointsDemo(dk.load_robot("scara")), language="german")


def test_the_view_has_a_floor_or_none() -> None:
    demo = JointsDemo(dk.load_robot("scara"))
    demo.view = View((0.0, 0.0, 0.5), 1.0, floor=None)
    with BrowserStage(demo) as stage:
        assert stage.server.scene.get_handle_by_name("/floor") is None
