"""Airframes: a robot that flies, its points and rays as functions of attitude, position and hinges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import apply, unit
from diffkin._checks import broadcast, check_finite, check_last, check_rotation
from diffkin.aircraft._inputs import check_choice, check_kind, check_same_device, table, triple
from diffkin.aircraft.airframe.mass import MassProperties, mass_properties
from diffkin.aircraft.frames.axes import flu_to_frd
from diffkin.errors import ModelFileError, OptionError, RotationError, closest
from diffkin.robot import Robot

__all__ = ["Airframe", "BodyPoint", "BodyRay"]


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
        check_kind(self.robot, Robot, "robot", "Load one with diffkin.load_robot(...) or aircraft.load_airframe(...).")
        for marks, kind in ((self.points, BodyPoint), (self.rays, BodyRay)):
            what = "points" if kind is BodyPoint else "rays"
            check_kind(marks, Mapping, what, f"Give a dictionary of names and aircraft.{kind.__name__}.")
            for name, mark in marks.items():
                check_kind(mark, kind, f"{what}[{name!r}]")
                if not isinstance(mark.link, str):
                    raise closest(mark.link, self.robot.link_names, f"link of robot {self.robot.name!r}:")
                self.robot.link_index(mark.link)
                triple(mark.offset, f"offset of {what}[{name!r}]")
                if isinstance(mark, BodyRay) and not any(triple(mark.axis, f"axis of {what}[{name!r}]")):
                    raise RotationError(f"The axis of ray {name!r} is zero and has no direction. Give a non-zero axis.")

    def __repr__(self) -> str:
        parts = [
            f"{self.robot.name!r}{self._weight()}, {self.dof} joints: {_listed(self.robot.joint_names)}",
            f"points: {_listed(self.points)}",
            f"rays: {_listed(self.rays)}",
            f"{str(self.robot.dtype).removeprefix('torch.')} on {self.robot.device}",
        ]
        return f"Airframe({'; '.join(parts)})"

    def _weight(self) -> str:
        if self.robot.lower.is_meta:
            return ""
        try:
            return f", {float(self.mass_properties().mass):.4g} kg"
        except ModelFileError:  # without masses it is an airframe all the same
            return ""

    def to(self, dtype: torch.dtype | None = None, device: torch.device | str | None = None) -> Airframe:
        """The same airframe in another dtype or on another device."""
        return Airframe(self.robot.to(dtype=dtype, device=device), self.points, self.rays)

    @property
    def dof(self) -> int:
        """How many hinges and gimbal joints there are."""
        return self.robot.dof

    def point(self, name: str) -> BodyPoint:
        """A point by its name."""
        check_choice(name, self.points, f"point of airframe {self.robot.name!r}:")
        return self.points[name]

    def ray(self, name: str) -> BodyRay:
        """A ray by its name."""
        check_choice(name, self.rays, f"ray of airframe {self.robot.name!r}:")
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
        marks = [self.point(name) for name in _names(names, self.points)]
        poses = self._poses([mark.link for mark in marks], q)
        return flu_to_frd(_carry_points(poses, [mark.offset for mark in marks]))

    def rays_body(
        self, q: Float[Tensor, "*batch dof"] | None = None, names: Sequence[str] | None = None
    ) -> tuple[Float[Tensor, "*batch n 3"], Float[Tensor, "*batch n 3"]]:
        """Origins [m] and unit directions of rays in FRD body axes; arguments and errors as ``points_body``."""
        marks = [self.ray(name) for name in _names(names, self.rays)]
        poses = self._poses([mark.link for mark in marks], q)
        origins = _carry_points(poses, [mark.offset for mark in marks])
        directions = apply(poses[..., :3, :3], unit(table([triple(mark.axis, "axis") for mark in marks], poses)))
        return flu_to_frd(origins), flu_to_frd(directions)

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
        return position.unsqueeze(-2) + apply(R_ned_body.unsqueeze(-3), self.points_body(q, names))

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
        return position.unsqueeze(-2) + apply(rotation, origins), apply(rotation, directions)

    # -- shared -----------------------------------------------------------------------------------------------------

    def _poses(self, links: Sequence[str], q: Tensor | None) -> Tensor:
        q = self.neutral() if q is None else q
        check_last(q, (self.dof,), "q")
        check_same_device(airframe=self.robot.lower, q=q)
        return self.robot.forward_kinematics(q, links=links)

    def place(self, rotation: Tensor, position: Tensor | None, q: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Attitude, position and hinge angles, checked, of one dtype and with their leading axes broadcast."""
        check_rotation(rotation, "R_ned_body")
        if position is None:
            position = rotation.new_zeros(3)
        check_last(position, (3,), "position")
        check_finite(position, "position")
        q = self.neutral() if q is None else q
        check_last(q, (self.dof,), "q")
        check_finite(q, "q")
        check_same_device(airframe=self.robot.lower, R_ned_body=rotation, position=position, q=q)
        batch = broadcast(R_ned_body=rotation.shape[:-2], position=position.shape[:-1], q=q.shape[:-1])
        dtype = torch.promote_types(torch.promote_types(rotation.dtype, position.dtype), q.dtype)
        dtype = torch.promote_types(dtype, self.robot.dtype)
        rotation, position, q = rotation.to(dtype), position.to(dtype), q.to(dtype)
        return rotation.expand(*batch, 3, 3), position.expand(*batch, 3), q.expand(*batch, self.dof)


def _names(names: Sequence[str] | None, known: Mapping[str, object]) -> Sequence[str]:
    if names is None:
        return tuple(known)
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise OptionError(
            f"names must be a list of names, [{next(iter(known), 'nose')!r}] for instance, got {names!r}."
        )
    return names


def _listed(names: Iterable[str]) -> str:
    """Up to eight names, and how many more there are."""
    known = list(names)
    shown = ", ".join(known[:8]) or "none"
    return shown if len(known) <= 8 else f"{shown} and {len(known) - 8} more"


def _carry_points(poses: Tensor, offsets: list[tuple[float, float, float]]) -> Tensor:
    """Points given in link axes, in base axes: (*batch, n, 4, 4) and n offsets to (*batch, n, 3)."""
    rows = table([triple(offset, "offset") for offset in offsets], poses)
    return apply(poses[..., :3, :3], rows) + poses[..., :3, 3]
