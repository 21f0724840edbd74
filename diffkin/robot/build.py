"""From a description to a robot: check it, cut it, resolve its mimics, fold its fixed joints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from diffkin.errors import JointError, LimitsError, TopologyError, closest
from diffkin.kinematics import PRISMATIC, REVOLUTE, KinematicTree
from diffkin.robot.description import Description, JointDescription
from diffkin.robot.robot import Robot

__all__ = ["build_robot"]

_MOVING = ("revolute", "continuous", "prismatic")
_FREE = ("floating", "planar")


def build_robot(description: Description, base: str | None = None, tip: str | None = None) -> Robot:
    """Make the robot between two links, or the whole tree below one.

    ``q`` holds the joints that move of their own accord, in the order in which they are met going down from the base:
    depth first, branches in the order of the file. A mimic joint is driven by its source; sources that lie off the way
    follow at the end of ``q``. Floating and planar joints that the whole robot hangs on are its base pose, so the link
    they carry is the base, and what is above them is left out.

    Args:
        description: Links and joints of a model.
        base: The link in whose frame poses are given; the root if None.
        tip: The last link: only the links on the way from ``base`` are kept. None keeps everything below ``base``.

    Returns:
        The robot, float64 on the CPU.

    Raises:
        diffkin.errors.TopologyError: Links and joints make no tree, or ``tip`` is not below ``base``.
        diffkin.errors.JointError: A mimic has no source or drives itself, or a floating or planar joint is not at the
            root.
        diffkin.errors.LimitsError: A lower limit is above its upper limit.
        diffkin.errors.UnknownNameError: There is no link named ``base`` or ``tip``.
    """
    where = _where(description)
    root = _check_tree(description, where)
    by_name = {joint.name: joint for joint in description.joints}
    _check_limits(description, where)
    for link in (base, tip):
        if link is not None and link not in description.links:
            raise closest(link, description.links, f"link of {where}:")
    children = _children(description)
    start = _below_root_pose(root, children) if base is None else base
    way = _way(description, start, tip, where) if tip is not None else _below(start, children)
    for joint in way:
        if joint.kind in _FREE:
            raise JointError(
                f"{where}: the {joint.kind} joint {joint.name!r} is not at the root. Such joints are the base pose of "
                f"a robot; load the part below it with base={joint.child!r}, or a part without it with base and tip."
            )
    drives: dict[str, _Drive] = {}
    for joint in way:
        if joint.kind in _MOVING:  # a mimic on a fixed joint says nothing
            _resolve_mimic(joint, by_name, drives, where)
    return _assemble(description, start, tip, way, drives)


def _where(description: Description) -> str:
    is_path = description.source and not description.source.startswith("<")
    return description.source if is_path else f"robot {description.name!r}"


# -- checks ---------------------------------------------------------------------------------------------------------


def _check_tree(description: Description, where: str) -> str:
    """Raise unless the joints make one tree of the links; return its root."""
    for names, kind in ((description.links, "links"), (tuple(j.name for j in description.joints), "joints")):
        seen: set[str] = set()
        for name in names:
            if name in seen:
                raise TopologyError(f"{where} has two {kind} named {name!r}. Give every one a name of its own.")
            seen.add(name)
    links = set(description.links)
    parent_of: dict[str, JointDescription] = {}
    for joint in description.joints:
        for end, link in (("parent", joint.parent), ("child", joint.child)):
            if link not in links:
                raise TopologyError(
                    f"{where}: the {end} link of joint {joint.name!r} does not exist. Add it or correct its name. "
                    + str(closest(link, description.links, "link"))
                )
        if joint.child in parent_of:
            raise TopologyError(
                f"{where}: link {joint.child!r} hangs on two joints, {parent_of[joint.child].name!r} and "
                f"{joint.name!r}. A link has one parent; remove one of them."
            )
        parent_of[joint.child] = joint
    roots = [link for link in description.links if link not in parent_of]
    if len(roots) > 1:
        shown = ", ".join(map(repr, roots[:8])) + (" ..." if len(roots) > 8 else "")
        raise TopologyError(f"{where} has {len(roots)} links without a parent: {shown}. Join them to one tree.")
    reached = {joint.child for joint in _below(roots[0], _children(description))} if roots else set()
    if len(reached) + len(roots) != len(links):
        loop = next(link for link in description.links if link not in reached and link not in roots)
        raise TopologyError(
            f"{where}: link {loop!r} is on or below a closed loop of joints. Remove one joint of the loop."
        )
    return roots[0]


def _check_limits(description: Description, where: str) -> None:
    for joint in description.joints:
        if not joint.lower <= joint.upper:
            raise LimitsError(
                f"{where}, joint {joint.name!r}: the lower limit {joint.lower:g} is above the upper limit "
                f"{joint.upper:g}. Exchange or correct them; in a URDF, a limit left out is 0."
            )


# -- mimics ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Drive:
    """The value of a joint is ``multiplier * value of source + offset``, and the source moves of its own accord."""

    source: JointDescription
    multiplier: float
    offset: float


def _resolve_mimic(
    joint: JointDescription, by_name: dict[str, JointDescription], drives: dict[str, _Drive], where: str
) -> None:
    """Add to ``drives`` what drives a moving joint in the end; a chain of mimics is followed to its source."""
    chain = {joint.name: joint}
    current = joint
    while current.name not in drives and current.mimic is not None:
        source = by_name.get(current.mimic.source)
        if source is None:
            raise JointError(
                f"{where}: joint {current.name!r} mimics {current.mimic.source!r}, which does not exist. "
                + str(closest(current.mimic.source, by_name, "joint"))
            )
        if source.kind not in _MOVING:
            raise JointError(
                f"{where}: joint {current.name!r} mimics the {source.kind} joint {source.name!r}, which has no value "
                "to copy. Name a moving joint, or remove the mimic."
            )
        if source.name in chain:
            circle = " -> ".join([*list(chain)[-20:], source.name])
            raise JointError(f"{where}: mimic joints copy each other in a circle: {circle}. Free one of them.")
        chain[source.name] = current = source
    for each in reversed(chain.values()):
        if each.mimic is None:
            drives[each.name] = _Drive(each, 1.0, 0.0)
        elif each.name not in drives:
            mimic, source_drive = each.mimic, drives[each.mimic.source]
            drives[each.name] = _Drive(
                source_drive.source,
                mimic.multiplier * source_drive.multiplier,
                mimic.multiplier * source_drive.offset + mimic.offset,
            )


# -- cutting --------------------------------------------------------------------------------------------------------


def _children(description: Description) -> dict[str, list[JointDescription]]:
    children: dict[str, list[JointDescription]] = {link: [] for link in description.links}
    for joint in description.joints:
        children[joint.parent].append(joint)
    return children


def _below(start: str, children: dict[str, list[JointDescription]]) -> list[JointDescription]:
    """All joints below a link, depth first, branches in file order."""
    order: list[JointDescription] = []
    waiting = list(reversed(children[start]))
    while waiting:
        joint = waiting.pop()
        order.append(joint)
        waiting.extend(reversed(children[joint.child]))
    return order


def _below_root_pose(root: str, children: dict[str, list[JointDescription]]) -> str:
    """The link that carries the whole robot: below the last floating or planar joint that everything hangs on."""
    start = link = root
    while len(children[link]) == 1 and children[link][0].kind in (*_FREE, "fixed"):
        joint = children[link][0]
        link = joint.child
        if joint.kind in _FREE:
            start = link
    return start


def _way(description: Description, base: str, tip: str, where: str) -> list[JointDescription]:
    """The joints from ``base`` down to ``tip``."""
    parent_of = {joint.child: joint for joint in description.joints}
    way: list[JointDescription] = []
    link = tip
    while link != base:
        if link not in parent_of:
            raise TopologyError(
                f"{where}: base {base!r} and tip {tip!r} are not connected: {tip!r} is not below {base!r}. "
                f"Above it are {', '.join(repr(joint.parent) for joint in way[-8:]) or 'no links'}."
            )
        way.append(parent_of[link])
        link = parent_of[link].parent
    return way[::-1]


# -- assembling -----------------------------------------------------------------------------------------------------


def _assemble(
    description: Description,
    base: str,
    tip: str | None,
    way: list[JointDescription],
    drives: dict[str, _Drive],
) -> Robot:
    moving = [joint for joint in way if joint.name in drives]
    drive = [drives[joint.name] for joint in moving]
    on_the_way = {joint.name: joint for joint in moving if joint.mimic is None}
    sources = {**on_the_way, **{each.source.name: each.source for each in drive}}
    coordinate = {name: index for index, name in enumerate(sources)}
    limits = torch.tensor([_limits(joint) for joint in sources.values()], dtype=torch.float64).reshape(-1, 2)

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
    return Robot(
        name=description.name,
        tree=tree,
        joint_names=tuple(sources),
        link_names=tuple(links),
        base=base,
        tip=tip if tip is not None else (leaves[0] if len(leaves) == 1 else None),
        lower=limits[:, 0].clone(),
        upper=limits[:, 1].clone(),
        source=description.source,
        leaves=leaves,
    )


def _limits(joint: JointDescription) -> tuple[float, float]:
    return (-np.inf, np.inf) if joint.kind == "continuous" else (joint.lower, joint.upper)


def _stack(arrays: list[NDArray[np.float64]], shape: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(np.array(arrays, dtype=np.float64).reshape(-1, *shape))
