"""URDF files to break, ways to break them, and Pinocchio as the judge."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import math
import random
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

import diffkin as dk
from tests.robot.fuzzing.mutations import NAMES, NUMBERS, damage_text, damage_tree, written
from tests.robot.fuzzing.verdicts import Judged, Refused, tolerances

__all__ = ["case", "judge", "load"]

_MOST_BYTES = 120_000
_MOVING = ("revolute", "continuous", "prismatic")
_KINDS = (*_MOVING, "fixed", "floating", "planar", "spherical", "Revolute", "", "revolute ", "screw")
_NUMERIC = ("xyz", "rpy", "quat_xyzw", "lower", "upper", "effort", "velocity", "multiplier", "offset")
_LEFT_ALONE = ("visual", "collision", "gazebo", "transmission", "material", "sensor", "plugin", "contact")


# -- cases ----------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1)
def _files() -> tuple[Path, ...]:
    """URDF files of this package and of packages that are installed; nothing is copied from them."""
    folders = [Path(dk.__file__).parent / "assets"]
    spec = importlib.util.find_spec("pybullet_data")
    if spec is not None and spec.submodule_search_locations:
        folders.append(Path(spec.submodule_search_locations[0]))
    try:
        data = importlib.metadata.distribution("example-robot-data")
        folders.append(Path(str(data.locate_file("cmeel.prefix/share/example-robot-data/robots"))))
    except importlib.metadata.PackageNotFoundError:
        pass
    found = [file for folder in folders for file in sorted(folder.rglob("*.urdf")) if "random_urdfs" not in file.parts]
    return tuple(file for file in found if file.stat().st_size < _MOST_BYTES and _root_of(file) is not None)


@functools.lru_cache(maxsize=64)
def _root_of(file: Path) -> Element | None:
    """What is kinematics in a file; None where it is no XML."""
    try:
        root = ElementTree.fromstring(file.read_text(encoding="utf-8"))
    except (ElementTree.ParseError, UnicodeDecodeError):
        return None
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in _LEFT_ALONE]:
            parent.remove(child)
    return root


def _random_robot(rng: random.Random) -> Element:
    """A tree of any shape with every kind of joint that a URDF has, mimics of mimics too."""
    root = Element("robot", name="made")
    count = rng.choice((1, 2, 3, 5, 8, 12))
    for index in range(count + 1):
        SubElement(root, "link", name=f"link{index}")
    movable = []
    for index in range(count):
        kind = rng.choice((*_MOVING, *_MOVING, *_MOVING, "fixed", "fixed", "floating" if index == 0 else "revolute"))
        joint = SubElement(root, "joint", name=f"joint{index}", type=kind)
        SubElement(joint, "parent", link=f"link{index if rng.random() < 0.6 else rng.randrange(index + 1)}")
        SubElement(joint, "child", link=f"link{index + 1}")
        if rng.random() < 0.9:
            SubElement(joint, "origin", xyz=_three(rng, 1.0), rpy=_three(rng, 3.2))
        if kind in _MOVING:
            SubElement(joint, "axis", xyz=rng.choice(("0 0 1", "0 -1 0", _three(rng, 1.0))))
            SubElement(
                joint, "limit", lower=repr(-rng.random() * 3), upper=repr(rng.random() * 3), effort="1", velocity="1"
            )
            if movable and rng.random() < 0.3:
                multiplier, offset = repr(rng.uniform(-2, 2)), repr(rng.uniform(-1, 1))
                SubElement(joint, "mimic", joint=rng.choice(movable), multiplier=multiplier, offset=offset)
            movable.append(f"joint{index}")
    children = list(root)
    rng.shuffle(children)
    root[:] = children
    return root


def _three(rng: random.Random, size: float) -> str:
    return " ".join(repr(rng.uniform(-size, size)) for _ in range(3))


def _joint(root: Element, rng: random.Random) -> Element:
    return rng.choice(root.findall("joint") or [Element("joint")])


def _part(joint: Element, tag: str) -> Element:
    found = joint.find(tag)
    return found if found is not None else SubElement(joint, tag)


def _links(root: Element) -> list[str]:
    return [link.get("name", "") for link in root.findall("link")] or [""]


def _rename(root: Element, rng: random.Random) -> None:
    """A link or joint gets another name, everywhere or in one place."""
    old, new = rng.choice(_links(root)), rng.choice((*NAMES, *_links(root)))
    if rng.random() < 0.4:
        old, new = _joint(root, rng).get("name", ""), rng.choice((*NAMES, _joint(root, rng).get("name", "")))
    everywhere = rng.random() < 0.7
    for element in root.iter():
        for key in ("name", "link", "joint"):
            if element.get(key) == old and (everywhere or rng.random() < 0.3):
                element.set(key, new)


def _rewire(root: Element, rng: random.Random) -> None:
    """Circles, two parents, a link on itself, a link that is not there, a robot turned round."""
    joint = _joint(root, rng)
    if rng.random() < 0.2:
        parent, child = _part(joint, "parent"), _part(joint, "child")
        parent.attrib, child.attrib = child.attrib, parent.attrib
        return
    _part(joint, rng.choice(("parent", "child"))).set("link", rng.choice((*_links(root), "nowhere", "")))


def _kind(root: Element, rng: random.Random) -> None:
    _joint(root, rng).set("type", rng.choice(_KINDS))


def _mimic(root: Element, rng: random.Random) -> None:
    joint = _joint(root, rng)
    mimic = _part(joint, "mimic")
    mimic.set("joint", rng.choice((_joint(root, rng).get("name", ""), joint.get("name", ""), "nobody")))
    for key in ("multiplier", "offset"):
        if rng.random() < 0.6:
            mimic.set(key, rng.choice((*NUMBERS, "2", "-1", "0", "0.5", "1e3")))


def _limit(root: Element, rng: random.Random) -> None:
    joint = _joint(root, rng)
    limit = _part(joint, "limit")
    choice = rng.randrange(5)
    if choice == 0:
        joint.remove(limit)
    elif choice == 1:
        limit.attrib = {}
    elif choice == 2:
        limit.attrib["lower"], limit.attrib["upper"] = limit.get("upper", "1"), limit.get("lower", "-1")
    elif choice == 3:
        limit.set("lower", "-" + (bound := rng.choice(("1e16", "1e3", "1.8e308", "3.14159", "0", "1e-12"))))
        limit.set("upper", bound)
    else:
        limit.set(rng.choice(("lower", "upper", "effort", "velocity")), rng.choice(NUMBERS))


def _axis(root: Element, rng: random.Random) -> None:
    axes = (
        "0 0 0",
        "1e-300 0 0",
        "1e200 1e200 0",
        "0 0 -2",
        "5e-324 0 0",
        "1 1e-17 0",
        "0 0 1 0",
        "1 0",
        "-0 -0 1",
        "3 4 0",
    )
    _part(_joint(root, rng), "axis").set("xyz", rng.choice(axes))


def _origin(root: Element, rng: random.Random) -> None:
    origin = _part(_joint(root, rng), "origin")
    choice = rng.randrange(5)
    if choice == 0:
        root.set("version", rng.choice(("1.0", "1.1", "1.2", "2.0", "1", "abc", "")))
        origin.attrib.pop("rpy", None)
        quats = (
            "0 0 0 1",
            "0 0 0 0",
            "0.5 0.5 0.5 0.5",
            "1 2 3 4",
            "1e-200 0 0 1e-200",
            "0 0 1",
            "nan 0 0 1",
            "0 1e200 0 1",
        )
        origin.set("quat_xyzw", rng.choice(quats))
    elif choice == 1:
        origin.set(
            "rpy",
            " ".join(rng.choice(("0", "1.5707963267948966", "-1.57079632679", "1e5", "1e15", "4")) for _ in range(3)),
        )
    elif choice == 2:
        origin.attrib = {}
    elif choice == 3:
        origin.set("xyz", " ".join(rng.choice(NUMBERS) for _ in range(3)))
    else:
        origin.set("xyz", " ".join(rng.choice(("1e99", "-1e99", "1e50", "0", "1e-50")) for _ in range(3)))


def _extend(root: Element, rng: random.Random) -> None:
    """A chain grows on a link: deep or wide trees."""
    parent = rng.choice(_links(root))
    count = rng.choice((1, 3, 30, 300))
    wide = rng.random() < 0.3
    for index in range(count):
        name = f"grown{index}"
        SubElement(root, "link", name=name)
        joint = SubElement(
            root, "joint", name=f"grown_joint{index}", type=rng.choice(("fixed", "continuous", "continuous"))
        )
        SubElement(joint, "parent", link=parent)
        SubElement(joint, "child", link=name)
        SubElement(joint, "origin", xyz="0.1 0 0", rpy="0 0.3 0")
        SubElement(joint, "axis", xyz="0 1 0")
        parent = parent if wide else name


def _mimic_chain(root: Element, rng: random.Random) -> None:
    """Every moving joint copies the next one, in a circle or not."""
    joints = [joint for joint in root.findall("joint") if joint.get("type") in _MOVING]
    for joint, other in zip(joints, joints[1:] + (joints[:1] if rng.random() < 0.3 else [])):
        mimic = _part(joint, "mimic")
        mimic.attrib = {
            "joint": other.get("name", ""),
            "multiplier": rng.choice(("1", "-1", "2", "1e30")),
            "offset": "0.1",
        }


def _inertial(root: Element, rng: random.Random) -> None:
    links = root.findall("link")
    if links:
        inertial = SubElement(rng.choice(links), "inertial")
        SubElement(inertial, "mass", value=rng.choice((*NUMBERS, "1", "2")))
        SubElement(inertial, "origin", xyz=rng.choice(("0 0 0", "1 2 3", "1e300 0 0", "1 2")), rpy="0 0 0")
        SubElement(inertial, "inertia", ixx="1", ixy="0", ixz="0", iyy="1", iyz="0", izz="1")


def _xacro(root: Element, rng: random.Random) -> None:
    _joint(root, rng).set("name", rng.choice(("${prefix}joint", "$(arg prefix)joint", "a$b", "{a}")))


_OWN = (
    *(_rename, _rename, _rewire, _rewire, _kind, _kind, _mimic, _mimic, _limit, _limit, _axis, _origin, _origin),
    *(_extend, _mimic_chain, _inertial, _xacro),
)


def case(rng: random.Random) -> dict[str, str]:
    """The files of a case, by name; the model is ``model.urdf``."""
    if rng.random() < 0.4:
        root = _random_robot(rng)
    else:
        file = _root_of(rng.choice(_files()))
        assert file is not None
        root = ElementTree.fromstring(written(file))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 5))):
        damage_tree(root, rng, _OWN, _NUMERIC)
    text = written(root)
    return {"model.urdf": damage_text(text, rng) if rng.random() < 0.12 else text}


# -- both sides -----------------------------------------------------------------------------------------------------


def load(files: dict[str, str], folder: Path) -> dk.Robot:
    """The robot that diffkin makes of a case."""
    return dk.Robot.from_urdf(files["model.urdf"])


def judge(files: dict[str, str], folder: Path, robot: dk.Robot | None, q: np.ndarray) -> Judged | Refused:
    """What Pinocchio makes of it: poses of the robot's links in the frame of its base, a list entry for each q."""
    import pinocchio as pin

    text = files["model.urdf"]
    text = _for_pinocchio(text) if robot is not None else text
    try:
        model = pin.buildModelFromXML(text)
    except (ValueError, RuntimeError, IndexError) as error:
        return Refused(f"{type(error).__name__}: {error}")
    if robot is None:
        return Judged([])
    joints = {joint.get("name", ""): joint for joint in _joints(text) if joint.get("type") in _MOVING}
    data, poses, turns, reach = model.createData(), [], 0.0, 0.0
    for row in q:
        position, known = pin.neutral(model), dict(zip(robot.joint_names, row.tolist()))
        for name in joints:
            joint = model.joints[model.getJointId(name)]
            value = _value(name, joints, known)
            if joint.nq == 1:
                position[joint.idx_q] = value
            elif joint.nq == 2:
                position[joint.idx_q : joint.idx_q + 2] = math.cos(value), math.sin(value)
            turns, reach = max(turns, abs(value)), reach + abs(value)
        pin.framesForwardKinematics(model, data, position)
        bodies = (index for index, frame in enumerate(model.frames) if frame.type == pin.FrameType.BODY)
        found = {model.frames[index].name: data.oMf[index].homogeneous.copy() for index in bodies}
        to_base = np.linalg.inv(found[robot.base])
        poses.append({link: to_base @ found[link] for link in found})
    reach += sum(float(np.abs(placement.translation).sum()) for placement in model.jointPlacements)
    reach += sum(float(np.abs(frame.placement.translation).sum()) for frame in model.frames)
    return Judged(poses, *tolerances(turns, reach), frozenset(_below(robot.base, text)))


def _for_pinocchio(text: str) -> str:
    """The same robot without what Pinocchio computes wrongly.

    It takes squares of axes and quaternions, which underflow or overflow where the numbers are tiny or huge; and an
    ``<axis/>`` without numbers is a zero axis to it, not the one that URDF says.
    """
    root = ElementTree.fromstring(text.strip("\ufeff \t\r\n\0"))
    changed = False
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    for parent in list(root.iter()):
        for element in [child for child in parent if child.tag == "axis" and not child.attrib]:
            parent.remove(element)
            changed = True
        for key in {"xyz": "axis", "quat_xyzw": "origin"}.items():
            if parent.tag == key[1] and parent.get(key[0]) is not None:
                changed |= _scale(parent, key[0])
    return written(root) if changed else text


def _scale(element: Element, key: str) -> bool:
    """Divide a direction by its largest number where that is tiny or huge."""
    try:
        values = [float(word) for word in element.attrib[key].split()]
    except ValueError:
        return False
    largest = max(map(abs, values), default=0.0)
    if not 0.0 < largest < math.inf or 1e-100 < largest < 1e100:
        return False
    element.attrib[key] = " ".join(repr(value / largest) for value in values)
    return True


def _joints(text: str) -> list[Element]:
    """All joints; namespaces are passed over, as urdfdom does."""
    root = ElementTree.fromstring(text.strip("\ufeff \t\r\n\0"))
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root.findall("joint")


def _below(base: str, text: str) -> set[str]:
    """A link and all links that hang on it."""
    children: dict[str, list[str]] = {}
    for joint in _joints(text):
        parent, child = joint.find("parent"), joint.find("child")
        if parent is not None and child is not None:
            children.setdefault(parent.get("link", ""), []).append(child.get("link", ""))
    found, waiting = set(), [base]
    while waiting:
        link = waiting.pop()
        found.add(link)
        waiting += children.get(link, [])
    return found


def _value(name: str, joints: dict[str, Element], known: dict[str, float]) -> float:
    """A joint's value, its mimics followed one by one; 0 where nothing of the robot hangs on it."""
    factor, value = 1.0, 0.0
    for _ in range(len(joints) + 1):
        mimic = joints[name].find("mimic")
        if mimic is None:
            return factor * known.get(name, 0.0) + value
        value += factor * float(mimic.get("offset", "0"))
        factor *= float(mimic.get("multiplier", "1"))
        name = mimic.get("joint", "")
    raise AssertionError("mimics in a circle were loaded")
