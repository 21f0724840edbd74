"""Attitude by sliders in any Euler sequence, and what happens to the sliders' axes at gimbal lock."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin.aircraft import Airframe
from diffkin.demos.airframes import (
    RED_GREEN_BLUE,
    Surfaces,
    attitude_law,
    body_of,
    circle,
    exact,
    frame_of,
    line_of,
    reach_of,
    thrust_lines,
)
from diffkin.demos.joints import joint_sliders
from diffkin.demos.scene import Button, Control, Line, Moment, Reading, Scene, Slider, Value, View
from diffkin.rotations import (
    angle_between,
    body_rate_matrix,
    euler_to_matrix,
    matrix_to_euler,
    matrix_to_rotvec,
    rotvec_to_matrix,
)
from diffkin.rotations.euler import parse_sequence

__all__ = ["AttitudeDemo", "angle_sliders", "rotation_axes"]

_LAG = 0.4  # how long the surfaces stay deflected after a change of attitude [s]
_USUAL = {"X": "roll", "Y": "pitch", "Z": "yaw"}


class AttitudeDemo:
    """Three angles turn the aircraft; its surfaces deflect as they would have to. With rings: the three axes of rotation.

    Args:
        airframe: The aircraft.
        sequence: Which Euler angles the sliders are, "ZYX" for yaw, pitch and roll.
        rings: Draw a ring round each of the three axes, and let a button sweep the middle angle to gimbal lock.
    """

    def __init__(self, airframe: Airframe, sequence: str = "ZYX", *, rings: bool = False) -> None:
        self.airframe, self.sequence, self.rings = exact(airframe), sequence, rings
        name = airframe.robot.name
        self.title = f"{name}: {'gimbal lock' if rings else 'attitude'} {sequence}"
        self._reach = reach_of(self.airframe)
        self._surfaces, self._law = Surfaces.of(self.airframe), attitude_law(self.airframe)
        angles = angle_sliders(sequence)
        self._names = [slider.name for slider in angles]
        self._places = (0.0, 0.0, -1.3 * self._reach)
        buttons = (Button("level", "all angles to zero"), *([Button("sweep", "into gimbal lock and out")] * rings))
        hinges = () if rings else joint_sliders(self.airframe.robot, self.airframe.neutral())
        self.controls: tuple[Control, ...] = (*angles, *buttons, *hinges)
        self.view = View((0.0, 0.0, 1.3 * self._reach), 1.35 * self._reach)
        self.begin()

    def begin(self) -> Scene:
        shown = [math.radians(slider.value) for slider in angle_sliders(self.sequence)]
        self._angles = torch.tensor(shown, dtype=torch.float64, device="cpu")
        self._q = self.airframe.neutral()
        self._lag, self._torque = self.attitude, torch.zeros(3, dtype=torch.float64, device="cpu")
        self._hand: set[str] = set()
        self._sweep: float | None = None
        self._nearest, self._moves = math.inf, 0
        return self._scene()

    @property
    def attitude(self) -> Float[Tensor, "3 3"]:
        """``R_ned_body`` (3, 3) that the sliders say."""
        return euler_to_matrix(self._angles, self.sequence)

    def step(self, moment: Moment) -> Scene:
        if "level" in moment.touched:
            self._angles, self._sweep = torch.zeros(3, dtype=torch.float64, device="cpu"), None
        if "sweep" in moment.touched:
            self._sweep = moment.t
        moved = [k for k, name in enumerate(self._names) if name in moment.touched]
        if moved:
            self._sweep, self._angles = None, self._angles.clone()
            for k in moved:
                self._angles[k] = math.radians(moment.number(self._names[k]))
        if self._sweep is not None:
            self._angles = self._swept(moment.t - self._sweep)
        self._moves += bool(moved)
        self._move_surfaces(moment)
        return self._scene()

    def _move_surfaces(self, moment: Moment) -> None:
        """Surfaces where they would have to be to turn the aircraft; hinges that a hand set stay until angles move."""
        hinges = self.airframe.robot.joint_names
        turned = float(angle_between(self._lag, self.attitude))
        self._hand = {name for name in hinges if name in moment.touched or (name in self._hand and turned < 0.01)}
        self._torque = self._law(self._lag, torch.zeros(3, dtype=torch.float64, device="cpu"), self.attitude)
        deflected = self._surfaces.deflected(self._q, self._torque)
        for k, name in enumerate(hinges):
            if name in moment.touched:
                self._q = self._q.clone()
                self._q[k] = moment.number(name)
            elif name not in self._hand and k in self._surfaces.coordinates:
                self._q = self._q.clone()
                self._q[k] = deflected[k]
        turn = matrix_to_rotvec(self._lag.mT @ self.attitude)
        self._lag = self._lag @ rotvec_to_matrix(min(1.0, moment.dt / _LAG) * turn)

    def _swept(self, t: float) -> Tensor:
        """The middle angle to its lock; there the outer two swing one after the other, doing the same."""
        lock, phase = math.radians(_lock_deg(self.sequence)), (t % 12.0) / 12.0
        away = lock - math.radians(60.0) if lock else math.radians(60.0)
        to_lock = min(1.0, 3.0 * phase) if phase < 0.85 else 1.0 - (phase - 0.85) / 0.15
        swing = math.radians(40.0) * math.sin(2.0 * math.pi * 4.0 * phase)
        first = swing if 1 / 3 <= phase < 7 / 12 else 0.0
        last = swing if 7 / 12 <= phase < 5 / 6 else 0.0
        return torch.tensor([first, away + (lock - away) * to_lock, last], dtype=torch.float64, device="cpu")

    def rehearsal(self, t: float) -> Mapping[str, Value]:
        if self.rings:
            return {"sweep": True} if self._sweep is None else {}
        wave = 2.0 * math.pi * t / 8.0
        middle = 90.0 if parse_sequence(self.sequence).proper else 0.0
        angles = (60.0 * math.sin(wave), middle + 30.0 * math.sin(2.0 * wave), 50.0 * math.sin(3.0 * wave))
        return dict(zip(self._names, angles))

    def results(self) -> Mapping[str, float | int | str | bool | None]:
        nearest = None if math.isinf(self._nearest) else self._nearest
        return {"aircraft": self.airframe.robot.name, "sequence": self.sequence, "moves": self._moves,
                "nearest_to_lock_deg": nearest}  # fmt: skip

    def _scene(self) -> Scene:
        R, place = self.attitude, torch.tensor(self._places, dtype=torch.float64, device="cpu")
        level, axes = torch.eye(3, dtype=torch.float64, device="cpu"), rotation_axes(self._angles, self.sequence)
        apart = math.degrees(math.asin(min(1.0, float(torch.linalg.cross(axes[:, 0], axes[:, 2]).norm()))))
        self._nearest = min(self._nearest, apart)
        yaw, pitch, roll = (matrix_to_euler(R, "ZYX", check=False).rad2deg() + 0.0).tolist()
        back = euler_to_matrix(matrix_to_euler(R, self.sequence, check=False), self.sequence)
        readings = (
            Reading("yaw", yaw, "deg"), Reading("pitch", pitch, "deg"), Reading("roll", roll, "deg"),
            Reading("turn from level", math.degrees(float(angle_between(R, level))), "deg"),
            Reading("axes 1 and 3 apart", round(apart, 6), "deg"),
            Reading("locked", apart < 1.0),
            Reading("there and back", float(angle_between(R, back)), "rad"),
        )  # fmt: skip
        lines = self._rings(axes, place) if self.rings else thrust_lines(self.airframe, R, place, self._torque)
        shows = dict(zip(self._names, self._angles.rad2deg().tolist()))
        if not self.rings:
            shows |= dict(zip(self.airframe.robot.joint_names, self._q.tolist()))
        return Scene(
            bodies=(body_of("aircraft", self.airframe, R, place, self._q),),
            frames=(frame_of("body", R, place, 0.8 * self._reach),),
            lines=lines, readings=readings, shows=shows,
        )  # fmt: skip

    def _rings(self, axes: Tensor, place: Tensor) -> tuple[Line, ...]:
        lines = []
        for k, (axis, color) in enumerate(zip(axes.mT, RED_GREEN_BLUE)):
            radius = (1.15 - 0.08 * k) * self._reach
            lines.append(line_of(f"ring {k + 1}", circle(place, axis, radius), color, 4.0))
            ends = torch.stack((place - radius * axis, place + radius * axis))
            lines.append(line_of(f"axis {k + 1}", ends, color, 2.0))
        return tuple(lines)


def angle_sliders(sequence: str) -> tuple[Slider, ...]:
    """Three sliders in degrees for the angles of a sequence, at level flight, or off the lock that is there.

    Raises:
        diffkin.errors.UnknownNameError: There is no such sequence of three letters.
    """
    proper = parse_sequence(sequence).proper
    ranges = ((-180.0, 180.0), (0.0, 180.0) if proper else (-90.0, 90.0), (-180.0, 180.0))
    start = (0.0, 30.0 if proper else 0.0, 0.0)
    names = [f"{k + 1} {letter} {_USUAL[letter.upper()]}" for k, letter in enumerate(sequence)]
    return tuple(Slider(name, *span, at, "deg", "attitude") for name, span, at in zip(names, ranges, start))


def rotation_axes(angles: Float[Tensor, " 3"], sequence: str) -> Float[Tensor, "3 3"]:
    """The axes in NED about which the attitude turns as each angle grows, one a column; the first and the last lie on
    one line at gimbal lock.

    ``R M`` with the columns of ``omega_body = M d(angles)/dt`` turned into NED, for intrinsic and extrinsic alike.
    """
    return euler_to_matrix(angles, sequence) @ body_rate_matrix(angles, sequence)


def _lock_deg(sequence: str) -> float:
    """The middle angle at which the first and the last axis lie on one line."""
    return 0.0 if parse_sequence(sequence).proper else 90.0
