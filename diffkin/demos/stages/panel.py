"""The controls of PyBullet's window: sliders and buttons at its right edge, made to show what a scene wants them to.

PyBullet cannot set a slider, nor rename a button: all are removed and made anew, which takes some frames. So that is
done only where something on show is to change, and never while a mouse button is down. One group of sliders is on show at
a time; a button leads to the next group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from diffkin.demos.scene import Button, Choice, Control, Gizmo, Slider, Value, first_values
from diffkin.simulation.library import bullet

__all__ = ["PAUSE", "Panel", "Touch", "described"]

PAUSE = "pause"
"""The button that every panel has."""

_GROUPS = "other sliders"
_NEAR = 2e-3  # share of a slider's range: as near as this it need not be set
_LEAST_SHOWN = 5e-4  # the window shows three decimals
_LEFT_BUTTON, _PRESSED = 0, 3  # in PyBullet's mouse events: which button, and that it went down


@dataclass(frozen=True)
class Touch:
    """What somebody did to the panel.

    Attributes:
        names: Controls moved, chosen or pressed since the last look.
        paused: How often pause was pressed.
    """

    names: frozenset[str]
    paused: int


class Panel:
    """The controls of a demo in a window.

    Args:
        client: The window.
        controls: Of the demo. Gizmos are left out: PyBullet has none.
    """

    def __init__(self, client: int, controls: tuple[Control, ...]) -> None:
        self.client = client
        self.values: dict[str, Value] = first_values(controls)
        self._controls = controls
        sliders = [each for each in controls if isinstance(each, Slider)]
        self._groups = list(dict.fromkeys(each.group for each in sliders))
        self._group = 0
        self._held = False
        self._ids: dict[str, int] = {}
        self._last: dict[str, float] = {}
        self._make()

    def read(self) -> Touch:
        """See what somebody did; ``values`` is up to date then."""
        p = bullet()
        for kind, _, _, button, state in p.getMouseEvents(physicsClientId=self.client):
            if kind == 2 and button == _LEFT_BUTTON:
                self._held = state == _PRESSED
        touched, paused, stale = set(), 0, False
        for name, number in self._ids.items():
            value = p.readUserDebugParameter(number, physicsClientId=self.client)
            if value == self._last[name]:
                continue
            presses = round(value - self._last[name])
            self._last[name] = value
            control = next((each for each in self._controls if each.name == name), None)
            if isinstance(control, Slider):
                self.values[name] = value
                touched.add(name)
            elif isinstance(control, Choice):
                self.values[name] = _after(control, str(self.values[name]), presses)
                touched.add(name)
                stale = True
            elif name == _GROUPS:
                self._group = (self._group + presses) % len(self._groups)
                stale = True
            elif name == PAUSE:
                paused += presses
            else:
                touched.add(name)
        if stale:
            self._make()
        return Touch(frozenset(touched), paused)

    def show(self, shows: Mapping[str, Value]) -> None:
        """Let controls show these values, as soon as nobody holds one."""
        stale = False
        for control in self._controls:
            if control.name not in shows or isinstance(control, (Button, Gizmo)):
                continue
            new = shows[control.name]
            if isinstance(control, Slider):
                new = min(max(float(new), control.low), control.high)
                there = self._last.get(control.name)
                stale |= there is not None and abs(new - there) > _NEAR * (control.high - control.low)
            else:
                stale |= new != self.values[control.name]
            if not self._held:
                self.values[control.name] = new
        if stale and not self._held:
            self._make()

    def _make(self) -> None:
        """Remove all controls and make those on show."""
        p = bullet()
        p.removeAllUserParameters(physicsClientId=self.client)
        self._ids = {}
        for control in self._controls:
            if isinstance(control, Slider) and control.group == self._groups[self._group]:
                label = f"{control.name} [{control.unit}]" if control.unit else control.name
                self._add(control.name, label, control.low, control.high, float(self.values[control.name]))
        if len(self._groups) > 1:
            self._add(_GROUPS, f"show {self._groups[(self._group + 1) % len(self._groups)]}", 1, 0, 0)
        for control in self._controls:
            if isinstance(control, Choice):
                self._add(control.name, f"{control.name}: {self.values[control.name]}", 1, 0, 0)
            elif isinstance(control, Button):
                self._add(control.name, control.name, 1, 0, 0)
        self._add(PAUSE, PAUSE, 1, 0, 0)
        self._last = {
            name: p.readUserDebugParameter(number, physicsClientId=self.client) for name, number in self._ids.items()
        }

    def _add(self, name: str, label: str, low: float, high: float, value: float) -> None:
        """A slider; a button where ``low`` is above ``high``."""
        if -_LEAST_SHOWN < value < 0.0 and value > -_NEAR * (high - low):
            value = 0.0  # the window would show -0.000
        self._ids[name] = bullet().addUserDebugParameter(label, low, high, value, physicsClientId=self.client)


def _after(choice: Choice, value: str, presses: int) -> str:
    """The option so many further on."""
    return choice.options[(choice.options.index(value) + presses) % len(choice.options)]


def described(controls: tuple[Control, ...]) -> list[str]:
    """One line a control: its name and what it does."""
    lines = []
    for control in controls:
        if isinstance(control, Slider):
            lines.append(f"{control.name}: slider, {control.low:.3g} to {control.high:.3g} {control.unit}".rstrip())
        elif isinstance(control, Choice):
            lines.append(f"{control.name}: {', '.join(control.options)}{_tail(control.hint)}")
        elif isinstance(control, Button):
            lines.append(f"{control.name}: button{_tail(control.hint)}")
    return lines


def _tail(hint: str) -> str:
    return f"; {hint}" if hint else ""
