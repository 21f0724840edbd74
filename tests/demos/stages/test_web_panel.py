"""The panel of a page: what is touched there reaches the next step once, and what a hand holds is left alone."""

import asyncio
import types
from typing import Any

import pytest
import torch

from diffkin.demos.scene import Button, Choice, Gizmo, Reading, Slider
from diffkin.demos.stages import web_panel
from diffkin.demos.stages.web_panel import WebPanel
from diffkin.rotations import euler_to_matrix
from diffkin.transforms import pose

viser = pytest.importorskip("viser", reason="viser is not installed (pip install 'diffkin[viewer]')")

PLACE = pose(euler_to_matrix(torch.tensor([0.3, 0.2, 0.1]).double(), "ZYX"), torch.tensor([0.1, 0.2, 0.3]).double())


class Demo:
    title = "scara: move the joints"
    controls = (
        Slider("bank", 0.0, 45.0, 30.0, "deg", "joints"),
        Slider("turn", -2.094395, 2.094395, 0.5, "rad", "joints"),
        Button("reset"),
        Choice("solution", ("nearest", "any"), "nearest"),
        Choice("motion", ("placed", "motors"), "placed", physics=True),
        Gizmo("target", PLACE, 0.2),
    )


@pytest.fixture
def panel() -> Any:
    server = viser.ViserServer(host="127.0.0.1", port=8180, verbose=False)
    yield WebPanel(server, Demo(), "zh")  # type: ignore[arg-type]
    server.stop()


def by_hand(panel: WebPanel, name: str, **event: Any) -> None:
    """What viser does where somebody works a control."""
    handle = panel._handles[name]
    hooks = handle._impl_aux.update_cb if name == "target" else handle._impl.update_cb
    told = types.SimpleNamespace(client=object(), target=handle, **event)
    asyncio.run(hooks[-1](told))


def test_a_touch_is_told_once(panel: WebPanel) -> None:
    panel._handles["bank"]._impl.value = 12.0
    by_hand(panel, "bank")
    by_hand(panel, "reset")
    values, touched = panel.take(0.0)
    assert set(touched) == {"bank", "reset"} and values["bank"] == 12.0
    assert panel.take(0.0)[1] == {}


def test_a_choice_is_told_in_english(panel: WebPanel) -> None:
    menu = panel._handles["solution"]
    assert menu.options == ("最近", "任一") and menu.label == "解"
    menu._impl.value = "任一"
    by_hand(panel, "solution")
    assert panel.take(0.0)[0]["solution"] == "any"


def test_what_needs_physics_is_left_out(panel: WebPanel) -> None:
    assert set(panel._handles) == {"bank", "turn", "reset", "solution", "target"}
    assert panel.take(0.0)[0]["motion"] == "placed"
    panel.show({"motion": "motors", "bank": 20.0}, ())
    assert panel._handles["bank"].value == 20.0


def test_a_slider_shows_few_decimals_and_no_negative_zero(panel: WebPanel) -> None:
    slider = panel._handles["turn"]
    assert slider.precision == 3
    panel.show({"turn": -1e-5}, ())
    assert str(slider.value) == "0.0"
    panel.show({"turn": 0.66052}, ())
    assert slider.value == 0.661
    assert panel.take(0.0)[0]["turn"] == 0.66052  # the demo keeps what it set
    panel.show({"turn": 2.094395}, ())
    assert slider.value == 2.094 <= slider.max


def test_a_gizmo_gives_a_pose(panel: WebPanel) -> None:
    gizmo = panel._handles["target"]
    assert torch.allclose(torch.as_tensor(panel.take(0.0)[0]["target"]), PLACE)
    gizmo.position = (0.5, 0.6, 0.7)
    by_hand(panel, "target", phase="update")
    told = torch.as_tensor(panel.take(0.0)[0]["target"])
    assert told[:3, 3].tolist() == pytest.approx([0.5, 0.6, 0.7])
    assert torch.allclose(told[:3, :3], PLACE[:3, :3], atol=1e-12)


def test_what_is_held_is_left_alone_until_it_is_let_go(panel: WebPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(web_panel.time, "perf_counter", lambda: clock[0])
    panel._handles["bank"]._impl.value = 12.0
    by_hand(panel, "bank")
    panel.show({"bank": 20.0}, ())  # touched, and not yet taken
    panel.take(0.0)
    panel.show({"bank": 20.0}, ())  # held
    assert panel._handles["bank"].value == 12.0
    clock[0] += web_panel.HOLD + 0.01
    panel.show({"bank": 20.0, "solution": "any", "target": torch.eye(4).double()}, ())
    assert panel._handles["bank"].value == 20.0
    assert panel._handles["solution"].value == "任一"
    assert panel._handles["target"].position.tolist() == [0.0, 0.0, 0.0]
    values, touched = panel.take(0.0)
    assert values["bank"] == 20.0 and touched == {}  # the demo's own doing is no touch
    panel.show({"bank": 50.0}, ())
    assert panel._handles["bank"].value == 45.0  # no farther than the slider goes
    panel.show({"bank": -1e-12}, ())
    assert str(panel._handles["bank"].value) == "0.0"  # not -0


def test_a_wait_ends_with_a_touch(panel: WebPanel) -> None:
    by_hand(panel, "reset")
    assert set(panel.take(60.0)[1]) == {"reset"}  # at once


def test_readings_are_written_safely(panel: WebPanel) -> None:
    panel.show({}, (Reading("success", True), Reading("bank now", 12.3456, "deg"), Reading("<b>", "a & b")))
    text = panel._readings.content
    assert "成功" in text and "是" in text and "12.3 deg" in text
    assert "&lt;b&gt;" in text and "a &amp; b" in text
