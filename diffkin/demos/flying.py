"""An aircraft turned to one attitude after another: by Bullet's dynamics, with our own integrator as a ghost over it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin import aircraft, simulation
from diffkin.aircraft import Airframe
from diffkin.demos.airframes import Surfaces, attitude_law, body_of, exact, frame_of, reach_of, thrust_lines
from diffkin.demos.scene import Button, Choice, Control, Moment, Reading, Scene, Value, View
from diffkin.rotations import angle_between, euler_to_matrix

__all__ = ["FlyingDemo"]

_DT = simulation.TIME_STEP
_LEG = 4.0  # from one attitude to the next [s]
_MOST = 24  # steps in a moment; a stage that is slower than that falls behind
# yaw, pitch and roll of an attitude to reach [rad]
_WIDEST = torch.tensor([1.5, 0.6, 1.0], dtype=torch.float64, device="cpu")
_REACHED = math.radians(0.5)


class FlyingDemo:
    """A controller turns the aircraft to attitudes drawn at random, in PyBullet where it is installed.

    Args:
        airframe: An airframe loaded from a URDF.
        seed: Of the attitudes.
        bullet: Whether Bullet flies it; if None, where it is installed. Our own copy of Bullet's step does otherwise.
    """

    def __init__(self, airframe: Airframe, seed: int = 0, bullet: bool | None = None) -> None:
        self.airframe, self._seed = exact(airframe), seed
        self._bullet = simulation.is_installed() if bullet is None else bullet
        self.title = f"{airframe.robot.name}: flight"
        self._size = reach_of(self.airframe)
        self._place = torch.tensor([0.0, 0.0, -1.3 * self._size], dtype=torch.float64, device="cpu")
        self._inertia = self.airframe.mass_properties().inertia
        self._surfaces = Surfaces.of(self.airframe)
        self.controls: tuple[Control, ...] = (
            Choice("controller", ("log_pd", "geometric_pd"), "log_pd", "the law that turns the aircraft"),
            Button("next attitude", "do not wait for the next one"),
        )
        self.view = View((0.0, 0.0, 1.3 * self._size), 1.35 * self._size)
        self._flight: simulation.LiveFlight | None = None
        self.begin()

    def begin(self) -> Scene:
        self.close()
        level = torch.eye(3, dtype=torch.float64, device="cpu")
        if self._bullet:
            self._flight = simulation.LiveFlight(self.airframe, level)
        rest = torch.zeros(3, dtype=torch.float64, device="cpu")
        self._state, self._ghost, self._torque = (level, rest), (level, rest), rest
        self._draws = torch.Generator().manual_seed(self._seed)
        self._law, self._kind = attitude_law(self.airframe), "log_pd"
        self._left = self._until = 0.0
        self._legs, self._reached, self._apart = 0, 0, 0.0
        self._next(0.0)
        return self._scene()

    def close(self) -> None:
        """Close Bullet's world."""
        if self._flight is not None:
            self._flight.close()
            self._flight = None

    def step(self, moment: Moment) -> Scene:
        if moment.option("controller") != self._kind:
            self._kind = moment.option("controller")
            self._law = attitude_law(self.airframe, self._kind)
        if "next attitude" in moment.touched or moment.t >= self._until:
            self._next(moment.t)
        self._left += moment.dt
        steps = min(int(self._left / _DT + 1e-9), _MOST)
        self._left = min(self._left - steps * _DT, _DT)
        for _ in range(steps):
            R, omega = (torch.stack(pair) for pair in zip(self._state, self._ghost))
            self._torque, other = self._law(R, omega, self._target)
            if self._flight is not None:
                self._state = self._flight.step(self._torque)
            else:
                self._state = self._ours(self._state, self._torque, "bullet")
            self._ghost = self._ours(self._ghost, other, "rk4")
        self._apart = max(self._apart, float(angle_between(self._state[0], self._ghost[0])))
        return self._scene()

    def _ours(self, state: tuple[Tensor, Tensor], torque: Tensor, integrator: str) -> tuple[Tensor, Tensor]:
        """One step of our own."""
        R, omega = aircraft.simulate_attitude(
            *state, self._inertia, torque, dt=_DT, steps=1, integrator=integrator,
            damping=simulation.BULLET_DAMPING,
        )  # fmt: skip
        return R[-1], omega[-1]

    def _next(self, now: float) -> None:
        """The next attitude to reach, once the last one is counted."""
        if self._legs:
            self._reached += float(angle_between(self._state[0], self._target)) < _REACHED
        self._legs += 1
        self._until = now + _LEG
        share = torch.rand(3, generator=self._draws, device="cpu", dtype=torch.float64) * 2.0 - 1.0
        self._target: Float[Tensor, "3 3"] = euler_to_matrix(share * _WIDEST, "ZYX")

    def rehearsal(self, t: float) -> Mapping[str, Value]:
        return {}

    def results(self) -> Mapping[str, float | int | str | bool | None]:
        done = self._legs - 1
        return {
            "aircraft": self.airframe.robot.name,
            "flown_by": self._flown_by,
            "attitudes": done,
            "reached_within_half_degree": self._reached,
            "largest_difference_deg": math.degrees(self._apart),
        }

    @property
    def _flown_by(self) -> str:
        return "PyBullet" if self._bullet else "diffkin (PyBullet is not installed)"

    def _scene(self) -> Scene:
        (R, omega), (ghost, _) = self._state, self._ghost
        q = self._surfaces.deflected(self.airframe.neutral(), self._torque)
        readings = (
            Reading("flown by", self._flown_by),
            Reading("to the attitude", math.degrees(float(angle_between(R, self._target))), "deg"),
            Reading("turn rate", math.degrees(float(omega.norm())), "deg/s"),
            Reading("torque", float(self._torque.norm()), "N m"),
            Reading("ghost apart", math.degrees(float(angle_between(R, ghost))), "deg"),
            Reading("ghost at most", math.degrees(self._apart), "deg"),
            Reading("reached", f"{self._reached} of {self._legs - 1}"),
        )
        return Scene(
            bodies=(
                body_of("aircraft", self.airframe, R, self._place, q),
                body_of("ghost", self.airframe, ghost, self._place, q, color=(0.3, 0.55, 0.95), opacity=0.35),
            ),
            frames=(
                frame_of("body", R, self._place, 0.8 * self._size),
                frame_of("to reach", self._target, self._place, 1.1 * self._size),
            ),
            lines=thrust_lines(self.airframe, R, self._place, self._torque),
            readings=readings,
        )
