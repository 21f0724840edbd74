"""Any robot as URDF text: what a table of numbers or another format described, for simulators and viewers."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from diffkin import rotations
from diffkin.kinematics import PRISMATIC
from diffkin.robot.formats.simple_shapes import Shape, simple_shapes, thickness
from diffkin.robot.formats.urdf import read_urdf
from diffkin.robot.formats.xacro import expanded
from diffkin.robot.xml import open_document

if TYPE_CHECKING:
    from diffkin.robot.robot import Robot

__all__ = ["NO_LIMIT", "add_simple_shapes", "robot_to_urdf"]

_Array = NDArray[np.float64]

NO_LIMIT = 1e9
"""What stands for a limit that there is not, where URDF wants a number."""

_COLORS = {"link": "0.36 0.47 0.6 1", "joint": "0.93 0.55 0.14 1", "base": "0.3 0.3 0.33 1"}


@dataclass(frozen=True, eq=False)
class _Original:
    """The URDF that a robot was loaded from: links, names of the joints above them, masses with centres, materials."""

    links: dict[str, Any] = field(default_factory=dict)
    joint_above: dict[str, str] = field(default_factory=dict)
    masses: dict[str, _Array] = field(default_factory=dict)
    materials: list[Any] = field(default_factory=list)

    def shapes(self, link: str, meshes: bool) -> list[Any]:
        """Copies of what is seen and what collides of a link."""
        found = (
            [] if link not in self.links else self.links[link].findall("visual") + self.links[link].findall("collision")
        )
        return [copy.deepcopy(shape) for shape in found if meshes or shape.find(".//mesh") is None]


def robot_to_urdf(robot: Robot, meshes: bool = True) -> str:
    """The text of a URDF; arguments, result and errors as ``Robot.to_urdf``."""
    from lxml import etree

    robot = robot.to(dtype=torch.float64, device="cpu")
    original = _original(robot)
    root = etree.Element("robot", name=robot.name)
    root.extend(original.materials)
    links = _Names(robot.link_names)
    riding: dict[int, list[str]] = {joint: [] for joint in range(-1, robot.tree.joints)}
    for link, joint in zip(robot.link_names, robot.tree.link_joint, strict=True):
        riding[joint].append(link)
    child = {joint: _child(robot, joint, names, links) for joint, names in riding.items()}
    _write_links(root, robot, original, child, riding, meshes)
    _write_joints(root, robot, original, child, links)
    etree.indent(root)
    return str(etree.tostring(root, encoding="unicode")) + "\n"


def add_simple_shapes(root: Any, robot: Robot) -> None:
    """Give simple shapes to the links of a robot's own URDF, where no link in their joint's frame is to be seen.

    Args:
        root: The file's ``<robot>`` element, changed in place.
        robot: The robot that was loaded from it.
    """
    elements = {link.get("name"): link for link in root.findall("link")}
    shapes = simple_shapes(robot)
    for joint in range(-1, robot.tree.joints):
        riding = [
            name for name, carrier in zip(robot.link_names, robot.tree.link_joint, strict=True) if carrier == joint
        ]
        known = [elements[name] for name in riding if name in elements]
        if known and all(element.find("visual") is None for element in known):
            for shape in shapes:
                if shape.joint == joint:
                    _add_shape(known[0], shape)  # the first link that a joint carries is its child


def _child(robot: Robot, joint: int, names: list[str], links: _Names) -> str:
    """The link that hangs on a joint: one whose frame is the joint's, else one that is made for it."""
    if joint < 0:
        return robot.base
    for name in names:
        if np.array_equal(_array(robot.tree.link_offsets[robot.link_names.index(name)]), np.eye(4)):
            return name
    return links.new(f"{robot.joint_names[robot.tree.coordinate[joint]]}_moved")


def _write_links(
    root: Any, robot: Robot, original: _Original, child: dict[int, str], riding: dict[int, list[str]], meshes: bool
) -> None:
    """Every link, with its mass, and with its own shapes or, where a joint carries none, with simple ones."""
    from lxml import etree

    shapes, radius = simple_shapes(robot), thickness(robot)
    for joint, carrier in child.items():
        own = {name: original.shapes(name, meshes) for name in riding[joint]}
        simple = [shape for shape in shapes if shape.joint == joint and not any(own.values())]
        longest = max([radius, *(shape.size[1] / 2 for shape in simple if shape.kind == "cylinder")])
        for name in dict.fromkeys((carrier, *riding[joint])):
            element = etree.SubElement(root, "link", name=name)
            if name in own:
                _add_mass(element, robot, name, original, longest)
                element.extend(own[name])
            if name == carrier:
                for shape in simple:
                    _add_shape(element, shape)


def _write_joints(root: Any, robot: Robot, original: _Original, child: dict[int, str], links: _Names) -> None:
    from lxml import etree

    tree, names = robot.tree, _Names(robot.joint_names)
    bearers = _bearers(robot)
    for index, (link, joint) in enumerate(zip(robot.link_names, tree.link_joint, strict=True)):
        if link != child[joint]:
            name = names.new(original.joint_above.get(link, f"{link}_joint"))
            _add_joint(root, name, child[joint], link, _array(tree.link_offsets[index])).set("type", "fixed")
    for joint, coordinate in enumerate(tree.coordinate):
        follows = bearers.get(coordinate) != joint
        source, link = robot.joint_names[coordinate], child[joint]
        element = _add_joint(
            root,
            names.new(original.joint_above.get(link, f"{link}_joint")) if follows else source,
            child[tree.parents[joint]],
            link,
            _array(tree.origins[joint]),
        )
        etree.SubElement(element, "axis", xyz=_text(_array(tree.axes[joint])))
        factor, offset = (tree.multiplier[joint], tree.offset[joint]) if follows else (1.0, 0.0)
        _add_limits(element, robot, coordinate, tree.kinds[joint] == PRISMATIC, factor, offset)
        if follows:
            etree.SubElement(element, "mimic", joint=source, multiplier=repr(factor), offset=repr(offset))
    for coordinate, source in enumerate(robot.joint_names):
        if coordinate not in bearers:  # its own joint is no part of the robot, those that follow it are
            link = links.new(f"{source}_moved")
            etree.SubElement(root, "link", name=link)
            element = _add_joint(root, source, robot.base, link, np.eye(4))
            etree.SubElement(element, "axis", xyz="0 0 1")
            kinds = [kind for kind, driven in zip(tree.kinds, tree.coordinate, strict=True) if driven == coordinate]
            _add_limits(element, robot, coordinate, PRISMATIC in kinds)


def _bearers(robot: Robot) -> dict[int, int]:
    """The joint that bears the name of each coordinate: the first that moves as the coordinate says."""
    tree = robot.tree
    own: dict[int, int] = {}
    for joint, coordinate in enumerate(tree.coordinate):
        if tree.multiplier[joint] == 1.0 and tree.offset[joint] == 0.0:
            own.setdefault(coordinate, joint)
    return own


def _add_joint(root: Any, name: str, parent: str, child: str, origin: _Array) -> Any:
    from lxml import etree

    element = etree.SubElement(root, "joint", name=name)
    etree.SubElement(element, "parent", link=parent)
    etree.SubElement(element, "child", link=child)
    _add_origin(element, origin)
    return element


def _add_origin(element: Any, pose: _Array) -> None:
    from lxml import etree

    rotation = rotations.nearest_rotation(torch.from_numpy(pose[:3, :3].copy()))
    rpy = rotations.matrix_to_euler(rotation, "xyz").numpy()
    etree.SubElement(element, "origin", xyz=_text(pose[:3, 3]), rpy=_text(rpy))


def _add_limits(
    element: Any, robot: Robot, coordinate: int, slides: bool, factor: float = 1.0, offset: float = 0.0
) -> None:
    """The joint's type and limits; those of a joint that follows are what its source's limits make of it."""
    from lxml import etree

    ends = sorted(
        factor * float(side[coordinate]) + offset if factor else offset for side in (robot.lower, robot.upper)
    )
    free = bool(np.isinf(ends).all())
    element.set("type", "prismatic" if slides else "continuous" if free else "revolute")
    speed, effort = float(robot.max_velocity[coordinate]), float(robot.max_effort[coordinate])
    speed = abs(factor) * speed if factor else 0.0
    if free and not slides and np.isinf(speed) and np.isinf(effort):
        return
    limit = etree.SubElement(element, "limit", effort=_number(effort), velocity=_number(speed))
    if not free:
        limit.set("lower", _number(ends[0]))
        limit.set("upper", _number(ends[1]))


def _add_mass(element: Any, robot: Robot, name: str, original: _Original, longest: float) -> None:
    """The mass of a link. Its inertia is the file's, or that of a ball as large as the link is long."""
    from lxml import etree

    index = robot.link_names.index(name)
    mass, center = float(robot.link_masses[index]), _array(robot.link_centers[index])
    known = original.masses.get(name)
    if known is not None and known[0] == mass and (mass == 0 or np.allclose(known[1:], center, rtol=1e-12, atol=1e-15)):
        element.append(copy.deepcopy(original.links[name].find("inertial")))
    elif mass > 0:
        inertial = etree.SubElement(element, "inertial")
        etree.SubElement(inertial, "origin", xyz=_text(center), rpy="0 0 0")
        etree.SubElement(inertial, "mass", value=repr(mass))
        about = repr(0.4 * mass * longest**2)
        etree.SubElement(inertial, "inertia", ixx=about, ixy="0", ixz="0", iyy=about, iyz="0", izz=about)


def _add_shape(element: Any, shape: Shape) -> None:
    from lxml import etree

    visual = etree.SubElement(element, "visual")
    _add_origin(visual, shape.pose)
    geometry = etree.SubElement(visual, "geometry")
    if shape.kind == "cylinder":
        etree.SubElement(geometry, "cylinder", radius=f"{shape.size[0]:.6g}", length=f"{shape.size[1]:.6g}")
    elif shape.kind == "sphere":
        etree.SubElement(geometry, "sphere", radius=f"{shape.size[0]:.6g}")
    else:
        etree.SubElement(geometry, "box", size=" ".join(f"{side:.6g}" for side in shape.size))
    material = etree.SubElement(visual, "material", name=f"diffkin_{shape.part}")
    etree.SubElement(material, "color", rgba=_COLORS[shape.part])


class _Names:
    """Names that are given once each."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.taken = set(taken)

    def new(self, wanted: str) -> str:
        """``wanted``, with a number behind it where it is taken."""
        name, count = wanted, 1
        while name in self.taken:
            count += 1
            name = f"{wanted}_{count}"
        self.taken.add(name)
        return name


def _original(robot: Robot) -> _Original:
    """What the robot's own URDF says; nothing where there is none, or another format."""
    is_text = robot.source.lstrip("\ufeff \t\r\n").startswith("<")
    if not is_text and not os.path.isfile(robot.source):
        return _Original()
    document = open_document(robot.source)
    if document.root.tag != "robot":
        return _Original()
    document = expanded(document)
    folder = "" if is_text else os.path.dirname(os.path.abspath(robot.source))
    for found in (*document.root.iter("mesh"), *document.root.iter("texture")):
        if found.get("filename"):
            found.set("filename", _absolute(found.get("filename"), folder))
    description = read_urdf(document)
    return _Original(
        {link.get("name"): link for link in document.root.findall("link")},
        {joint.child: joint.name for joint in description.joints},
        {link: np.array([each.mass, *each.center]) for link, each in description.inertials.items()},
        document.root.findall("material"),
    )


def _absolute(name: str, folder: str) -> str:
    """Where a file is that a URDF in ``folder`` names; as it was where it is not found.

    A package's folder is looked for around the URDF, with and without its name, since URDFs travel without the
    packages they name.
    """
    if not folder:
        return name
    if not name.startswith("package://"):
        return name if "://" in name else os.path.normpath(os.path.join(folder, name))
    inside = name.removeprefix("package://")
    for above in (Path(folder), *Path(folder).parents):
        for path in (above / inside, above / inside.partition("/")[2]):
            if path.is_file():
                return str(path)
    return name


def _array(tensor: torch.Tensor) -> _Array:
    return np.asarray(tensor.detach().numpy())


def _number(value: float) -> str:
    return repr(float(np.clip(value, -NO_LIMIT, NO_LIMIT)) + 0.0)


def _text(values: Iterable[float]) -> str:
    return " ".join(repr(float(value) + 0.0) for value in values)  # + 0.0 makes -0.0 0.0
