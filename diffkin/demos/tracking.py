"""A camera that keeps looking at a moving car while the aircraft banks: gimbal angles by inverse kinematics, frame by frame."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin import aircraft
from diffkin.aircraft import Airframe, Pointing, RayTarget, ned_to_enu
from diffkin.demos.airframes import Surfaces, attitude_law, body_of, exact, line_of, reach_of, thrust_lines
from diffkin.demos.scene import Box, Button, Control, Gizmo, Line, Moment, Reading, Scene, Slider, Value, View
from diffkin.errors import closest
from diffkin.rotations import euler_to_matrix
from diffkin.transforms import pose

__all__ = ["TrackingDemo"]

_TRAIL = 240  # points that the car leaves behind
_LAP = 12.0  # of the car at speed 1 [s]
_BANKING = 5.0  # from bank to bank and back [s]
_TOLERANCE = 1e-8  # [rad]
_RESTARTS = 8  # where the car cannot be seen


class TrackingDemo:
    """The aircraft rocks, the car drives, the gimbal keeps the camera's ray on the car.

    Args:
        airframe: The aircraft.
        ray: Which of its rays looks at the car; joints must move it.
    """

    def __init__(self, airframe: Airframe, ray: str = "boresight") -> None:
        self.airframe, self.ray = exact(airframe), ray
        if ray not in airframe.rays:
            raise closest(ray, airframe.rays, f"ray of airframe {airframe.robot.name!r}:")
        self.title = f"{airframe.robot.name}: track the car"
        self._size = size = reach_of(self.airframe)
        self._place = torch.tensor([0.0, 0.0, -3.0 * size], dtype=torch.float64, device="cpu")
        self._surfaces, self._law = Surfaces.of(self.airframe), attitude_law(self.airframe)
        self.controls: tuple[Control, ...] = (
            Slider("bank", 0.0, 45.0, 30.0, "deg"),
            Slider("car speed", 0.0, 3.0, 1.0),
            Button("drive", "the car drives on where it was dragged to"),
            Gizmo("car", self._car_pose(self._road(0.0)), 0.8 * size),
        )
        self.view = View((0.0, 2.0 * size, 1.7 * size), 2.7 * size, yaw_deg=60.0, pitch_deg=-22.0)
        self.begin()

    def begin(self) -> Scene:
        self._driven = self._rocked = 0.0
        self._parked: Tensor | None = None
        self._car = self._road(0.0)
        self._trail = self._car[None]
        self._q = self.airframe.neutral()
        self._worst, self._frames, self._lost = 0.0, 0, 0
        self._R = self._attitude(30.0)
        return self._scene(self._point(), 0.0, torch.zeros(3, dtype=torch.float64, device="cpu"))

    def step(self, moment: Moment) -> Scene:
        if "car" in moment.touched:
            self._parked = ned_to_enu(moment.pose("car")[:3, 3]) * torch.tensor([1.0, 1.0, 0.0], device="cpu")
        if "drive" in moment.touched:
            self._parked = None
        if self._parked is None:
            self._driven += moment.dt * moment.number("car speed")
        self._rocked += moment.dt
        self._car = self._road(self._driven) if self._parked is None else self._parked
        self._trail = torch.cat((self._trail, self._car[None]))[-_TRAIL:]
        before, self._R = self._R, self._attitude(moment.number("bank"))
        torque = self._law(before, torch.zeros(3, dtype=torch.float64, device="cpu"), self._R)
        start = time.perf_counter()
        found = self._point()
        took = time.perf_counter() - start
        self._q = self._surfaces.deflected(found.q, torque)
        self._frames += 1
        if bool(found.success):
            self._worst = max(self._worst, float(found.pointing_error))
        else:
            self._lost += 1
        return self._scene(found, took, torque)

    def _attitude(self, bank_deg: float) -> Float[Tensor, "3 3"]:
        """(3, 3) rocking from bank to bank, the nose rising and sinking a little."""
        wave = 2.0 * math.pi * self._rocked / _BANKING
        angles = (0.0, 0.15 * math.sin(0.7 * wave), math.radians(bank_deg) * math.sin(wave))
        return euler_to_matrix(torch.tensor(angles, dtype=torch.float64, device="cpu"), "ZYX")

    def _road(self, t: float) -> Float[Tensor, " 3"]:
        """Where on its figure of eight the car is, NED [m]."""
        wave, size = 2.0 * math.pi * t / _LAP, self._size
        place = (2.6 * size + 0.9 * size * math.sin(2.0 * wave), 2.4 * size * math.sin(wave), 0.0)
        return torch.tensor(place, dtype=torch.float64, device="cpu")

    def _car_pose(self, place: Tensor) -> Float[Tensor, "4 4"]:
        return pose(torch.eye(3, dtype=torch.float64, device="cpu"), ned_to_enu(place))

    def _point(self) -> Pointing:
        """The gimbal angles, from those now."""
        target = RayTarget(self.ray, point=self._car)
        return aircraft.point(
            self.airframe, target, position=self._place, R_ned_body=self._R, q=self._q, free_attitude=False,
            tolerance=_TOLERANCE,
            max_restarts=_RESTARTS,
        )  # fmt: skip

    def rehearsal(self, t: float) -> Mapping[str, Value]:
        return {}

    def results(self) -> Mapping[str, float | int | str | bool | None]:
        seen = self._frames - self._lost
        return {"aircraft": self.airframe.robot.name, "frames": self._frames, "frames_on_target": seen,
                "worst_pointing_error_rad": self._worst if seen else None}  # fmt: skip

    def _scene(self, found: Pointing, took: float, torque: Tensor) -> Scene:
        origins, axes = self.airframe.rays_ned(self._R, self._place, found.q, [self.ray])
        origin, axis = origins[0], axes[0]
        distance = float((self._car - origin).norm())
        hit = bool(found.success)
        color = (0.1, 0.65, 0.25) if hit else (0.85, 0.15, 0.15)
        lines: tuple[Line, ...] = (
            line_of("ray", torch.stack((origin, origin + distance * axis)), color, 4.0),
            line_of("trail", self._trail, (0.45, 0.45, 0.5), 2.0),
            *thrust_lines(self.airframe, self._R, self._place, torque),
        )
        bank, pitch = (math.degrees(float(angle)) + 0.0 for angle in aircraft.bank_pitch(self._R))
        margin = torch.minimum(found.q - self.airframe.robot.lower, self.airframe.robot.upper - found.q)
        moving = [k for k, name in enumerate(self.airframe.robot.joint_names) if "gimbal" in name] or slice(None)
        readings = (
            Reading("on target", hit),
            Reading("pointing error", float(found.pointing_error), "rad"),
            Reading("miss at the car", float(found.pointing_error) * distance, "m"),
            Reading("limit margin", math.degrees(float(margin[moving].min())), "deg"),
            Reading("iterations", int(found.ik.iterations)),
            Reading("time", 1e3 * took, "ms"),
            Reading("bank now", bank, "deg"),
            Reading("pitch now", pitch, "deg"),
        )
        return Scene(
            bodies=(body_of("aircraft", self.airframe, self._R, self._place, self._q),),
            lines=lines, boxes=self._boxes(), readings=readings,
            shows={"car": self._car_pose(self._car)},
        )  # fmt: skip

    def _boxes(self) -> tuple[Box, ...]:
        """The car, its nose along its way."""
        size = self._size
        way = self._trail[-1] - self._trail[max(0, len(self._trail) - 3)]
        heading = math.atan2(float(way[0]), float(way[1])) if float(way.norm()) > 1e-6 else 0.0
        turn = euler_to_matrix(torch.tensor([heading], dtype=torch.float64, device="cpu"), "Z")
        x, y, _ = ned_to_enu(self._car).tolist()

        def box(name: str, ahead: float, up: float, sides: tuple[float, float, float], color: tuple) -> Box:
            middle = torch.tensor([x, y, up * size], dtype=torch.float64, device="cpu") + turn[:, 0] * ahead * size
            length, width, height = sides
            return Box(name, pose(turn, middle), (length * size, width * size, height * size), color)

        return (
            box("car body", 0.0, 0.12, (0.62, 0.3, 0.12), (0.8, 0.15, 0.15)),
            box("car cabin", -0.05, 0.22, (0.32, 0.26, 0.1), (0.15, 0.17, 0.2)),
        )
