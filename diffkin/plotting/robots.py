"""A picture of any robot or airframe from its frames alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffkin._checks import as_tensor, check_finite, check_floating, check_pose, check_rotation
from diffkin.aircraft import Airframe, attitude_ned_frd_to_enu_flu
from diffkin.errors import OptionError, ShapeError
from diffkin.kinematics import PRISMATIC
from diffkin.plotting.space import Space
from diffkin.robot import Robot
from diffkin.robot.skeleton import Bone, bones_of, joint_poses, reach_of
from diffkin.transforms import pose as pose_of

__all__ = ["configurations", "draw_robot", "draw_scene", "draw_targets", "plot", "shown_robot", "targets_of"]

_Array = NDArray[np.float64]

_LINK, _JOINT, _RAY = "#4a6485", "#ed8c24", "#8e44ad"
_SAME_PLACE = 9.0  # pixels
_MOST_TIPS = 12  # frames at the ends of trees with more are only clutter


def plot(
    robot: Robot | Airframe,
    q: Any = None,
    target: Any = None,
    *,
    joint_names: bool = False,
    base: Any = None,
    R_ned_body: Any = None,
    title: str = "",
) -> Any:
    """Draw a robot from its frames alone: links as lines, joints, and the axes x, y, z of base and tip in red, green, blue.

    Args:
        robot: A robot of any kind, or an airframe, which is drawn with the axes of its hinges and its rays.
        q: (dof,) coordinates, a tensor, an array or a list; or (n, dof), of which the last is drawn in full and those
            before it as ghosts, fainter the further back. Zero, or the nearest to it within limits, if None.
        target: (4, 4) pose in the robot's base that it is to reach, or (n, 4, 4).
        joint_names: Whether joints have their names beside them.
        base: (4, 4) pose of the base in the picture; the identity if None.
        R_ned_body: (3, 3) attitude of an airframe, in place of ``base``. The picture's axes are east, north and up.
        title: Above the picture.

    Returns:
        A ``matplotlib.figure.Figure``, made without pyplot; it shows itself in a notebook. ``savefig`` writes it.

    Raises:
        diffkin.errors.ShapeError: ``q``, ``target`` or ``base`` has another shape.
        diffkin.errors.NonFiniteError: A number is NaN or infinite.
        diffkin.errors.RotationError: ``target``, ``base`` or ``R_ned_body`` is no rigid pose.
        diffkin.errors.OptionError: ``robot`` is no robot, or ``R_ned_body`` was given for one that does not fly.
        diffkin.errors.MissingDependencyError: matplotlib is not installed.
    """
    mechanism, placed = shown_robot(robot, base, R_ned_body)
    rows = configurations(mechanism, q)
    space = Space(reach_of(mechanism))
    for k, row in enumerate(rows[:-1]):
        draw_robot(space, mechanism, row, placed, 0.12 + 0.3 * k / len(rows))
    draw_scene(space, robot, mechanism, rows[-1], placed)
    draw_targets(space, targets_of(target), placed)
    points = joint_poses(mechanism, rows[-1], placed).numpy()
    for bone in bones_of(mechanism):
        space.shadow(_ends(bone, points))
    figure = space.finish(title)
    if joint_names:
        _write_names(space, mechanism, points)
    return figure


def draw_scene(space: Space, robot: Robot | Airframe, mechanism: Robot, q: Tensor, base: Tensor) -> list[Any]:
    """Draw one configuration in full: a robot with the axes of its tips, an airframe with its surfaces and rays.

    Args:
        space: Where to.
        robot: What is drawn.
        mechanism: Its joints and links, in float64 on the CPU.
        q: (dof,) coordinates.
        base: (4, 4) pose of its base.

    Returns:
        The artists, so that a film can take them away again.
    """
    artists = draw_robot(space, mechanism, q, base, tips=not isinstance(robot, Airframe))
    if isinstance(robot, Airframe):
        artists += _draw_surfaces(space, robot, q, base) + _draw_rays(space, robot, q, base)
    return artists


def draw_targets(space: Space, goals: _Array, base: Tensor) -> None:
    """Draw target poses (n, 4, 4), given in the robot's base, as frames with a ring at the origin."""
    for goal in goals:
        seen = base.numpy() @ goal
        space.frame(seen, 0.16 * space.size, width=2.8)
        space.line(
            seen[None, :3, 3], color="black", marker="o", markersize=7, fillstyle="none", linestyle="none", zorder=6
        )


def draw_robot(space: Space, robot: Robot, q: Tensor, base: Tensor, alpha: float = 1.0, tips: bool = True) -> list[Any]:
    """Draw one configuration of a robot into a space.

    Args:
        space: Where to.
        robot: In float64 on the CPU.
        q: (dof,) coordinates.
        base: (4, 4) pose of its base.
        alpha: 1 for the robot itself, less for a ghost, which has no axes.
        tips: Whether the axes of its tips are drawn too.

    Returns:
        The artists, so that a film can take them away again.
    """
    frames = joint_poses(robot, q, base).numpy()
    tree, length = robot.tree, 0.12 * space.size
    artists = [
        space.line(_ends(bone, frames), color=_LINK, linewidth=5.0, alpha=alpha, zorder=2) for bone in bones_of(robot)
    ]
    axes = tree.axes.detach().numpy()
    for joint, kind in enumerate(tree.kinds):
        place = frames[joint + 1]
        along = 0.25 * length * (place[:3, :3] @ axes[joint])
        ends = np.stack((place[:3, 3] - along, place[:3, 3] + along))
        cap = {"marker": "s", "markersize": 4.0} if kind == PRISMATIC else {}
        artists.append(space.line(ends, color=_JOINT, linewidth=6.0, alpha=alpha, zorder=3, **cap))
    if alpha == 1.0:
        artists += space.frame(base.numpy(), length)
        marked = [robot.tip] if robot.tip is not None else list(robot.leaves)[:_MOST_TIPS]
        for end in robot.forward_kinematics(q, links=marked if tips else [], base=base).numpy():
            artists += space.frame(end, length)
    return artists


def shown_robot(robot: Robot | Airframe, base: Any = None, R_ned_body: Any = None) -> tuple[Robot, Tensor]:
    """The mechanism in float64 on the CPU, without gradients, and the (4, 4) pose of its base in the picture."""
    mechanism = robot.robot if isinstance(robot, Airframe) else robot
    if not isinstance(mechanism, Robot):
        raise OptionError(f"robot must be a Robot or an aircraft.Airframe, got {type(robot).__name__}.")
    mechanism = mechanism.to(dtype=torch.float64, device="cpu")
    placed = torch.eye(4, dtype=torch.float64, device="cpu")
    if R_ned_body is not None:
        if not isinstance(robot, Airframe) or base is not None:
            raise OptionError(
                "R_ned_body is the attitude of an airframe, in place of base. Give a robot's pose as base."
            )
        attitude = _plain(R_ned_body, "R_ned_body")
        if tuple(attitude.shape) != (3, 3):
            raise ShapeError(f"R_ned_body must have shape (3, 3), one attitude; got {tuple(attitude.shape)}.")
        check_rotation(attitude, "R_ned_body")
        placed = pose_of(attitude_ned_frd_to_enu_flu(attitude), torch.zeros(3, dtype=torch.float64, device="cpu"))
    elif base is not None:
        placed = _plain(base, "base")
        if tuple(placed.shape) != (4, 4):
            raise ShapeError(f"base must have shape (4, 4), one pose; got {tuple(placed.shape)}.")
        check_pose(placed, "base")
    return mechanism, placed


def configurations(robot: Robot, q: Any) -> Tensor:
    """(n, dof) rows of coordinates from what a user gives for them, at least one."""
    if q is None:
        return torch.zeros_like(robot.lower).clamp(robot.lower, robot.upper)[None]
    rows = _plain(q, "q")
    if rows.ndim not in (1, 2) or rows.shape[-1] != robot.dof or (rows.ndim == 2 and not len(rows)):
        raise ShapeError(
            f"q must have shape ({robot.dof},) or (n, {robot.dof}) with at least one row, got {tuple(rows.shape)}."
        )
    check_finite(rows, "q")
    return rows[None] if rows.ndim == 1 else rows


def targets_of(target: Any) -> _Array:
    """(n, 4, 4) targets from what a user gives for them; none if None."""
    if target is None:
        return np.zeros((0, 4, 4))
    goals = _plain(target, "target")
    if goals.ndim not in (2, 3) or tuple(goals.shape[-2:]) != (4, 4):
        raise ShapeError(f"target must have shape (4, 4) or (n, 4, 4), got {tuple(goals.shape)}.")
    check_pose(goals, "target")
    return np.asarray(goals.reshape(-1, 4, 4).numpy())


def _plain(value: Any, name: str) -> Tensor:
    tensor = as_tensor(value, name, dtype=torch.float64)
    if isinstance(value, Tensor) and not value.is_floating_point():
        tensor = value
    check_floating(tensor, name)
    return tensor.detach().to(device="cpu", dtype=torch.float64)


def _ends(bone: Bone, frames: _Array) -> _Array:
    """(2, 3) where a bone is. One that leads to a joint ends at it, slid out or not."""
    carrier = frames[bone.joint + 1]
    start = carrier[:3, :3] @ bone.start.numpy() + carrier[:3, 3]
    if bone.toward is not None:
        return np.stack((start, frames[bone.toward + 1][:3, 3]))
    return np.stack((start, carrier[:3, :3] @ bone.end.numpy() + carrier[:3, 3]))


def _draw_rays(space: Space, airframe: Airframe, q: Tensor, base: Tensor) -> list[Any]:
    """The points of an airframe as dots, its rays as dashed lines."""
    exact = airframe.to(dtype=torch.float64, device="cpu")
    flip = np.diag([1.0, -1.0, -1.0])  # FRD to FLU
    artists = []
    turn, origin = base[:3, :3].numpy(), base[:3, 3].numpy()
    if exact.points:
        points = exact.points_body(q).detach().numpy() @ flip @ turn.T + origin
        artists.append(space.line(points, color="0.25", marker=".", markersize=5, linestyle="none"))
    if exact.rays:
        starts, directions = (part.detach().numpy() @ flip @ turn.T for part in exact.rays_body(q))
        for start, direction in zip(starts + origin, directions):
            ends = np.stack((start, start + 0.5 * space.size * direction))
            artists.append(space.line(ends, color=_RAY, linewidth=1.4, linestyle="--"))
    return artists


def _draw_surfaces(space: Space, airframe: Airframe, q: Tensor, base: Tensor) -> list[Any]:
    """A plate behind the hinge of each joint that carries neither another joint nor a ray: a control surface."""
    robot = airframe.robot.to(dtype=torch.float64, device="cpu")
    tree, frames = robot.tree, joint_poses(robot, q, base).numpy()
    busy = {*tree.parents, *(tree.link_joint[robot.link_index(ray.link)] for ray in airframe.rays.values())}
    plates = []
    for joint in set(range(tree.joints)) - busy:
        place = frames[joint + 1]
        axis = tree.axes[joint].detach().numpy()
        aft = np.array([-1.0, 0.0, 0.0]) + axis[0] * axis  # of the link's x, which is forward, what is across the hinge
        if float(np.linalg.norm(aft)) < 0.1:
            continue
        half, chord = 0.16 * space.size * axis, 0.1 * space.size * aft
        corners = np.stack((half, -half, chord - half, chord + half)) @ place[:3, :3].T + place[:3, 3]
        plates.append(space.plate(corners, facecolor=_JOINT, edgecolor=_JOINT, alpha=0.45, zorder=2))
        plates.append(space.line(corners[:2], color=_JOINT, linewidth=3.0, zorder=3))
    return plates


def _write_names(space: Space, robot: Robot, frames: _Array) -> None:
    """Names beside the joints, on the side away from the robot's middle; joints seen at one place share a line."""
    first: dict[int, int] = {}
    for joint, coordinate in enumerate(robot.tree.coordinate):
        first.setdefault(coordinate, joint)
    places = {robot.joint_names[coordinate]: frames[joint + 1][:3, 3] for coordinate, joint in first.items()}
    groups: list[list[str]] = []
    for name, place in places.items():
        for group in groups:
            if np.abs(space.pixels(place) - space.pixels(places[group[0]])).max() < _SAME_PLACE:
                group.append(name)
                break
        else:
            groups.append([name])
    columns = space.pixels(frames[:, :3, 3])[:, 0]
    middle = float(columns.min() + columns.max()) / 2
    for group in groups:
        place = places[group[0]]
        space.label(place, ", ".join(group), "right" if space.pixels(place)[0] >= middle else "left")
    space.fit()
