"""What drives a joint: itself, or at the end of a chain of mimics a joint that moves of its own accord."""

from __future__ import annotations

from dataclasses import dataclass

from diffkin.errors import JointError, closest
from diffkin.robot.description import MOVING, JointDescription

__all__ = ["Drive", "resolve_mimic"]


@dataclass(frozen=True)
class Drive:
    """The value of a joint is ``multiplier * value of source + offset``, and the source moves of its own accord."""

    source: JointDescription
    multiplier: float
    offset: float


def resolve_mimic(
    joint: JointDescription, by_name: dict[str, JointDescription], drives: dict[str, Drive], where: str
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
        if source.kind not in MOVING:
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
            drives[each.name] = Drive(each, 1.0, 0.0)
        elif each.name not in drives:
            mimic, source_drive = each.mimic, drives[each.mimic.source]
            drives[each.name] = Drive(
                source_drive.source,
                mimic.multiplier * source_drive.multiplier,
                mimic.multiplier * source_drive.offset + mimic.offset,
            )
