"""The calibrated arm as a URDF: new origins in the file it came from, and a link for the measured frame."""

from __future__ import annotations

import os
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin import rotations, transforms
from diffkin._checks import check_finite, check_last
from diffkin._files import path_of, write_bytes_atomically
from diffkin.calibration.model import CalibrationModel, check_model
from diffkin.errors import ModelFileError, OptionError
from diffkin.robot.formats.urdf import has_quaternions, origin_pose
from diffkin.robot.xml import open_document

__all__ = ["TOOL_LINK", "calibrated_urdf", "write_calibrated_urdf"]

TOOL_LINK = "calibrated_tool"
"""Name of the link that is added for the measured frame."""


def write_calibrated_urdf(
    model: CalibrationModel,
    x: Float[Tensor, " parameters"],
    path: str | os.PathLike[str],
    tool_link: str = TOOL_LINK,
    shapes: bool = True,
) -> None:
    """Write ``calibrated_urdf`` to a file, atomically.

    Raises:
        diffkin.errors.ModelFileError: The file cannot be written; an earlier one is as it was.
    """
    text = calibrated_urdf(model, x, tool_link, shapes)
    write_bytes_atomically(path_of(path), lambda file: file.write(text.encode()))


def calibrated_urdf(
    model: CalibrationModel, x: Float[Tensor, " parameters"], tool_link: str = TOOL_LINK, shapes: bool = True
) -> str:
    """The URDF of the arm with these parameters.

    It is the original text but for the origins of the joints on the way to the tip, which take in the joints' offsets,
    a fixed joint to a new link at the measured frame, and the paths of meshes, which become absolute. Limits stay as
    they are: they are limits of the readings.

    Args:
        model: The model; its robot was loaded from a URDF.
        x: (parameters,) parameters.
        tool_link: Name of the new link.
        shapes: Whether to keep what is seen and what collides.

    Returns:
        The XML text.

    Raises:
        diffkin.errors.ModelFileError: The robot comes from no URDF.
        diffkin.errors.OptionError: The file has a link of that name already.
    """
    from lxml import etree

    check_model(model)
    check_last(x, (model.size,), "x")
    check_finite(x, "x")
    if not isinstance(tool_link, str) or not tool_link:
        raise OptionError(f"tool_link must be the name of a link, got {tool_link!r}.")
    robot = model.robot
    if not robot.source:
        raise ModelFileError(f"Robot {robot.name!r} was made from no file; a calibrated URDF needs the original URDF.")
    document = open_document(robot.source, "robot")
    root = document.root
    if any(link.get("name") == tool_link for link in root.iter("link")):
        raise OptionError(f"{document.label} has a link {tool_link!r} already. Choose another name for the new link.")
    by_child = {joint.find("child").get("link"): joint for joint in root.findall("joint")}
    quaternions = has_quaternions(document)
    changes = transforms.inverse(robot.tree.origins) @ model.origins(x.detach())
    for joint in model.joints:
        child = robot.link_names[robot.tree.link_joint.index(joint)]  # the first link a joint carries is its child
        element = by_child[child]
        before = origin_pose(element.find("origin"), f"joint {element.get('name')!r}", quaternions)
        _set_origin(element, torch.from_numpy(before) @ changes[joint])
    _add_link(root, tool_link, robot.link_names[robot.link_index(None)], model.tool_pose(x.detach()))
    if shapes:
        _make_meshes_absolute(root, "" if document.is_text else os.path.dirname(document.source))
    else:
        for shape in [*root.iter("visual"), *root.iter("collision")]:
            shape.getparent().remove(shape)
    return str(etree.tostring(root, encoding="unicode", pretty_print=True))


def _set_origin(joint: Any, pose: Tensor) -> None:
    from lxml import etree

    element = joint.find("origin")
    if element is None:
        element = etree.SubElement(joint, "origin")
    element.attrib.pop("quat_xyzw", None)  # the old rotation
    element.set("xyz", _text(pose[:3, 3]))
    element.set("rpy", _text(rotations.matrix_to_euler(rotations.nearest_rotation(pose[:3, :3]), "xyz")))


def _add_link(root: Any, name: str, parent: str, pose: Tensor) -> None:
    from lxml import etree

    inertial = etree.SubElement(etree.SubElement(root, "link", name=name), "inertial")
    etree.SubElement(inertial, "mass", value="1e-3")
    entries = {key: "1e-6" if key[1] == key[2] else "0" for key in ("ixx", "ixy", "ixz", "iyy", "iyz", "izz")}
    etree.SubElement(inertial, "inertia", entries)
    joint = etree.SubElement(root, "joint", name=f"{name}_joint", type="fixed")
    etree.SubElement(joint, "parent", link=parent)
    etree.SubElement(joint, "child", link=name)
    _set_origin(joint, pose)


def _make_meshes_absolute(root: Any, folder: str) -> None:
    for mesh in root.iter("mesh"):
        name = mesh.get("filename", "")
        if folder and name and "://" not in name and not os.path.isabs(name):
            mesh.set("filename", os.path.normpath(os.path.join(folder, name)))


def _text(values: Tensor) -> str:
    return " ".join(repr(value) for value in values.tolist())
