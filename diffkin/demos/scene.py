"""What a demo says to its stage, and what a stage says to its demo; data only.

A stage shows the controls of a demo and calls ``step`` over and over with a ``Moment``: the time, what the controls show,
and which of them somebody touched since the last call. The demo answers with a ``Scene``: all that is to be seen, the
numbers to be read, and what controls are to show from now on. Poses are in the world, x forward, y left, z up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._checks import check_finite, check_pose
from diffkin.errors import OptionError, ShapeError, closest
from diffkin.robot import Robot

__all__ = [
    "Body",
    "Box",
    "Button",
    "Choice",
    "Color",
    "Control",
    "Demo",
    "Ellipsoid",
    "Frame",
    "Gizmo",
    "Line",
    "Moment",
    "Points",
    "Reading",
    "Scene",
    "Slider",
    "Value",
    "View",
    "first_values",
]

Color: TypeAlias = tuple[float, float, float]
"""Red, green and blue from 0 to 1."""

Value: TypeAlias = "float | str | Tensor"
"""What a control shows: a slider's number, a choice's option, a gizmo's (4, 4) pose. Buttons show none."""


# -- controls -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Slider:
    """A number between two others.

    Attributes:
        name: Shown beside it; ASCII, at most some 20 letters.
        low: Its least value.
        high: Its greatest.
        value: What it shows at first.
        unit: "m", "deg", "rad" ...
        group: Under which heading it stands where a stage has headings.
    """

    name: str
    low: float
    high: float
    value: float
    unit: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high or not self.low < self.high:
            raise OptionError(
                f"Slider {self.name!r} needs low <= value <= high, got {self.low, self.value, self.high}."
            )


@dataclass(frozen=True)
class Button:
    """Something to press.

    Attributes:
        name: Shown on it.
        hint: What it does, in some words.
    """

    name: str
    hint: str = ""


@dataclass(frozen=True)
class Choice:
    """One of several options.

    Attributes:
        name: Shown beside it.
        options: Their names, at least one.
        value: The one shown at first.
        hint: What is chosen, in some words.
        physics: Whether it chooses what a stage with physics does; others leave it out, and it stays as it is at first.
    """

    name: str
    options: tuple[str, ...]
    value: str
    hint: str = ""
    physics: bool = False

    def __post_init__(self) -> None:
        if self.value not in self.options:
            raise closest(self.value, self.options, f"option of choice {self.name!r}")


@dataclass(frozen=True, eq=False)
class Gizmo:
    """A pose to drag with the mouse. Stages without one leave it out: what it does, sliders do as well.

    Attributes:
        name: Shown beside it.
        pose: (4, 4) at first.
        size: Length of its arrows [m].
    """

    name: str
    pose: Float[Tensor, "4 4"]
    size: float = 0.2

    def __post_init__(self) -> None:
        check_pose(self.pose, f"pose of {self.name!r}")


Control: TypeAlias = "Slider | Button | Choice | Gizmo"


def first_values(controls: tuple[Control, ...]) -> dict[str, Value]:
    """What all controls but buttons show at first, by name.

    Raises:
        diffkin.errors.OptionError: Two controls have one name.
    """
    names = [control.name for control in controls]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise OptionError(f"Controls need names of their own; {sorted(twice)[0]!r} occurs more than once.")
    values: dict[str, Value] = {}
    for control in controls:
        if isinstance(control, Gizmo):
            values[control.name] = control.pose
        elif not isinstance(control, Button):
            values[control.name] = control.value
    return values


# -- what is seen ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Body:
    """A robot or an airframe.

    Attributes:
        name: The same from scene to scene; one name is one robot.
        robot: Whose links are drawn.
        q: (dof,) coordinates.
        base: (4, 4) pose of the robot's base; the identity if None.
        color: Of all its links; its own colours if None.
        opacity: 1 is solid; ghosts have less.
        driven: Whether a stage with physics lets motors carry it to ``q`` in place of putting it there; see
            ``Moment.measured``.
    """

    name: str
    robot: Robot
    q: Float[Tensor, " dof"]
    base: Float[Tensor, "4 4"] | None = None
    color: Color | None = None
    opacity: float = 1.0
    driven: bool = False

    def __post_init__(self) -> None:
        if tuple(self.q.shape) != (self.robot.dof,):
            raise ShapeError(f"q of body {self.name!r} must be ({self.robot.dof},), got {tuple(self.q.shape)}.")
        check_finite(self.q, f"q of body {self.name!r}")


@dataclass(frozen=True, eq=False)
class Frame:
    """Three axes: x red, y green, z blue.

    Attributes:
        name: The same from scene to scene.
        pose: (4, 4) where.
        length: Of an axis [m].
    """

    name: str
    pose: Float[Tensor, "4 4"]
    length: float = 0.1


@dataclass(frozen=True, eq=False)
class Line:
    """A line through points, or the trail of something: one that grows at its end is drawn fastest.

    Attributes:
        name: The same from scene to scene.
        points: (n, 3) [m].
        color: Of the line.
        width: [pixels].
    """

    name: str
    points: Float[Tensor, "n 3"]
    color: Color = (0.1, 0.1, 0.1)
    width: float = 2.0


@dataclass(frozen=True, eq=False)
class Points:
    """A cloud of points. A stage draws it anew only where ``points`` is another tensor than before.

    Attributes:
        name: The same from scene to scene.
        points: (n, 3) [m].
        color: Of all of them.
        size: Of a point [m].
    """

    name: str
    points: Float[Tensor, "n 3"]
    color: Color = (0.3, 0.5, 0.9)
    size: float = 0.006


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """An ellipsoid along the axes of its pose.

    Attributes:
        name: The same from scene to scene.
        pose: (4, 4) centre and axes.
        radii: (3,) [m].
        color: Of its surface.
        opacity: 1 is solid.
    """

    name: str
    pose: Float[Tensor, "4 4"]
    radii: Float[Tensor, " 3"]
    color: Color = (0.95, 0.6, 0.1)
    opacity: float = 0.4


@dataclass(frozen=True, eq=False)
class Box:
    """A box: a car, a wall, a table.

    Attributes:
        name: The same from scene to scene, like its size.
        pose: (4, 4) of its middle.
        size: Its sides along its own axes [m].
        color: Of all its faces.
        opacity: 1 is solid.
    """

    name: str
    pose: Float[Tensor, "4 4"]
    size: tuple[float, float, float]
    color: Color = (0.6, 0.6, 0.6)
    opacity: float = 1.0


@dataclass(frozen=True)
class Reading:
    """A number or a word to be read beside the picture.

    Attributes:
        name: What it is, ASCII.
        value: The number [unit], the word, or yes and no; None where there is nothing to tell.
        unit: "m", "rad", "ms" ...; empty for words and counts.
        digits: Significant ones.
    """

    name: str
    value: float | int | bool | str | None
    unit: str = ""
    digits: int = 3

    @property
    def text(self) -> str:
        """The value as it is shown, with its unit: ``0.00123 m``, ``yes``, ``-``."""
        if self.value is None:
            return "-"
        if isinstance(self.value, bool):
            return "yes" if self.value else "no"
        if isinstance(self.value, float):
            shown = f"{self.value + 0.0:.{self.digits}g}"
        else:
            shown = str(self.value)
        return f"{shown} {self.unit}".rstrip()


@dataclass(frozen=True, eq=False)
class Scene:
    """All that is to be seen at a moment. What was there before and is here no more disappears.

    Attributes:
        bodies: Robots and airframes.
        frames: Axes.
        lines: Lines and trails.
        points: Clouds.
        ellipsoids: Ellipsoids.
        boxes: Boxes.
        readings: Numbers and words, in the order they are shown.
        shows: What controls are to show from now on, by name: joint sliders that follow a solver, say. A control that
            somebody holds is left alone, and a stage may be late in it; a control set this way does not count as touched.
    """

    bodies: tuple[Body, ...] = ()
    frames: tuple[Frame, ...] = ()
    lines: tuple[Line, ...] = ()
    points: tuple[Points, ...] = ()
    ellipsoids: tuple[Ellipsoid, ...] = ()
    boxes: tuple[Box, ...] = ()
    readings: tuple[Reading, ...] = ()
    shows: Mapping[str, Value] = field(default_factory=dict)

    def reading(self, name: str) -> Reading:
        """The reading of that name.

        Raises:
            diffkin.errors.UnknownNameError: There is none.
        """
        for each in self.readings:
            if each.name == name:
                return each
        raise closest(name, [each.name for each in self.readings], "reading")


# -- what happens ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Moment:
    """What a stage tells its demo.

    Attributes:
        t: Seconds since the start; a pause of the stage does not count.
        dt: Seconds since the last moment.
        values: What each control shows, buttons aside, by name.
        touched: Names of the controls that somebody moved, chose or pressed since the last moment.
        measured: (dof,) coordinates at which driven bodies are, by name; only on stages with physics.
    """

    t: float
    dt: float
    values: Mapping[str, Value]
    touched: frozenset[str] = frozenset()
    measured: Mapping[str, Tensor] = field(default_factory=dict)

    def number(self, name: str) -> float:
        """What a slider shows."""
        return float(self._value(name))

    def option(self, name: str) -> str:
        """What a choice shows."""
        return str(self._value(name))

    def pose(self, name: str) -> Float[Tensor, "4 4"]:
        """Where a gizmo is."""
        return torch.as_tensor(self._value(name), dtype=torch.float64, device="cpu")

    def _value(self, name: str) -> Value:
        if name not in self.values:
            raise closest(name, self.values, "control")
        return self.values[name]


@dataclass(frozen=True)
class View:
    """What the camera sees at the start.

    Attributes:
        center: The point in the middle of the picture [m].
        radius: Of the ball around it that fills the picture's height [m].
        yaw_deg: Direction of the camera about z: 0 looks along y, 90 along -x [deg].
        pitch_deg: Of its look, negative downwards [deg].
        floor: Height of the floor [m]; None for none.
    """

    center: tuple[float, float, float] = (0.0, 0.0, 0.5)
    radius: float = 1.0
    yaw_deg: float = 50.0
    pitch_deg: float = -20.0
    floor: float | None = 0.0


class Demo(Protocol):
    """What plays on a stage: a small class that knows what is drawn and what each control does.

    Attributes:
        title: One line.
        controls: What people may touch. Their names never change.
        view: Where the camera starts.
    """

    @property
    def title(self) -> str: ...

    @property
    def controls(self) -> tuple[Control, ...]: ...

    @property
    def view(self) -> View: ...

    def begin(self) -> Scene:
        """The scene before anything happened; starts anew where something had."""

    def step(self, moment: Moment) -> Scene:
        """The scene after this moment."""

    def rehearsal(self, t: float) -> Mapping[str, Value]:
        """What somebody would set at this time, for films and tests that nobody plays in; empty for a demo that moves by
        itself. A button's name with any value is a press."""

    def results(self) -> Mapping[str, float | int | str | bool | None]:
        """What results.json is to hold of all that happened."""
