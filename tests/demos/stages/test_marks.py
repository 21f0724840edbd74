"""Lines and text of the window: only what changed is sent."""

import numpy as np
import pytest
import torch

from diffkin.demos.scene import Line, Points, Reading
from diffkin.demos.stages import marks
from diffkin.simulation import window as simulation_window


class Remembering:
    """Items by number, as PyBullet keeps them; every call is counted."""

    def __init__(self) -> None:
        self.items: dict[int, tuple] = {}
        self.calls = 0
        self.made = 0
        self.yaw = 0.0

    def _add(self, *content: object, replaceItemUniqueId: int = -1, physicsClientId: int = 0, **look: object) -> int:
        self.calls += 1
        self.items.pop(replaceItemUniqueId, None)
        self.made += 1
        self.items[self.made] = content
        return self.made

    addUserDebugLine = addUserDebugPoints = addUserDebugText = _add

    def removeUserDebugItem(self, number: int, physicsClientId: int) -> None:
        self.calls += 1
        del self.items[number]

    def getDebugVisualizerCamera(self, physicsClientId: int) -> tuple:
        turn = np.eye(4)
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        turn[:2, :2] = [[c, -s], [s, c]]
        return (
            1280,
            800,
            turn.T.ravel().tolist(),
            np.diag([0.6, 1.0, 1.0, 1.0]).ravel().tolist(),
            *[0.0] * 6,
            2.0,
            (0, 0, 1),
        )


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Remembering:
    window = Remembering()
    monkeypatch.setattr(marks, "bullet", lambda: window)
    monkeypatch.setattr(simulation_window, "bullet", lambda: window)
    return window


def test_a_growing_trail_costs_one_call_a_point(window: Remembering) -> None:
    drawn = marks.Marks(0)
    points = torch.rand(12, 3, generator=torch.Generator().manual_seed(0))
    drawn.draw([Line("trail", points[:8])], [])
    assert len(window.items) == 7
    for k in range(4):  # it moves on: one piece more at its end, one less at its beginning
        window.calls = 0
        drawn.draw([Line("trail", points[k + 1 : k + 9])], [])
        assert window.calls == 1 and len(window.items) == 7
    drawn.draw([], [])
    assert window.items == {}


def test_a_cloud_is_drawn_again_only_when_it_is_another(window: Remembering) -> None:
    drawn = marks.Marks(0)
    cloud = Points("cloud", torch.rand(5, 3))
    for each in (cloud, Points("cloud", cloud.points)):
        drawn.draw([], [each])
    assert window.calls == 1 and len(next(iter(window.items.values()))[0]) == 5
    drawn.draw([], [Points("cloud", cloud.points.clone())])
    assert window.calls == 2 and len(window.items) == 1
    drawn.draw([], [])
    assert window.items == {}


def test_text_is_written_again_where_it_or_the_camera_changed(window: Remembering) -> None:
    readout = marks.Readout(0)
    readings = [Reading("error", 0.5, "mm"), Reading("success", True)]
    readout.draw(readings, ["keys"])
    assert [content[0] for content in window.items.values()] == ["error: 0.5 mm", "success: yes", "keys"]
    window.calls = 0
    readout.draw([Reading("error", 0.25, "mm"), readings[1]], ["keys"])
    assert window.calls == 1
    window.yaw, window.calls = 0.3, 0
    readout.draw([Reading("error", 0.25, "mm"), readings[1]], ["keys"])
    assert window.calls == 3
    readout.draw(readings[:1])
    assert len(window.items) == 1
