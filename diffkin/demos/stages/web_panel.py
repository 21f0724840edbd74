"""Controls and readings of a demo as the panel of a viser page; what people do there, gathered for the next step."""

from __future__ import annotations

import html
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diffkin.demos.scene import Button, Choice, Control, Demo, Gizmo, Reading, Slider, Value, first_values
from diffkin.demos.stages.labels import label
from diffkin.rotations import matrix_to_quat_xyzw, quat_xyzw_to_matrix
from diffkin.transforms import pose

__all__ = ["WebPanel"]

HOLD = 0.4
"""How long after the last touch a control is left alone [s]."""
_REFRESH = 0.1  # between two refreshes of the readings [s]
_LONGEST = 5.0  # a drag that does not move [s]


class WebPanel:
    """The controls of a demo on a page, and its readings above them.

    viser calls back in the thread of its event loop, in the order of what happened. That only notes here, under the one
    lock, what was touched and when; who steps the demo takes it away with ``take``.

    Args:
        server: A ``viser.ViserServer``.
        demo: Whose controls these are.
        language: "en" or "zh".
    """

    def __init__(self, server: Any, demo: Demo, language: str = "en") -> None:
        self._server, self._language = server, language
        self._lock = threading.Condition()
        self._values: dict[str, Value] = first_values(demo.controls)
        self._touched: dict[str, float] = {}  # name: when it was first touched since the last step
        self._held: dict[str, float] = {}  # name: until when
        self._handles: dict[str, Any] = {}
        self._shown_at = 0.0
        self._shown = ""
        server.gui.set_panel_label(label(demo.title, language))
        self._readings = server.gui.add_html("")
        folders: dict[str, Any] = {}
        for control in demo.controls:
            if isinstance(control, Choice) and control.physics:
                continue  # nothing here has motors
            group = control.group if isinstance(control, Slider) else ""
            if group and group not in folders:
                folders[group] = server.gui.add_folder(label(group, language))
            with folders[group] if group else nullcontext():
                self._handles[control.name] = self._add(control)

    # -- what people do ---------------------------------------------------------------------------------------------

    def take(self, wait: float) -> tuple[dict[str, Value], dict[str, float]]:
        """What all controls show, and which were touched since the last call and when (``time.perf_counter``).

        Args:
            wait: How long to wait for a touch at most [s].
        """
        with self._lock:
            if not self._touched and wait > 0.0:
                self._lock.wait(wait)
            touched, self._touched = self._touched, {}
            return dict(self._values), touched

    def _touch(self, name: str, value: Value | None, hold: float = HOLD) -> None:
        now = time.perf_counter()
        with self._lock:
            if value is not None:
                self._values[name] = value
            self._held[name] = now + hold
            self._touched.setdefault(name, now)
            self._lock.notify_all()

    def _add(self, control: Control) -> Any:
        """Make one control and have its callbacks note what is done to it."""
        gui, name = self._server.gui, control.name
        shown = label(name, self._language)
        if isinstance(control, Gizmo):
            gizmo = self._server.scene.add_transform_controls(
                f"/gizmos/{name}", scale=control.size, depth_test=False,
                wxyz=_wxyz(control.pose), position=control.pose[:3, 3].numpy(),
            )  # fmt: skip
            gizmo.on_update(self._dragged)
            return gizmo
        if isinstance(control, Button):
            button = gui.add_button(shown, hint=label(control.hint, self._language) or None)
            button.on_click(self._pressed(name))
            return button
        if isinstance(control, Choice):
            options = {label(option, self._language): option for option in control.options}
            hint = label(control.hint, self._language) or None
            menu = gui.add_dropdown(
                shown, tuple(options), initial_value=label(control.value, self._language), hint=hint
            )
            menu.on_update(self._by_hand(name, lambda value: options[value]))
            return menu
        step = 10.0 ** math.floor(math.log10((control.high - control.low) / 500.0))
        ends = float(control.low), float(control.high)
        slider = gui.add_slider(shown, *ends, step, float(control.value), hint=control.unit or None)
        slider.precision = max(0, -round(math.log10(step)))  # decimals; limits with more would not fit the field
        slider.on_update(self._by_hand(name, float))
        return slider

    def _pressed(self, name: str) -> Callable[[Any], Any]:
        async def note(event: Any) -> None:
            self._touch(name, None)

        return note

    def _by_hand(self, name: str, read: Callable[[Any], Value]) -> Callable[[Any], Any]:
        async def note(event: Any) -> None:
            if event.client is not None:  # else the demo moved it
                self._touch(name, read(event.target.value))

        return note

    async def _dragged(self, event: Any) -> None:
        name = event.target.name.removeprefix("/gizmos/")
        place = torch.tensor(np.array(event.target.position), device="cpu")
        turn = torch.tensor(np.array(event.target.wxyz), device="cpu").roll(-1)
        hold = _LONGEST if event.phase == "start" else HOLD
        self._touch(name, pose(quat_xyzw_to_matrix(turn / turn.norm()), place), hold)

    # -- what the demo says -----------------------------------------------------------------------------------------

    def show(self, shows: Mapping[str, Value], readings: Iterable[Reading]) -> None:
        """Set controls that nobody holds, and write the readings."""
        now = time.perf_counter()
        with self._lock:
            free = {name: value for name, value in shows.items() if self._held.get(name, 0.0) <= now}
            free = {name: value for name, value in free.items() if name not in self._touched}
            self._values.update(free)
        for name in free.keys() & self._handles.keys():
            self._set(self._handles[name], free[name])
        if now - self._shown_at >= _REFRESH:
            text = _table(readings, self._language)
            if text != self._shown:
                self._readings.content = self._shown = text
                self._shown_at = now

    def _set(self, handle: Any, value: Value) -> None:
        if isinstance(value, Tensor):
            handle.wxyz, handle.position = _wxyz(value), value[:3, 3].numpy()
        elif isinstance(value, str):
            handle.value = label(value, self._language)
        else:
            shown = round(float(value), handle.precision) + 0.0  # no -0
            handle.value = min(max(shown, handle.min), handle.max)


def _wxyz(place: Tensor) -> Any:
    return matrix_to_quat_xyzw(place[:3, :3].double()).roll(1).numpy()


def _table(readings: Iterable[Reading], language: str) -> str:
    rows = (
        f'<tr><td style="padding:0 .8em 0 0">{html.escape(label(each.name, language))}</td>'
        f'<td style="text-align:right;font-variant-numeric:tabular-nums">'
        f"{html.escape(label(each.text, language))}</td></tr>"
        for each in readings
    )
    return f'<table style="width:100%;padding:.3em .8em;font-size:.85em">{"".join(rows)}</table>'
