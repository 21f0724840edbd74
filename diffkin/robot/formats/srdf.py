"""SRDF files: named configurations of a robot, and pairs of its links that need no check for collision."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING, Any

import torch

from diffkin.errors import ModelFileError
from diffkin.robot.xml import Document, numbers, open_document

if TYPE_CHECKING:
    from diffkin.robot.robot import Robot

__all__ = ["with_srdf"]


def with_srdf(robot: Robot, path_or_xml: Any) -> Robot:
    """The robot with what an SRDF file says about it; joints and links that the robot does not have are passed over.

    A ``<group_state>`` becomes the configuration of its name, of those joints that it names; the others stay at zero, or
    at the limit nearest to it. Where states of several groups have the same name, each is ``group/name``.
    ``<disable_collisions>`` becomes a disabled pair, ``<disable_default_collisions>`` one with every other link, and
    ``<enable_collisions>`` takes pairs away again.

    Args:
        robot: Loaded from the URDF that the file belongs to.
        path_or_xml: Path of the file, its text or bytes, or an open file.

    Returns:
        The robot with ``configurations`` and ``disabled_pairs``.

    Raises:
        diffkin.errors.ModelFileError: The file cannot be read, an element lacks a name, or a value is no number.
    """
    document = open_document(path_or_xml, "robot")
    states: dict[tuple[str, str], torch.Tensor] = {}
    for element in document.root.iterchildren("group_state"):
        where = _attribute(element, "group", document), _attribute(element, "name", document)
        states[where] = _configuration(robot, element, document)
    count = Counter(name for _, name in states)
    named = {name if count[name] == 1 else f"{group}/{name}": q for (group, name), q in states.items()}
    return dataclasses.replace(robot, configurations=named, disabled_pairs=_disabled_pairs(robot, document))


def _configuration(robot: Robot, state: Any, document: Document) -> torch.Tensor:
    q = torch.zeros_like(robot.lower).clamp(robot.lower, robot.upper)
    coordinate = {name: index for index, name in enumerate(robot.joint_names)}
    for joint in state.iterchildren("joint"):
        name, text = (_attribute(joint, key, document) for key in ("name", "value"))
        what = f"{document.label}, <group_state> {state.get('name')!r}, joint {name!r}"
        values = numbers(text, max(1, len(text.split())), what)  # a floating joint has several
        if name in coordinate:
            if len(values) != 1:
                raise ModelFileError(f"{what} has {len(values)} values, expected one. Correct it there.")
            q[coordinate[name]] = float(values[0])
    return q


def _disabled_pairs(robot: Robot, document: Document) -> frozenset[tuple[str, str]]:
    links = set(robot.link_names)
    pairs: set[tuple[str, str]] = set()
    for element in document.root.iterchildren("disable_default_collisions"):
        link = _attribute(element, "link", document)
        pairs |= {_ordered(link, other) for other in links if link in links and other != link}
    for tag in ("disable_collisions", "enable_collisions"):
        for element in document.root.iterchildren(tag):
            first, second = (_attribute(element, key, document) for key in ("link1", "link2"))
            if first in links and second in links:
                (pairs.add if tag == "disable_collisions" else pairs.discard)(_ordered(first, second))
    return frozenset(pairs)


def _ordered(first: str, second: str) -> tuple[str, str]:
    return (first, second) if first <= second else (second, first)


def _attribute(element: Any, key: str, document: Document) -> str:
    value = element.get(key)
    if not value:
        raise ModelFileError(f"{document.label}, line {element.sourceline}: <{element.tag}> has no {key}. Add it.")
    return str(value)
