"""URDF files: checked here, parsed by yourdfpy, every number float64 as written."""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np

from diffkin.errors import JointError, LimitsError, ModelFileError
from diffkin.robot.description import KINDS, MOVING, Description, JointDescription, Mimic
from diffkin.robot.xml import Document, numbers, open_document

__all__ = ["read_urdf"]


def read_urdf(path_or_xml: str | os.PathLike[str]) -> Description:
    """Read a URDF. Meshes and everything else that is not kinematics are left alone and need not exist.

    Args:
        path_or_xml: Path of a file, a ``package://`` address, or the XML text itself.

    Returns:
        Its links and joints. A joint without ``lower`` and ``upper`` is unlimited; one of them missing is 0, the
        default of URDF. Continuous joints are unlimited whatever their ``<limit>`` says.

    Raises:
        diffkin.errors.ModelFileError: It cannot be read, or an element or number in it cannot be.
        diffkin.errors.JointError: A joint has an unknown type, no parent or child, a zero axis or a broken mimic.
        diffkin.errors.LimitsError: A revolute or prismatic joint has no ``<limit>``, or limits that cannot be.
    """
    document = open_document(path_or_xml, "robot")
    robot = _parse_checked(_kinematics_only(document))
    joints = tuple(_describe(joint) for joint in robot.joints)
    return Description(robot.name, tuple(link.name for link in robot.links), joints, document.source)


def _kinematics_only(document: Document) -> Any:
    """A copy that holds what kinematics needs, each piece checked, so that the parser meets no surprise."""
    from lxml import etree

    slim = etree.Element("robot", name=document.root.get("name") or "robot")
    for element in document.root:
        if element.tag == "link":
            etree.SubElement(slim, "link", name=_name(element, document.label))
        elif element.tag == "joint":
            slim.append(_slim_joint(element, document.label))
    if slim.find("link") is None:
        raise ModelFileError(f"{document.label} has no <link>; a robot has at least one.")
    return slim


def _name(element: Any, label: str) -> str:
    name = element.get("name")
    if not name:
        raise ModelFileError(f"{label}, line {element.sourceline}: a <{element.tag}> has no name. Give it one.")
    return str(name)


def _slim_joint(element: Any, label: str) -> Any:
    from lxml import etree

    name = _name(element, label)
    where = f"{label}, joint {name!r}"
    kind = element.get("type")
    if kind not in KINDS:
        raise JointError(f"{where} has the type {kind!r}; expected one of {', '.join(KINDS)}.")
    slim = etree.Element("joint", name=name, type=kind)
    for end in ("parent", "child"):
        found = element.find(end)
        link = found.get("link") if found is not None else None
        if not link:
            raise JointError(f"{where} names no {end} link. Add <{end} link=.../>.")
        etree.SubElement(slim, end, link=link)
    origin = element.find("origin")
    if origin is not None:
        kept = {key: origin.get(key) for key in ("xyz", "rpy") if origin.get(key) is not None}
        for key, text in kept.items():
            numbers(text, 3, f"{where}, <origin> {key}")
        etree.SubElement(slim, "origin", kept)
    axis = element.find("axis")
    if kind in MOVING:
        if axis is not None and axis.get("xyz") is not None:
            if not np.any(numbers(axis.get("xyz"), 3, f"{where}, <axis> xyz")):
                raise JointError(f"{where} has a zero axis. Give the direction it moves about or along.")
            etree.SubElement(slim, "axis", xyz=axis.get("xyz"))
        _slim_mimic(element.find("mimic"), slim, where)
    if kind in ("revolute", "prismatic"):
        _slim_limit(element.find("limit"), slim, where, kind)
    return slim


def _slim_mimic(mimic: Any, slim: Any, where: str) -> None:
    from lxml import etree

    if mimic is None:
        return
    if not mimic.get("joint"):
        raise JointError(f"{where} has a <mimic> that names no joint. Write <mimic joint=.../>.")
    kept = {key: mimic.get(key) for key in ("joint", "multiplier", "offset") if mimic.get(key) is not None}
    for key in kept.keys() - {"joint"}:
        numbers(kept[key], 1, f"{where}, <mimic> {key}")
    etree.SubElement(slim, "mimic", kept)


def _slim_limit(limit: Any, slim: Any, where: str, kind: str) -> None:
    from lxml import etree

    if limit is None:
        hint = " or make it continuous" if kind == "revolute" else ""
        raise LimitsError(f"{where} is {kind} and has no <limit>. Add one{hint}.")
    kept = {key: limit.get(key) for key in ("lower", "upper") if limit.get(key) is not None}
    for key, text in kept.items():
        try:
            numbers(text, 1, f"{where}, <limit> {key}")
        except ModelFileError as error:
            raise LimitsError(f"{error} Leave out lower and upper for a joint without limits.") from error
    etree.SubElement(slim, "limit", kept)


def _parse_checked(slim: Any) -> Any:
    import yourdfpy  # slow to import, so only here
    from lxml import etree

    text = io.BytesIO(etree.tostring(slim))
    model = yourdfpy.URDF.load(text, build_scene_graph=False, load_meshes=False)
    return model.robot


def _describe(joint: Any) -> JointDescription:
    lower, upper = -np.inf, np.inf
    limit = joint.limit
    if limit is not None and (limit.lower is not None or limit.upper is not None):
        lower = 0.0 if limit.lower is None else limit.lower
        upper = 0.0 if limit.upper is None else limit.upper
    axis = np.asarray(joint.axis, dtype=np.float64)
    axis = axis / np.abs(axis).max()  # first, so that squares of tiny or huge numbers stay finite
    mimic = joint.mimic
    return JointDescription(
        name=joint.name,
        kind=joint.type,
        parent=joint.parent,
        child=joint.child,
        origin=np.eye(4) if joint.origin is None else np.asarray(joint.origin, dtype=np.float64),
        axis=axis / np.linalg.norm(axis),
        lower=lower,
        upper=upper,
        mimic=None if mimic is None else Mimic(mimic.joint, mimic.multiplier, mimic.offset),
    )
