"""Airframes: a robot that flies, its points and rays as functions of attitude, position and hinges."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._checks import check_finite, check_last, check_rotation
from diffkin.aircraft.airframe.mass import MassProperties, mass_properties
from diffkin.aircraft.frames.axes import flu_to_frd
from diffkin.errors import RotationError, ShapeError, closest
from diffkin.robot import Robot, load_robot

__all__ = ["Airframe", "BodyPoint", "BodyRay", "load_airframe"]


@dataclass(frozen=True)
class BodyPoint:
    """A point of an airframe.

    Attributes:
        link: The link it is fixed to.
        offset: Where it is, in the link's axes [m].
    """

    link: str
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class BodyRay:
    """A half-line of an airframe: a point and a direction.

    Attributes:
        link: The link it is fixed to.
        axis: Its direction in the link's axes, of any non-zero length.
        offset: Where it begins, in the link's axes [m].
    """

    link: str
    axis: tuple[float, float, float] = (1.0, 0.0, 0.0)
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Airframe:
    """An aircraft: a robot whose base flies. Hinges and gimbal are the robot's joints.

    Attitude is ``R_ned_body`` with FRD body axes, positions are in NED. The robot below keeps the axes of robots and
    simulators: its base link is FLU (so offsets and axes of points and rays, which are in link axes, are FLU too), and
    its world is ENU.

    Attributes:
        robot: The mechanism, its base link FLU.
        points: Named points.
        rays: Named rays.
    """

    robot: Robot
    points: Mapping[str, BodyPoint] = field(default_factory=dict)
    rays: Mapping[str, BodyRay] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, point in self.points.items():
            self.robot.link_index(point.link)
            _check_three(point.offset, f"offset of point {name!r}")
        for name, ray in self.rays.items():
            self.robot.link_index(ray.link)
            _check_three(ray.offset, f"offset of ray {name!r}")
            _check_three(ray.axis, f"axis of ray {name!r}")
            if not any(ray.axis):
                raise RotationError(f"The axis of ray {name!r} is zero and has no direction. Give a non-zero axis.")

    def to(self, dtype: torch.dtype | None = None, device: torch.device | str | None = None) -> Airframe:
        """The same airframe in another dtype or on another device."""
        return Airframe(self.robot.to(dtype=dtype, device=device), self.points, self.rays)

    @property
    def dof(self) -> int:
        """How many hinges and gimbal joints there are."""
        return self.robot.dof

    def point(self, name: str) -> BodyPoint:
        """A point by its name."""
        if name not in self.points:
            raise closest(name, self.points, f"point of airframe {self.robot.name!r}:")
        return self.points[name]

    def ray(self, name: str) -> BodyRay:
        """A ray by its name."""
        if name not in self.rays:
            raise closest(name, self.rays, f"ray of airframe {self.robot.name!r}:")
        return self.rays[name]

    def neutral(self) -> Float[Tensor, " dof"]:
        """(dof,) hinge angles nearest to zero within the limits."""
        return torch.zeros_like(self.robot.lower).clamp(self.robot.lower, self.robot.upper)

    def mass_properties(self, q: Float[Tensor, "*batch dof"] | None = None) -> MassProperties:
        """Mass, centre of mass and inertia of the whole aircraft in FRD body axes; see ``aircraft.mass_properties``."""
        return mass_properties(self.robot, self.neutral() if q is None else q)

    # -- in body axes -----------------------------------------------------------------------------------------------

    def points_body(
        self, q: Float[Tensor, "*batch dof"] | None = None, names: Sequence[str] | None = None
    ) -> Float[Tensor, "*batch n 3"]:
        """Points in FRD body axes, from the origin of the base link.

        Args:
            q: (*batch, dof) hinge and gimbal angles [rad]; neutral if None.
            names: Which points; all, in the order of ``points``, if None.

        Returns:
            (*batch, n, 3) [m].

        Raises:
            diffkin.errors.UnknownNameError: There is no such point.
            diffkin.errors.ShapeError: Wrong last axis of ``q``.
        """
        marks = [self.point(name) for name in (self.points if names is None else names)]
        poses = self._poses([mark.link for mark in marks], q)
        return flu_to_frd(_carry_points(poses, [mark.offset for mark in marks]))

    def rays_body(
        self, q: Float[Tensor, "*batch dof"] | None = None, names: Sequence[str] | None = None
    ) -> tuple[Float[Tensor, "*batch n 3"], Float[Tensor, "*batch n 3"]]:
        """Origins [m] and unit directions of rays in FRD body axes; arguments and errors as ``points_body``."""
        marks = [self.ray(name) for name in (self.rays if names is None else names)]
        poses = self._poses([mark.link for mark in marks], q)
        axes = _unit(poses, [mark.axis for mark in marks])
        origins = _carry_points(poses, [mark.offset for mark in marks])
        return flu_to_frd(origins), flu_to_frd(_turn(poses[..., :3, :3], axes))

    # -- in NED axes ------------------------------------------------------------------------------------------------

    def points_ned(
        self,
        R_ned_body: Float[Tensor, "*batch 3 3"],
        position: Float[Tensor, "*batch 3"] | None = None,
        q: Float[Tensor, "*batch dof"] | None = None,
        names: Sequence[str] | None = None,
    ) -> Float[Tensor, "*batch n 3"]:
        """Points in NED axes: ``p_ned = position + R_ned_body @ p_body(q)``.

        Args:
            R_ned_body: (*batch, 3, 3) attitude of the FRD body axes; make it from any chart with ``diffkin.rotations``.
            position: (*batch, 3) NED position of the base link's origin [m]; zero if None.
            q: (*batch, dof) hinge and gimbal angles [rad]; neutral if None. All leading axes broadcast.
            names: Which points; all if None.

        Returns:
            (*batch, n, 3) [m].

        Raises:
            diffkin.errors.UnknownNameError: There is no such point; the message names the closest.
            diffkin.errors.ShapeError: A wrong shape, or leading axes that do not broadcast.
            diffkin.errors.RotationError: ``R_ned_body`` is no rotation; the message says how far off it is.
        """
        R_ned_body, position, q = self.place(R_ned_body, position, q)
        return position.unsqueeze(-2) + _turn(R_ned_body.unsqueeze(-3), self.points_body(q, names))

    def rays_ned(
        self,
        R_ned_body: Float[Tensor, "*batch 3 3"],
        position: Float[Tensor, "*batch 3"] | None = None,
        q: Float[Tensor, "*batch dof"] | None = None,
        names: Sequence[str] | None = None,
    ) -> tuple[Float[Tensor, "*batch n 3"], Float[Tensor, "*batch n 3"]]:
        """Origins [m] and unit directions of rays in NED axes; arguments and errors as ``points_ned``."""
        R_ned_body, position, q = self.place(R_ned_body, position, q)
        origins, directions = self.rays_body(q, names)
        rotation = R_ned_body.unsqueeze(-3)
        return position.unsqueeze(-2) + _turn(rotation, origins), _turn(rotation, directions)

    # -- shared -----------------------------------------------------------------------------------------------------

    def _poses(self, links: Sequence[str], q: Tensor | None) -> Tensor:
        return self.robot.forward_kinematics(self.neutral() if q is None else q, links=links)

    def place(self, rotation: Tensor, position: Tensor | None, q: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Attitude, position and hinge angles, checked, of one dtype and with their leading axes broadcast."""
        check_rotation(rotation, "R_ned_body")
        if position is None:
            position = rotation.new_zeros(3)
        check_last(position, (3,), "position")
        check_finite(position, "position")
        q = self.neutral() if q is None else q
        check_last(q, (self.dof,), "q")
        try:
            batch = torch.broadcast_shapes(rotation.shape[:-2], position.shape[:-1], q.shape[:-1])
        except RuntimeError:
            raise ShapeError(
                f"The leading axes of R_ned_body {tuple(rotation.shape)}, position {tuple(position.shape)} and q "
                f"{tuple(q.shape)} do not broadcast. Give them the same leading axes, or length 1 where they differ."
            ) from None
        dtype = torch.promote_types(torch.promote_types(rotation.dtype, position.dtype), q.dtype)
        dtype = torch.promote_types(dtype, self.robot.dtype)
        rotation, position, q = rotation.to(dtype), position.to(dtype), q.to(dtype)
        return rotation.expand(*batch, 3, 3), position.expand(*batch, 3), q.expand(*batch, self.dof)


_NAMES = ("nose", "left_wingtip", "right_wingtip", "tail", "camera", "antenna")
_WING_POINTS = {name: BodyPoint(name) for name in _NAMES}
_ROTOR_POINTS = {name: BodyPoint(name) for name in ("front_rotor", "left_rotor", "rear_rotor", "right_rotor")}
_RAYS = {"nose": BodyRay("nose"), "boresight": BodyRay("camera"), "antenna": BodyRay("antenna", axis=(0.0, 0.0, 1.0))}

# Points and rays of the aircraft known by name; on a quadrotor the rotors abeam are what a wing's tips are.
_AIRFRAMES: dict[str, tuple[dict[str, BodyPoint], dict[str, BodyRay]]] = {
    "fixed_wing": (_WING_POINTS, _RAYS),
    "quadrotor": (
        {
            **_WING_POINTS,
            "left_wingtip": BodyPoint("left_rotor"),
            "right_wingtip": BodyPoint("right_rotor"),
            **_ROTOR_POINTS,
        },
        _RAYS,
    ),
}


def load_airframe(
    robot: str | os.PathLike[str] | Robot,
    points: Mapping[str, BodyPoint] | None = None,
    rays: Mapping[str, BodyRay] | None = None,
) -> Airframe:
    """An airframe by name, from a URDF or from a robot.

    Args:
        robot: "fixed_wing", "quadrotor", anything ``load_robot`` takes, or a robot; its base link must be FLU.
        points: Named points. None takes those of a named aircraft, else the origin of every link under the link's name.
        rays: Named rays. None takes those of a named aircraft, else the x axis of every link under the link's name.

    Returns:
        The airframe.

    Raises:
        diffkin.errors.UnknownNameError: There is no such robot or link.
        diffkin.errors.ModelFileError: The file cannot be read.
    """
    loaded = robot if isinstance(robot, Robot) else load_robot(robot)
    known_points: Mapping[str, BodyPoint] = {link: BodyPoint(link) for link in loaded.link_names}
    known_rays: Mapping[str, BodyRay] = {link: BodyRay(link) for link in loaded.link_names}
    usual = _AIRFRAMES.get(loaded.name, ({}, {}))
    if usual[0] and all(mark.link in loaded.link_names for mark in usual[0].values()):
        known_points, known_rays = usual
    chosen_points, chosen_rays = known_points if points is None else points, known_rays if rays is None else rays
    return Airframe(loaded, dict(chosen_points), dict(chosen_rays))


def _check_three(numbers: Sequence[float], what: str) -> None:
    if len(numbers) != 3:
        raise ShapeError(f"The {what} must be three numbers, got {numbers!r}.")


def _turn(rotation: Tensor, vector: Tensor) -> Tensor:
    return (rotation * vector.unsqueeze(-2)).sum(-1)


def _carry_points(poses: Tensor, offsets: list[tuple[float, float, float]]) -> Tensor:
    local = torch.tensor(offsets, dtype=poses.dtype, device=poses.device).reshape(-1, 3)
    return _turn(poses[..., :3, :3], local) + poses[..., :3, 3]


def _unit(poses: Tensor, axes: list[tuple[float, float, float]]) -> Tensor:
    local = torch.tensor(axes, dtype=poses.dtype, device=poses.device).reshape(-1, 3)
    return local / torch.linalg.vector_norm(local, dim=-1, keepdim=True)
