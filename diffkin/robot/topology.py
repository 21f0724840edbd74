"""Which link hangs on which: whether joints make one tree of the links, and the part of it that is wanted."""

from __future__ import annotations

from diffkin.errors import TopologyError, closest
from diffkin.robot.description import FREE, MOVING, Description, JointDescription

__all__ = ["Children", "below", "below_root_pose", "check_tree", "children_of", "tip_below", "way_between"]

Children = dict[str, list[JointDescription]]
"""The joints that hang on each link, in file order."""


def check_tree(description: Description, where: str) -> str:
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
    reached = {joint.child for joint in below(roots[0], children_of(description))} if roots else set()
    if len(reached) + len(roots) != len(links):
        loop = next(link for link in description.links if link not in reached and link not in roots)
        raise TopologyError(
            f"{where}: link {loop!r} is on or below a closed loop of joints. Remove one joint of the loop."
        )
    return roots[0]


def children_of(description: Description) -> Children:
    """The joints that hang on each link."""
    children: Children = {link: [] for link in description.links}
    for joint in description.joints:
        children[joint.parent].append(joint)
    return children


def below(start: str, children: Children) -> list[JointDescription]:
    """All joints below a link, depth first, branches in file order."""
    order: list[JointDescription] = []
    waiting = list(reversed(children[start]))
    while waiting:
        joint = waiting.pop()
        order.append(joint)
        waiting.extend(reversed(children[joint.child]))
    return order


def below_root_pose(root: str, children: Children) -> str:
    """The link that carries the whole robot: below the last floating or planar joint that everything hangs on."""
    start = link = root
    while len(children[link]) == 1 and children[link][0].kind in (*FREE, "fixed"):
        joint = children[link][0]
        link = joint.child
        if joint.kind in FREE:
            start = link
    return start


def tip_below(start: str, children: Children) -> str | None:
    """The link below ``start`` on whose way most joints move and every joint can be part of a robot."""
    best, most = None, 0
    waiting = [(start, 0)]
    while waiting:
        link, count = waiting.pop()
        if count > most:
            best, most = link, count
        for joint in reversed(children[link]):
            if joint.kind not in FREE and not joint.problem:
                waiting.append((joint.child, count + (joint.kind in MOVING)))
    return best


def way_between(description: Description, base: str, tip: str, where: str) -> list[JointDescription]:
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
