"""From a description to a robot: checked, cut, its mimics resolved, its fixed joints folded away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from diffkin.errors import JointError, LimitsError, NonFiniteError, RotationError, closest
from diffkin.kinematics import PRISMATIC, REVOLUTE, KinematicTree
from diffkin.robot.description import FREE, MOVING, Description, JointDescription
from diffkin.robot.inertia import masses_of
from diffkin.robot.mimics import Drive, resolve_mimic
from diffkin.robot.topology import Children, below, below_root_pose, check_tree, children_of, tip_below, way_between

if TYPE_CHECKING:
    from diffkin.robot.robot import Robot

__all__ = ["build_robot"]


def build_robot(make: type[Robot], description: Description, base: str | None = None, tip: str | None = None) -> Robot:
    """Make the robot between two links, or the whole tree below one.

    ``q`` holds the joints that move of their own accord, in the order in which they are met going down from the base:
    depth first, branches in the order of the file. A mimic joint is driven by its source; sources that lie off the way
    follow at the end of ``q``. Floating and planar joints that the whole robot hangs on are its base pose, so the link
    they carry is the base, and what is above them is left out.

    Args:
        make: ``Robot``, which hands itself in, since it calls this function.
        description: Links and joints of a model.
        base: The link in whose frame poses are given; the root if None.
        tip: The last link: only the links on the way from ``base`` are kept. None keeps everything below ``base``.

    Returns:
        The robot, float64 on the CPU.

    Raises:
        diffkin.errors.TopologyError: Links and joints make no tree, or ``tip`` is not below ``base``.
        diffkin.errors.JointError: A mimic has no source or drives itself, a floating or planar joint is not at the root,
            a joint is of a kind that a robot cannot have, or numbers are too large together.
        diffkin.errors.LimitsError: A lower limit is above its upper limit.
        diffkin.errors.UnknownNameError: There is no link named ``base`` or ``tip``.
    """
    where = _where(description)
    root = check_tree(description, where)
    by_name = {joint.name: joint for joint in description.joints}
    _check_limits(description, where)
    for link in (base, tip):
        if link is not None and link not in description.links:
            raise closest(link, description.links, f"link of {where}:")
    children = children_of(description)
    start = below_root_pose(root, children) if base is None else base
    way = way_between(description, start, tip, where) if tip is not None else below(start, children)
    drives: dict[str, Drive] = {}
    for joint in way:
        if joint.kind in FREE or joint.problem:
            raise _not_possible(joint, where, start, children)
        if joint.kind in MOVING:  # a mimic on a fixed joint says nothing
            resolve_mimic(joint, by_name, drives, where)
    for name in drives:  # sources that lie off the way too
        if by_name[name].problem:
            raise _not_possible(by_name[name], where, start, children)
    try:
        return _assemble(make, description, start, tip, way, drives, children)
    except (NonFiniteError, RotationError) as error:  # numbers that are each possible, and together are not
        raise JointError(f"{where}: {error}") from error


def _not_possible(joint: JointDescription, where: str, start: str, children: Children) -> JointError:
    """The error for a joint that a robot cannot have, with a part of the model that makes one."""
    hint = tip_below(start, children)
    part = f" For instance base={start!r}, tip={hint!r} gives an arm." if hint is not None else ""
    if joint.problem:
        return JointError(f"{where}: {joint.problem} Load a part without it, with base and tip.{part}")
    return JointError(
        f"{where}: the {joint.kind} joint {joint.name!r} is not at the root. Such joints are the base pose of "
        f"a robot; load the part below it with base={joint.child!r}, or a part without it with base and tip.{part}"
    )


def _where(description: Description) -> str:
    """How messages call the model: by its path, or by its name where it was given as text."""
    is_path = description.source and not description.source.startswith("<")
    return description.source if is_path else f"robot {description.name!r}"


def _check_limits(description: Description, where: str) -> None:
    for joint in description.joints:
        if not joint.lower <= joint.upper:
            raise LimitsError(
                f"{where}, joint {joint.name!r}: the lower limit {joint.lower:g} is above the upper limit "
                f"{joint.upper:g}. Exchange or correct them; in a URDF, a limit left out is 0."
            )


def _assemble(
    make: type[Robot],
    description: Description,
    base: str,
    tip: str | None,
    way: list[JointDescription],
    drives: dict[str, Drive],
    children: Children,
) -> Robot:
    moving = [joint for joint in way if joint.name in drives]
    drive = [drives[joint.name] for joint in moving]
    on_the_way = {joint.name: joint for joint in moving if joint.mimic is None}
    sources = {**on_the_way, **{each.source.name: each.source for each in drive}}
    coordinate = {name: index for index, name in enumerate(sources)}
    limits = torch.from_numpy(np.array([_limits(joint) for joint in sources.values()]).reshape(-1, 4).T.copy())

    # The joint that carries each link, and the link's pose in that joint's frame: this is where fixed joints vanish.
    carrier: dict[str, int] = {base: -1}
    mount: dict[str, NDArray[np.float64]] = {base: np.eye(4)}
    parents: list[int] = []
    origins: list[NDArray[np.float64]] = []
    for joint in way:
        placed = mount[joint.parent] @ joint.origin
        if joint.kind == "fixed":
            carrier[joint.child], mount[joint.child] = carrier[joint.parent], placed
        else:
            carrier[joint.child], mount[joint.child] = len(parents), np.eye(4)
            parents.append(carrier[joint.parent])
            origins.append(placed)
    links = [link for link in carrier if link == base or link not in description.hidden]
    inner = {joint.parent for joint in way}
    leaves = tuple(link for link in links if link not in inner)
    tree = KinematicTree(
        parents=tuple(parents),
        kinds=tuple(PRISMATIC if joint.kind == "prismatic" else REVOLUTE for joint in moving),
        coordinate=tuple(coordinate[each.source.name] for each in drive),
        multiplier=tuple(each.multiplier for each in drive),
        offset=tuple(each.offset for each in drive),
        dof=len(sources),
        link_joint=tuple(carrier[link] for link in links),
        origins=_stack(origins, (4, 4)),
        axes=_stack([joint.axis for joint in moving], (3,)),
        link_offsets=_stack([mount[link] for link in links], (4, 4)),
    )
    masses, centers = masses_of(description, links, way, children)
    return make(
        name=description.name,
        tree=tree,
        joint_names=tuple(sources),
        link_names=tuple(links),
        base=base,
        tip=tip if tip is not None else (leaves[0] if len(leaves) == 1 else None),
        lower=limits[0],
        upper=limits[1],
        source=description.source,
        leaves=leaves,
        max_velocity=limits[2],
        max_effort=limits[3],
        link_masses=torch.from_numpy(masses),
        link_centers=torch.from_numpy(centers),
    )


def _limits(joint: JointDescription) -> tuple[float, float, float, float]:
    """Lower and upper limit, largest speed and effort."""
    lower, upper = (-np.inf, np.inf) if joint.kind == "continuous" else (joint.lower, joint.upper)
    return lower, upper, joint.velocity, joint.effort


def _stack(arrays: list[NDArray[np.float64]], shape: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(np.array(arrays, dtype=np.float64).reshape(-1, *shape))
