"""The panel's logic, with a PyBullet that only remembers: what is made, what counts as touched, what is set when."""

import pytest

from diffkin.demos.scene import Button, Choice, Gizmo, Slider
from diffkin.demos.stages import panel as panels
from diffkin.demos.stages.panel import PAUSE, Panel, described

CONTROLS = (
    Slider("x", -1.0, 1.0, 0.0, "m", "target"),
    Slider("joint", -3.0, 3.0, 1.0, "rad", "joints"),
    Choice("solver", ("adam", "lbfgs"), "adam", "how"),
    Button("reset", "back"),
)


class Remembering:
    """Parameters by number, as PyBullet keeps them."""

    def __init__(self) -> None:
        self.labels: dict[int, str] = {}
        self.values: dict[int, float] = {}
        self.events: list[tuple] = []
        self.made = 0

    def removeAllUserParameters(self, physicsClientId: int) -> None:
        self.labels, self.values = {}, {}

    def addUserDebugParameter(self, label: str, low: float, high: float, value: float, physicsClientId: int) -> int:
        self.made += 1
        self.labels[self.made], self.values[self.made] = label, value if low < high else 0.0
        return self.made

    def readUserDebugParameter(self, number: int, physicsClientId: int) -> float:
        return self.values[number]

    def getMouseEvents(self, physicsClientId: int) -> list[tuple]:
        events, self.events = self.events, []
        return events

    def set(self, label: str, value: float) -> None:
        (number,) = (number for number, each in self.labels.items() if each == label)
        self.values[number] = value

    def press(self, label: str) -> None:
        (number,) = (number for number, each in self.labels.items() if each == label)
        self.values[number] += 1


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Remembering:
    window = Remembering()
    monkeypatch.setattr(panels, "bullet", lambda: window)
    return window


def test_one_group_of_sliders_is_on_show(window: Remembering) -> None:
    panel = Panel(0, CONTROLS)
    assert list(window.labels.values()) == ["x [m]", "show joints", "solver: adam", "reset", PAUSE]
    window.press("show joints")
    assert panel.read().names == frozenset()
    assert list(window.labels.values())[:2] == ["joint [rad]", "show target"]
    assert panel.values == {"x": 0.0, "joint": 1.0, "solver": "adam"}


def test_what_was_touched_is_told_once(window: Remembering) -> None:
    panel = Panel(0, CONTROLS)
    window.set("x [m]", 0.5)
    window.press("reset")
    window.press(PAUSE)
    touch = panel.read()
    assert touch.names == {"x", "reset"} and touch.paused == 1 and panel.values["x"] == 0.5
    assert panel.read() == panels.Touch(frozenset(), 0)


def test_a_choice_goes_round_and_its_label_with_it(window: Remembering) -> None:
    panel = Panel(0, CONTROLS)
    for name in ("lbfgs", "adam"):
        window.press(f"solver: {'adam' if name == 'lbfgs' else 'lbfgs'}")
        assert panel.read().names == {"solver"} and panel.values["solver"] == name
        assert f"solver: {name}" in window.labels.values()


def test_a_set_slider_is_no_touched_one_and_waits_for_the_mouse(window: Remembering) -> None:
    panel = Panel(0, CONTROLS)
    made = window.made
    panel.show({"x": 0.001, "joint": 2.0})  # as good as there, and not on show
    assert window.made == made and panel.values["joint"] == 2.0
    window.events = [(2, 1200, 100, 0, 3)]  # the left button goes down
    panel.read()
    panel.show({"x": 0.8})
    assert window.made == made
    window.events = [(2, 1200, 100, 0, 4)]
    panel.read()
    panel.show({"x": 0.8})
    assert window.made > made and panel.values["x"] == 0.8
    assert panel.read().names == frozenset()
    panel.show({"x": 7.0})  # beyond its end
    assert panel.values["x"] == 1.0


def test_all_controls_are_described(window: Remembering) -> None:
    import torch

    lines = described((*CONTROLS, Gizmo("drag", torch.eye(4))))
    assert lines == [
        "x: slider, -1 to 1 m",
        "joint: slider, -3 to 3 rad",
        "solver: adam, lbfgs; how",
        "reset: button; back",
    ]


def test_a_slider_shows_no_negative_zero(window: Remembering) -> None:
    narrow = Slider("narrow", -1e-3, 1e-3, 0.0)
    panel = Panel(0, (Slider("wide", -1.0, 1.0, -1e-9), narrow))
    assert list(window.values.values())[0] == 0.0 and str(list(window.values.values())[0]) == "0.0"
    panel.show({"narrow": -4e-4})
    assert list(window.values.values())[1] == -4e-4  # which is much of its range
    made = window.made
    panel.show({"narrow": -4e-4, "wide": -1e-9})
    assert window.made == made  # and nothing is made anew for it
