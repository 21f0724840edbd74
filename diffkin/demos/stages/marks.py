"""Lines, points and readings in PyBullet's window, changed only where the scene changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from diffkin.demos.scene import Color, Line, Points, Reading
from diffkin.simulation.library import bullet
from diffkin.simulation.window import camera_now

__all__ = ["Marks", "Readout"]

_DEPTH = 0.5  # where text floats in front of the camera [m]; its size on the screen is the same everywhere
_LINE_PIXELS = 20
_TEXT_COLOR = (0.05, 0.05, 0.1)
_PANELS = (262, 34)  # how far from the left and upper edge the picture begins that panels leave free [pixels]

_Segment = tuple[float, ...]


class Marks:
    """Keeps the window's lines and points like those of the scenes it is given.

    Args:
        client: The window.
    """

    def __init__(self, client: int) -> None:
        self.client = client
        self._segments: dict[_Segment, int] = {}
        self._clouds: dict[str, tuple[Points, int]] = {}

    def draw(self, lines: Sequence[Line], points: Sequence[Points]) -> None:
        """Draw what is new in place of what is no more."""
        wanted = dict.fromkeys(segment for line in lines for segment in _segments(line))
        free = [segment for segment in self._segments if segment not in wanted]
        p = bullet()
        for segment in wanted:
            if segment in self._segments:
                continue
            old = {"replaceItemUniqueId": self._segments.pop(free.pop())} if free else {}
            self._segments[segment] = p.addUserDebugLine(
                segment[0:3], segment[3:6], segment[6:9], segment[9], physicsClientId=self.client, **old
            )
        for segment in free:
            p.removeUserDebugItem(self._segments.pop(segment), physicsClientId=self.client)
        self._draw_clouds(points)

    def _draw_clouds(self, points: Sequence[Points]) -> None:
        p = bullet()
        for name in [name for name in self._clouds if name not in {cloud.name for cloud in points}]:
            p.removeUserDebugItem(self._clouds.pop(name)[1], physicsClientId=self.client)
        for cloud in points:
            known = self._clouds.get(cloud.name)
            if known is not None and known[0].points is cloud.points:
                continue
            old = {} if known is None else {"replaceItemUniqueId": known[1]}
            places = cloud.points.detach().double().tolist()
            number = p.addUserDebugPoints(places, [cloud.color] * len(places), 3.0, physicsClientId=self.client, **old)
            self._clouds[cloud.name] = (cloud, number)


def _segments(line: Line) -> list[_Segment]:
    """Both ends, colour and width of each piece of a line; pieces of a millimetre's hundredth are left out."""
    places = [tuple(place) for place in line.points.detach().double().tolist()]
    look = (*line.color, line.width)
    return [(*a, *b, *look) for a, b in zip(places, places[1:]) if max(abs(x - y) for x, y in zip(a, b)) > 1e-5]


class Readout:
    """Text at the left edge of the window's picture, which stays there as the camera turns.

    Args:
        client: The window.
    """

    def __init__(self, client: int) -> None:
        self.client = client
        self._shown: dict[int, tuple[Any, int]] = {}

    def draw(self, readings: Sequence[Reading], notes: Sequence[str] = ()) -> None:
        """Show readings from the top, notes at the bottom; nothing is done for a line that is as it was."""
        p = bullet()
        camera = camera_now(self.client)
        width, height = camera.width, camera.height
        axes = np.asarray(camera.view).reshape(4, 4).T[:3, :3]  # rows: right, up, backwards
        eye = np.asarray(camera.target) + camera.distance * axes[2]
        half = _DEPTH / camera.projection[0], _DEPTH / camera.projection[5]
        texts = [f"{each.name}: {each.text}" for each in readings]
        rows = [(k, text) for k, text in enumerate(texts)]
        bottom = round((height - 178) / _LINE_PIXELS)
        rows += [(bottom - len(notes) + k, text) for k, text in enumerate(notes)]
        for number, (row, text) in enumerate(rows):
            across = 2.0 * _PANELS[0] / width - 1.0
            up = 1.0 - 2.0 * (_PANELS[1] + _LINE_PIXELS * (row + 0.8)) / height
            place = tuple((eye - _DEPTH * axes[2] + across * half[0] * axes[0] + up * half[1] * axes[1]).tolist())
            self._write(number, place, text)
        for number in [number for number in self._shown if number >= len(rows)]:
            p.removeUserDebugItem(self._shown.pop(number)[1], physicsClientId=self.client)

    def _write(self, number: int, place: tuple[float, ...], text: str, color: Color = _TEXT_COLOR) -> None:
        known = self._shown.get(number)
        if known is not None and known[0] == (place, text):
            return
        old = {} if known is None else {"replaceItemUniqueId": known[1]}
        item = bullet().addUserDebugText(
            text, place, textColorRGB=color, textSize=1.0, physicsClientId=self.client, **old
        )
        self._shown[number] = ((place, text), item)
