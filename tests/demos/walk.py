"""A walk over every control of a demo, as a restless person would take it: each touched at its ends and in between."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from diffkin.demos.scene import Button, Choice, Control, Demo, Gizmo, Moment, Scene, Slider, Value, first_values

__all__ = ["walk"]

_DT = 0.05


def walk(demo: Demo) -> int:
    """Work every control, and check each scene that comes; gives how many came."""
    scene = demo.begin()
    values = first_values(demo.controls)
    count = 0
    for control in demo.controls:
        for wanted in _tries(control, values):
            for touched in ({control.name}, set()):
                count += 1
                values.update({name: value for name, value in scene.shows.items() if name in values})
                if touched and wanted is not None:
                    values[control.name] = wanted
                scene = demo.step(Moment(count * _DT, _DT, dict(values), frozenset(touched)))
                _check(scene, values, control.name)
    demo.results()
    return count


def _tries(control: Control, values: dict[str, Value]) -> Iterator[Value | None]:
    """What it is set to, one after the other; None for a press."""
    if isinstance(control, Slider):
        yield from (control.low, control.high, 0.5 * (control.low + control.high), control.value)
    elif isinstance(control, Choice):
        yield from (*control.options, control.value)
    elif isinstance(control, Button):
        yield from (None, None)
    elif isinstance(control, Gizmo):
        pose = torch.as_tensor(values[control.name]).clone()
        for away in (0.05, 3.0, 0.0):  # the second is out of reach
            moved = pose.clone()
            moved[0, 3] += away
            yield moved


def _check(scene: Scene, values: dict[str, Value], after: str) -> None:
    for body in scene.bodies:
        assert bool(torch.isfinite(body.q).all()), after
    arm = next((body for body in scene.bodies if body.name == "arm"), None)
    if arm is not None:
        outside = torch.maximum(arm.robot.lower - arm.q, arm.q - arm.robot.upper)
        assert float(outside.max()) < 1e-6, after
    for reading in scene.readings:
        assert reading.text.split(" ")[0] not in ("nan", "inf", "-inf", "-0", "-0.0"), (after, reading)
    assert set(scene.shows) <= set(values), after
