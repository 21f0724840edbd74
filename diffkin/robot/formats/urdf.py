"""URDF files: every piece checked where it is read, every number float64 as written."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffkin.errors import JointError, LimitsError, ModelFileError
from diffkin.robot.description import KINDS, MOVING, Description, Inertial, JointDescription, Mimic
from diffkin.robot.formats.xacro import expanded
from diffkin.robot.xml import Document, Model, numbers, open_document

__all__ = ["has_quaternions", "origin_pose", "read_urdf"]

_Array = NDArray[np.float64]


def read_urdf(path_or_xml: Model | Document) -> Description:
    """Read a URDF. Meshes and everything else that is not kinematics are left alone and need not exist.

    Args:
        path_or_xml: Path of a file, a ``package://`` address, the XML text itself, or an open file.

    Returns:
        Its links and joints. A joint without ``lower`` and ``upper`` is unlimited; one of them missing is 0, the
        default of URDF. Continuous joints are unlimited whatever their ``<limit>`` says. A mass that cannot be read is
        NaN.

    Raises:
        diffkin.errors.ModelFileError: It cannot be read, or an element or number in it cannot be.
        diffkin.errors.JointError: A joint has an unknown type, no parent or child, a zero axis or a broken mimic.
        diffkin.errors.LimitsError: A revolute or prismatic joint has no ``<limit>``, or limits that cannot be.
        diffkin.errors.MissingDependencyError: It is a xacro file, and ``xacrodoc`` is not installed.
    """
    document = expanded(open_document(path_or_xml, "robot"))
    label, quaternions = document.label, has_quaternions(document)
    links: list[str] = []
    joints: list[JointDescription] = []
    inertials: dict[str, Inertial] = {}
    for element in document.root:
        if element.tag == "link":
            name = _name(element, label)
            links.append(name)
            found = element.find("inertial")
            if found is not None:
                inertials[name] = _inertial(found)
        elif element.tag == "joint":
            joints.append(_joint(element, label, quaternions))
    if not links:
        raise ModelFileError(f"{label} has no <link>; a robot has at least one.")
    name = document.root.get("name") or "robot"
    return Description(name, tuple(links), tuple(joints), document.source, inertials=inertials)


def has_quaternions(document: Document) -> bool:
    """Whether the file's version is 1.1 or later, since when an ``<origin>`` may have a ``quat_xyzw``."""
    version = re.fullmatch(r"\s*(\d{1,9})\.(\d{1,9})\s*", document.root.get("version") or "1.0", re.ASCII)
    return version is not None and (int(version[1]), int(version[2])) >= (1, 1)


def _name(element: Any, label: str) -> str:
    name = element.get("name")
    if not name:
        raise ModelFileError(f"{label}, line {element.sourceline}: a <{element.tag}> has no name. Give it one.")
    return str(name)


def _joint(element: Any, label: str, quaternions: bool) -> JointDescription:
    name = _name(element, label)
    where = f"{label}, joint {name!r}"
    kind = element.get("type")
    if kind not in KINDS:
        raise JointError(f"{where} has the type {kind!r}; expected one of {', '.join(KINDS)}.")
    moves = kind in MOVING
    lower, upper, velocity, effort = _limit(element.find("limit"), where, kind)
    return JointDescription(
        name=name,
        kind=kind,
        parent=_end(element, "parent", where),
        child=_end(element, "child", where),
        origin=origin_pose(element.find("origin"), where, quaternions),
        axis=_axis(element.find("axis") if moves else None, where),
        lower=lower,
        upper=upper,
        mimic=_mimic(element.find("mimic"), where) if moves else None,
        velocity=velocity,
        effort=effort,
    )


def _end(element: Any, tag: str, where: str) -> str:
    found = element.find(tag)
    link = found.get("link") if found is not None else None
    if not link:
        raise JointError(f"{where} names no {tag} link. Add <{tag} link=.../>.")
    return str(link)


def origin_pose(element: Any, where: str, quaternions: bool) -> _Array:
    """(4, 4) pose: a translation, and Euler angles about fixed x, y, z axes or a quaternion."""
    pose = np.eye(4)
    if element is None:
        return pose
    if element.get("xyz") is not None:
        pose[:3, 3] = numbers(element.get("xyz"), 3, f"{where}, <origin> xyz")
    rpy, quat = element.get("rpy"), element.get("quat_xyzw") if quaternions else None
    if rpy is not None and quat is not None:
        raise ModelFileError(f"{where}, <origin> has both rpy and quat_xyzw. Remove one of them.")
    if rpy is not None:
        pose[:3, :3] = _turn_of_angles(numbers(rpy, 3, f"{where}, <origin> rpy"))
    if quat is not None:
        pose[:3, :3] = _turn_of_quaternion(numbers(quat, 4, f"{where}, <origin> quat_xyzw"), where)
    return pose


def _turn_of_angles(rpy: _Array) -> _Array:
    (cr, cp, cy), (sr, sp, sy) = np.cos(rpy), np.sin(rpy)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def _turn_of_quaternion(quat: _Array, where: str) -> _Array:
    if not quat.any():
        raise ModelFileError(f"{where}, <origin> quat_xyzw is zero, which is no rotation. Write a unit quaternion.")
    x, y, z, w = _unit(quat)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _unit(vector: _Array) -> _Array:
    scaled = vector / np.abs(vector).max()  # first, so that squares of tiny or huge numbers stay finite
    return np.asarray(scaled / np.linalg.norm(scaled))


def _axis(element: Any, where: str) -> _Array:
    if element is None or not element.attrib:
        return np.array([1.0, 0.0, 0.0])
    if element.get("xyz") is None:
        raise JointError(f"{where} has an <axis> with {', '.join(element.attrib)} and no xyz. Write <axis xyz=.../>.")
    axis = numbers(element.get("xyz"), 3, f"{where}, <axis> xyz")
    if not axis.any():
        raise JointError(f"{where} has a zero axis. Give the direction it moves about or along.")
    return _unit(axis)


def _mimic(element: Any, where: str) -> Mimic | None:
    if element is None:
        return None
    if not element.get("joint"):
        raise JointError(f"{where} has a <mimic> that names no joint. Write <mimic joint=.../>.")
    multiplier, offset = (
        default if element.get(key) is None else float(numbers(element.get(key), 1, f"{where}, <mimic> {key}")[0])
        for key, default in (("multiplier", 1.0), ("offset", 0.0))
    )
    return Mimic(str(element.get("joint")), multiplier, offset)


def _limit(element: Any, where: str, kind: str) -> tuple[float, float, float, float]:
    """Lower and upper limit, largest speed and effort."""
    infinite = (-np.inf, np.inf, np.inf, np.inf)
    if kind not in MOVING:
        return infinite
    if element is None:
        if kind == "continuous":
            return infinite
        hint = " or make it continuous" if kind == "revolute" else ""
        raise LimitsError(f"{where} is {kind} and has no <limit>. Add one{hint}.")
    lower = upper = None
    if kind != "continuous":
        lower, upper = (_limit_number(element, key, where) for key in ("lower", "upper"))
    velocity, effort = (_largest(element, key, where) for key in ("velocity", "effort"))
    if lower is None and upper is None:
        return -np.inf, np.inf, velocity, effort
    return 0.0 if lower is None else lower, 0.0 if upper is None else upper, velocity, effort


def _limit_number(element: Any, key: str, where: str) -> float | None:
    if element.get(key) is None:
        return None
    try:
        return float(numbers(element.get(key), 1, f"{where}, <limit> {key}")[0])
    except ModelFileError as error:
        raise LimitsError(f"{error} Leave out lower and upper for a joint without limits.") from error


def _largest(element: Any, key: str, where: str) -> float:
    """The limit of speed or effort; infinite where it is left out or said to be."""
    text = element.get(key)
    if text is None or text.strip().lower().removeprefix("+") in ("inf", "infinity"):
        return np.inf
    try:
        value = float(numbers(text, 1, f"{where}, <limit> {key}")[0])
    except ModelFileError as error:
        raise LimitsError(f"{error} Leave it out for a joint without that limit.") from error
    if value < 0:
        raise LimitsError(f"{where}, <limit> {key} is {value:g}, below zero. Leave it out where there is no limit.")
    return value


def _inertial(element: Any) -> Inertial:
    """The mass and its centre. What cannot be read is unknown: kinematics does not need it."""
    mass, origin = element.find("mass"), element.find("origin")
    xyz = "0 0 0" if origin is None else origin.get("xyz", "0 0 0")
    try:
        weight = float(numbers(mass.get("value") if mass is not None else "", 1, "mass")[0])
        center = numbers(xyz, 3, "centre")
    except (ModelFileError, AttributeError):
        return Inertial(np.nan, np.zeros(3))
    return Inertial(weight, center) if weight >= 0 else Inertial(np.nan, np.zeros(3))
