"""Pointing as inverse kinematics: the attitude, and the gimbal and hinge angles, that point rays of an airframe."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from diffkin._algebra import perpendicular, unit
from diffkin._checks import check_broadcast, check_finite, check_last, check_rotation
from diffkin.aircraft._inputs import check_choice, check_kind, check_same_device, number, table, whole
from diffkin.aircraft.airframe.airframe import Airframe
from diffkin.aircraft.airframe.point_axis import PARALLEL, align_vectors
from diffkin.aircraft.frames.axes import (
    attitude_enu_flu_to_ned_frd,
    attitude_ned_frd_to_enu_flu,
    ned_to_enu,
    pose_ned_frd_to_enu_flu,
)
from diffkin.aircraft.frames.two_vectors import sine_between
from diffkin.errors import OptionError
from diffkin.ik import IKResult, OrientationTask, Task, solve_ik
from diffkin.ik.search import Progress
from diffkin.ik.tasks.pointing import (
    BankPitchLimitTask,
    KeepOutConeTask,
    RayAtPointTask,
    RayDirectionTask,
    WingsLevelTask,
)
from diffkin.rotations import matrix_to_euler
from diffkin.transforms import pose

__all__ = ["ROLLS", "KeepOut", "Pointing", "RayTarget", "bank_pitch", "point"]

ROLLS = ("level", "least", "free")
"""How the roll that pointing leaves free is resolved."""


@dataclass(frozen=True, eq=False)
class RayTarget:
    """Where a ray shall point. Exactly one of ``point`` and ``direction`` is given.

    Attributes:
        ray: Name of a ray of the airframe.
        point: (*batch, 3) point in NED axes [m].
        direction: (*batch, 3) direction in NED axes, of any non-zero length.
        priority: 0 must be met for success; 1 is met as nearly as the targets of priority 0 allow.
    """

    ray: str
    point: Float[Tensor, "*batch 3"] | None = None
    direction: Float[Tensor, "*batch 3"] | None = None
    priority: int = 0

    def __post_init__(self) -> None:
        check_kind(self.ray, str, "ray", "Give the name of a ray of the airframe.")
        if (self.point is None) == (self.direction is None):
            raise OptionError(f"Give the target of ray {self.ray!r} either a point or a direction, one of the two.")
        check_last(self.aim, (3,), "point" if self.direction is None else "direction")
        if whole(self.priority, "priority") > 1:
            raise OptionError(f"priority must be 0 or 1, got {self.priority!r}.")

    @property
    def aim(self) -> Tensor:
        """(*batch, 3) the point or the direction, whichever is given."""
        return self.direction if self.point is None else self.point  # type: ignore[return-value]

    def toward(self, origin: Tensor) -> Tensor:
        """Where a ray that begins at ``origin`` (*batch, 3) shall point, in NED axes, of any length."""
        return self.aim if self.point is None else self.point.to(origin) - origin


@dataclass(frozen=True, eq=False)
class KeepOut:
    """A cone that a ray must stay out of, for instance round the sun.

    Attributes:
        ray: Name of a ray of the airframe.
        direction: (*batch, 3) axis of the cone in NED axes, of any non-zero length.
        half_angle: Half the cone's opening [rad].
    """

    ray: str
    direction: Float[Tensor, "*batch 3"]
    half_angle: float

    def __post_init__(self) -> None:
        check_kind(self.ray, str, "ray", "Give the name of a ray of the airframe.")
        check_last(self.direction, (3,), "direction")
        number(self.half_angle, "half_angle", sign="positive", unit="in rad")


@dataclass(frozen=True, eq=False)
class Pointing:
    """How an airframe points.

    Attributes:
        R_ned_body: (*batch, 3, 3) attitude of the FRD body axes.
        q: (*batch, dof) hinge and gimbal angles [rad], within limits always.
        success: (*batch,) whether every target of priority 0, every cone and every limit is met.
        pointing_error: (*batch,) largest angle between a ray of priority 0 and its target [rad].
        ik: What the solver returned.
    """

    R_ned_body: Float[Tensor, "*batch 3 3"]
    q: Float[Tensor, "*batch dof"]
    success: Bool[Tensor, "*batch"]
    pointing_error: Float[Tensor, "*batch"]
    ik: IKResult

    def __repr__(self) -> str:
        solved, total = int(self.success.sum()), self.success.numel()
        text = (
            f"Pointing(solved {solved} of {total}, R_ned_body {tuple(self.R_ned_body.shape)}, q {tuple(self.q.shape)}"
        )
        if self.success.is_meta or total == 0:
            return f"{text})"
        text += f"; worst pointing error {math.degrees(float(self.pointing_error.max())):.3g} deg"
        if solved < total and self.success.ndim:
            failed = [place[0] if len(place) == 1 else tuple(place) for place in (~self.success).nonzero().tolist()]
            more = f" and {len(failed) - 5} more" if len(failed) > 5 else ""
            left = math.degrees(float(self.pointing_error[~self.success].min()))
            text += f"; failed: {', '.join(map(str, failed[:5]))}{more}, the best of them by {left:.3g} deg"
        return f"{text})"


def point(
    airframe: Airframe,
    targets: RayTarget | Sequence[RayTarget],
    *,
    position: Float[Tensor, "*batch 3"] | None = None,
    R_ned_body: Float[Tensor, "*batch 3 3"] | None = None,
    q: Float[Tensor, "*batch dof"] | None = None,
    free_attitude: bool = True,
    locked: Sequence[str] | None = None,
    roll: str = "level",
    keep_out: KeepOut | Sequence[KeepOut] = (),
    max_bank: float | None = None,
    max_pitch: float | None = None,
    tolerance: float | None = None,
    max_restarts: int | None = None,
    max_iterations: int | None = None,
    seed: int = 0,
    history: bool = False,
    progress: Progress | None = None,
) -> Pointing:
    """Find the attitude and the gimbal angles that point rays of an airframe, by ``solve_ik`` with a free base.

    Args:
        airframe: The airframe.
        targets: Where which ray shall point.
        position: (*batch, 3) NED position of the base link's origin [m]; zero if None.
        R_ned_body: (*batch, 3, 3) attitude now, where the search starts. If None: level, with the first ray's heading
            towards its target, or straight at it where no joint moves that ray.
        q: (*batch, dof) hinge and gimbal angles now [rad]; neutral if None. All leading axes broadcast.
        free_attitude: Whether the attitude may change; else joints alone point the rays.
        locked: Names of joints that stay as they are. If None: those that move no ray of the targets or cones.
        roll: "level" (wings as level as the rest allows), "least" (attitude as near to the one now as the rest allows)
            or "free".
        keep_out: Cones that rays must stay out of.
        max_bank: Limit of bank [rad], at most pi/2; None for none.
        max_pitch: Limit of pitch [rad], at most pi/2; None for none.
        tolerance: [rad]; 1e-6 for a float64 airframe, 1e-5 for float32.
        max_restarts: Starts after the first; the solver's default if None.
        max_iterations: For each start; the solver's default if None.
        seed: Shifts the low-discrepancy starts.
        history: Whether to record the error after each iteration, in ``ik.history``.
        progress: Called now and then as ``progress(finished, total)``.

    Returns:
        The attitude, the angles, and whether they do what was asked.

    Raises:
        diffkin.errors.UnknownNameError: Unknown ray, joint or choice of ``roll``; the message names the closest.
        diffkin.errors.ShapeError: A wrong shape, or leading axes that do not broadcast.
        diffkin.errors.RotationError: A zero direction, or ``R_ned_body`` is no rotation.
        diffkin.errors.NonFiniteError: NaN or infinity.
        diffkin.errors.OptionError: No target, or an option out of its range.
    """
    check_kind(airframe, Airframe, "airframe", "Make one with aircraft.load_airframe(...).")
    wanted, cones = _several(targets, RayTarget, "targets"), _several(keep_out, KeepOut, "keep_out")
    if not any(target.priority == 0 for target in wanted):
        raise OptionError("point(...) needs at least one RayTarget of priority 0.")
    check_choice(roll, ROLLS, "choice for roll")
    robot = airframe.robot
    tolerance = _tolerance(tolerance, robot.dtype)
    limits = {"max_bank": max_bank, "max_pitch": max_pitch}
    max_bank, max_pitch = (
        None if limit is None else number(limit, name, sign="positive", unit="in rad") for name, limit in limits.items()
    )
    here = torch.zeros(3, dtype=robot.dtype, device=robot.device) if position is None else position
    check_last(here, (3,), "position")
    check_finite(here, "position")
    joints = airframe.neutral() if q is None else q
    check_last(joints, (airframe.dof,), "q")
    if R_ned_body is not None:
        check_last(R_ned_body, (3, 3), "R_ned_body")
    aims = {f"targets[{i}]": target.aim for i, target in enumerate(wanted)}
    aims |= {f"keep_out[{i}]": cone.direction for i, cone in enumerate(cones)}
    check_same_device(airframe=robot.lower, position=here, q=joints, R_ned_body=R_ned_body, **aims)
    start = _start(airframe, wanted[0], here, joints) if R_ned_body is None else R_ned_body
    check_rotation(start, "R_ned_body")
    max_restarts = None if max_restarts is None else whole(max_restarts, "max_restarts")
    max_iterations = None if max_iterations is None else whole(max_iterations, "max_iterations", least=1)
    seed = whole(seed, "seed")
    if isinstance(locked, str) or not (locked is None or isinstance(locked, Sequence)):
        raise OptionError(f"locked must be a list of names of joints, got {locked!r}.")
    if locked is None:
        locked = _idle_joints(airframe, [target.ray for target in wanted] + [cone.ray for cone in cones])
    margin = 2.0 * tolerance
    tasks: list[Task] = [_ray_task(airframe, target) for target in wanted]
    for cone in cones:
        ray = airframe.ray(cone.ray)
        away = ned_to_enu(cone.direction)
        tasks.append(KeepOutConeTask(ray.link, ray.axis, away, half_angle=cone.half_angle, margin=margin))
    if max_bank is not None or max_pitch is not None:
        tasks.append(BankPitchLimitTask(robot.base, max_bank, max_pitch, margin))
    if free_attitude and roll == "level":
        tasks.append(WingsLevelTask(robot.base, priority=1))
    elif free_attitude and roll == "least":
        tasks.append(OrientationTask(robot.base, attitude_ned_frd_to_enu_flu(start), priority=1))
    check_broadcast(R_ned_body=start.shape[:-2], position=here.shape[:-1])
    result = solve_ik(
        robot,
        tasks,
        q0=joints,
        rotation_tolerance=tolerance,
        max_restarts=max_restarts,
        max_iterations=max_iterations,
        seed=seed,
        base=pose_ned_frd_to_enu_flu(pose(start, here.to(start))),
        free_base="rotation" if free_attitude else None,
        locked=locked,
        history=history,
        progress=progress,
    )
    batch = result.success.shape
    attitude = start if result.base is None else attitude_enu_flu_to_ned_frd(result.base[..., :3, :3])
    attitude = attitude.to(result.q).expand(*batch, 3, 3)
    error = _pointing_error(airframe, wanted, attitude, here, result.q)
    return Pointing(attitude, result.q, result.success, error.expand(batch), result)


def bank_pitch(
    R_ned_body: Float[Tensor, "*batch 3 3"], *, degrees: bool = False
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """Bank and pitch of an attitude: the last two angles of its "ZYX" Euler triple.

    Args:
        R_ned_body: (*batch, 3, 3).
        degrees: Whether the angles come in degrees.

    Returns:
        Bank in (-pi, pi], positive with the right wing down, and pitch in [-pi/2, pi/2], (*batch,) each [rad].

    Raises:
        diffkin.errors.ShapeError: The last axes are not (3, 3).
        diffkin.errors.RotationError: It is no rotation.
    """
    _, pitch, bank = matrix_to_euler(R_ned_body, "ZYX").unbind(-1)
    return (bank.rad2deg(), pitch.rad2deg()) if degrees else (bank, pitch)


def _several(given: Any, kind: type, name: str) -> list[Any]:
    """One or several of a kind as a list."""
    found = [given] if isinstance(given, kind) else given
    check_kind(found, (list, tuple), name, f"Give one aircraft.{kind.__name__} or a list of them.")
    for i, each in enumerate(found):
        check_kind(each, kind, f"{name}[{i}]")
    return list(found)


def _tolerance(tolerance: float | None, dtype: torch.dtype) -> float:
    if tolerance is None:
        return 1e-6 if dtype == torch.float64 else 1e-5
    return number(tolerance, "tolerance", sign="positive", unit="in rad")


def _ray_task(airframe: Airframe, target: RayTarget) -> Task:
    ray = airframe.ray(target.ray)
    if target.point is not None:
        place = ned_to_enu(target.point)
        return RayAtPointTask(ray.link, ray.axis, place, offset=ray.offset, priority=target.priority)
    along = ned_to_enu(target.direction)  # type: ignore[arg-type]
    return RayDirectionTask(ray.link, ray.axis, along, priority=target.priority)


def _idle_joints(airframe: Airframe, rays: Sequence[str]) -> list[str]:
    """Joints that move none of the rays."""
    tree, robot = airframe.robot.tree, airframe.robot
    carriers = [tree.link_joint[robot.link_index(airframe.ray(name).link)] for name in rays]
    moving = {tree.coordinate[joint] for carrier in carriers for joint in tree.path(carrier)}
    return [name for k, name in enumerate(robot.joint_names) if k not in moving]


def _start(airframe: Airframe, target: RayTarget, position: Tensor, q: Tensor) -> Tensor:
    """Level flight with the ray's heading towards its target; or straight at it if no joint moves the ray."""
    origins, axes = airframe.rays_body(q, [target.ray])
    axis = axes[..., 0, :]
    toward = target.toward(position)
    check_last(toward, (3,), "target")
    axis, toward = torch.broadcast_tensors(axis, toward.to(axis))
    down = table([(0.0, 0.0, 1.0)], toward)[0].expand_as(toward)
    if len(_idle_joints(airframe, [target.ray])) == airframe.dof:
        vertical, aside = ((sine_between(v, down) <= PARALLEL).unsqueeze(-1) for v in (toward, axis))
        second = torch.where(vertical, perpendicular(toward), down)
        return align_vectors(axis, torch.where(aside, perpendicular(axis), down), toward, second)
    flat = table([(1.0, 1.0, 0.0)], toward)[0]
    aim, own = toward * flat, axis * flat
    heading = torch.atan2(aim[..., 1], aim[..., 0]) - torch.atan2(own[..., 1], own[..., 0])
    zero, one = torch.zeros_like(heading), torch.ones_like(heading)
    rows = ((heading.cos(), -heading.sin(), zero), (heading.sin(), heading.cos(), zero), (zero, zero, one))
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def _pointing_error(
    airframe: Airframe, targets: Sequence[RayTarget], rotation: Tensor, position: Tensor, q: Tensor
) -> Tensor:
    """Largest angle between a ray of priority 0 and its target, from the airframe itself."""
    worst = q.new_zeros(q.shape[:-1])
    for target in targets:
        if target.priority > 0:
            continue
        origins, axes = airframe.rays_ned(rotation, position.to(q), q, [target.ray])
        goal, axis = unit(target.toward(origins[..., 0, :]).to(q)), axes[..., 0, :]
        sine = torch.linalg.vector_norm(torch.linalg.cross(goal.expand_as(axis), axis), dim=-1)
        worst = torch.maximum(worst, torch.atan2(sine, (goal * axis).sum(-1)))
    return worst
