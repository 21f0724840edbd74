"""What the aircraft demos share: airframes as bodies in a scene, rays, and control surfaces that turn them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin import aircraft
from diffkin.aircraft import Airframe, QuadrotorMixer, flu_to_frd, ned_to_enu, pose_ned_frd_to_enu_flu
from diffkin.demos.scene import Body, Color, Frame, Line
from diffkin.transforms import pose

__all__ = [
    "RED_GREEN_BLUE",
    "Surfaces",
    "attitude_law",
    "body_of",
    "circle",
    "exact",
    "frame_of",
    "line_of",
    "reach_of",
    "thrust_lines",
    "torque_limit",
]

RED_GREEN_BLUE: tuple[Color, Color, Color] = ((0.85, 0.15, 0.15), (0.15, 0.65, 0.2), (0.15, 0.3, 0.85))
"""The colours of three things in a row, as axes have them."""

_LIMITS = {"fixed_wing": (16.0, 12.0, 12.0), "quadrotor": (3.0, 3.0, 0.8)}
_ROTORS = ("front_rotor", "right_rotor", "rear_rotor", "left_rotor")
_ACCELERATION = 12.0  # largest, of any other airframe [rad/s^2]
_LAWS: dict[str, Callable[..., Tensor]] = {"log_pd": aircraft.log_pd, "geometric_pd": aircraft.geometric_pd}


def exact(airframe: Airframe) -> Airframe:
    """The airframe in float64 on the CPU, as demos compute."""
    return airframe.to(dtype=torch.float64, device="cpu")


def reach_of(airframe: Airframe) -> float:
    """How far its farthest point is from the origin of its body [m]."""
    return max(0.1, float(airframe.points_body().norm(dim=-1).max()))


def torque_limit(airframe: Airframe) -> Float[Tensor, " 3"]:
    """(3,) largest torque about each body axis [N m]."""
    known = _LIMITS.get(airframe.robot.name)
    if known is not None:
        return torch.tensor(known, dtype=torch.float64, device="cpu")
    return _ACCELERATION * airframe.mass_properties().inertia.diagonal()


def attitude_law(airframe: Airframe, kind: str = "log_pd") -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """A saturated attitude controller.

    Args:
        airframe: What it turns; gains are multiplied by its moments of inertia.
        kind: "log_pd" or "geometric_pd".

    Returns:
        A function of ``R``, ``omega`` and ``R_desired`` that gives the torque in FRD body axes [N m].
    """
    inertia, limit = airframe.mass_properties().inertia, torque_limit(airframe)
    moments = inertia.diagonal()

    def law(R: Tensor, omega: Tensor, desired: Tensor) -> Tensor:
        torque = _LAWS[kind](R, omega, desired, inertia, k_attitude=36.0 * moments, k_rate=9.0 * moments)
        return aircraft.saturate(torque, limit)

    return law


@dataclass(frozen=True, eq=False)
class Surfaces:
    """Control surfaces: the hinged links at the ends of an airframe that carry nothing.

    A surface at p that turns about the axis a moves its trailing edge along ``a x (-x)`` and is pushed the other way, so
    its torque is along ``p x (a x x)``. What the air gives is set so that all surfaces at their limits give the torque
    limit about each axis.

    Attributes:
        coordinates: Their places in ``q``.
        effectiveness: (3, n) torque per deflection in FRD body axes [N m/rad].
        lower: (n,) limits [rad].
        upper: (n,) limits [rad].
    """

    coordinates: tuple[int, ...]
    effectiveness: Float[Tensor, "3 n"]
    lower: Float[Tensor, " n"]
    upper: Float[Tensor, " n"]

    @classmethod
    def of(cls, airframe: Airframe) -> Surfaces:
        """The surfaces of an airframe; none on a quadrotor."""
        robot, q = airframe.robot, airframe.neutral()
        forward = torch.tensor([1.0, 0.0, 0.0], dtype=q.dtype, device="cpu")
        columns: dict[int, Tensor] = {}
        for link in robot.leaves:
            axes = robot.jacobian(q, link=link)[3:]
            moved = axes.norm(dim=0).nonzero().flatten().tolist()
            if len(moved) == 1:
                place = robot.forward_kinematics(q, links=[link])[0, :3, 3]
                push = torch.linalg.cross(place, torch.linalg.cross(axes[:, moved[0]], forward))
                columns[moved[0]] = columns.get(moved[0], torch.zeros_like(push)) + flu_to_frd(push)
        which = sorted(columns)
        lower, upper = robot.lower[which], robot.upper[which]
        geometry = torch.stack([columns[k] for k in which], dim=-1) if which else q.new_zeros(3, 0)
        most = (geometry.abs() * torch.minimum(-lower, upper)).sum(-1, keepdim=True).clamp(min=1e-9)
        return cls(tuple(which), geometry * torque_limit(airframe).unsqueeze(-1) / most, lower, upper)

    def deflected(self, q: Float[Tensor, " dof"], torque: Float[Tensor, " 3"]) -> Float[Tensor, " dof"]:
        """``q`` with the surfaces where they give a torque best."""
        if not self.coordinates:
            return q
        q = q.clone()
        q[list(self.coordinates)] = aircraft.allocate_surfaces(self.effectiveness, torque, self.lower, self.upper)
        return q


# -- things in a scene, from NED ------------------------------------------------------------------------------------


def body_of(
    name: str,
    airframe: Airframe,
    R_ned_body: Tensor,
    position: Tensor,
    q: Tensor,
    color: Color | None = None,
    opacity: float = 1.0,
) -> Body:
    """An airframe at an attitude and a place."""
    base = pose_ned_frd_to_enu_flu(pose(R_ned_body, position))
    return Body(name, airframe.robot, q, base, color=color, opacity=opacity)


def frame_of(name: str, R_ned_body: Tensor, position: Tensor, length: float) -> Frame:
    """FRD body axes, x along the nose, y along the right wing, z down."""
    axes = ned_to_enu(R_ned_body.mT).mT  # each column is a direction
    return Frame(name, pose(axes, ned_to_enu(position)), length)


def line_of(name: str, points: Tensor, color: Color, width: float = 2.0) -> Line:
    """A line through (n, 3) points in NED."""
    return Line(name, ned_to_enu(points), color, width)


def thrust_lines(airframe: Airframe, R_ned_body: Tensor, position: Tensor, torque: Tensor) -> tuple[Line, ...]:
    """Thrusts of a quadrotor's rotors that hold its weight and give a torque, as lines; none for other aircraft.

    The drag torque of a rotor is taken as 0.02 m times its thrust, and a rotor has at most four times its share of the
    weight.
    """
    if not all(name in airframe.points for name in _ROTORS):
        return ()
    at = airframe.points_body(names=_ROTORS)
    spins = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=at.dtype, device="cpu")
    weight = 9.81 * airframe.mass_properties().mass
    share = float(weight) / len(_ROTORS)
    mixer = QuadrotorMixer.from_rotors(at, spins, 1.0, 0.02, 4.0 * share)
    up = torch.tensor([0.0, 0.0, -0.6 * reach_of(airframe) / share], dtype=at.dtype, device="cpu")
    ends = torch.stack((at, at + mixer.thrusts(weight, torque).unsqueeze(-1) * up), dim=1)
    placed = position + ends @ R_ned_body.mT
    return tuple(line_of(f"thrust {k + 1}", ends, (0.95, 0.5, 0.1), 4.0) for k, ends in enumerate(placed))


def circle(center: Tensor, axis: Tensor, radius: float, count: int = 48) -> Float[Tensor, "n 3"]:
    """(count + 1, 3) points of a closed circle round an axis."""
    axis = axis / axis.norm()
    aside = torch.eye(3, dtype=axis.dtype, device="cpu")[int(axis.abs().argmin())]
    first = torch.linalg.cross(axis, aside)
    first = first / first.norm()
    angle = torch.linspace(0.0, 2.0 * math.pi, count + 1, dtype=axis.dtype, device="cpu").unsqueeze(-1)
    return center + radius * (angle.cos() * first + angle.sin() * torch.linalg.cross(axis, first))
