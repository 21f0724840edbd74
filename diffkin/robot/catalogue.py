"""Robots known by name, and loading by name or path."""

from __future__ import annotations

import dataclasses
import importlib.resources
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from diffkin.errors import MissingDependencyError, closest
from diffkin.robot.build import build_robot
from diffkin.robot.formats.mjcf import read_mjcf
from diffkin.robot.formats.urdf import read_urdf
from diffkin.robot.robot import Robot
from diffkin.robot.xml import Model, open_document

__all__ = ["load_robot", "robot_names"]

_ASSETS = "diffkin"
_BULLET = "pybullet_data"


@dataclass(frozen=True)
class _Entry:
    """Where a named robot's file is, and which part of it is meant.

    Attributes:
        package: The Python package that holds the file.
        file: Its path there.
        tip: The last link; None takes the whole tree.
    """

    package: str
    file: str
    tip: str | None = None


# To add a robot, add a line. Files of our own are in diffkin/assets/robots.
_ROBOTS = {
    "kuka_iiwa": _Entry(_BULLET, "kuka_iiwa/model.urdf", "lbr_iiwa_link_7"),
    "franka_panda": _Entry(_BULLET, "franka_panda/panda.urdf", "panda_grasptarget"),
    "xarm6": _Entry(_BULLET, "xarm/xarm6_robot.urdf", "link6"),
    "planar_2r": _Entry(_ASSETS, "assets/robots/planar_2r.urdf", "tool"),
    "planar_3r": _Entry(_ASSETS, "assets/robots/planar_3r.urdf", "tool"),
    "scara": _Entry(_ASSETS, "assets/robots/scara.urdf", "tool"),
    "fixed_wing": _Entry(_ASSETS, "assets/aircraft/fixed_wing.urdf"),
    "quadrotor": _Entry(_ASSETS, "assets/aircraft/quadrotor.urdf"),
}


def robot_names() -> tuple[str, ...]:
    """Names that ``load_robot`` knows."""
    return tuple(_ROBOTS)


def load_robot(name_or_path: Model, base: str | None = None, tip: str | None = None) -> Robot:
    """Load a robot by name or from a file.

    Args:
        name_or_path: One of ``robot_names()``, the path of a URDF or MuJoCo model, its XML text (str or bytes), an open
            file, or a ``package://`` address.
        base: Link whose frame poses are given in; the root if None.
        tip: Last link. None means the usual tip of a named robot, and the whole tree of a file.

    Returns:
        The robot, float64 on the CPU.

    Raises:
        diffkin.errors.UnknownNameError: No robot has that name, or no link the name of ``base`` or ``tip``.
        diffkin.errors.MissingDependencyError: The package that holds the robot's file is not installed.
        diffkin.errors.ModelFileError: The file cannot be read or describes a mechanism that cannot be.
    """
    text = os.fspath(name_or_path) if isinstance(name_or_path, (str, os.PathLike)) else None
    if isinstance(text, str) and text in _ROBOTS:
        entry = _ROBOTS[text]
        robot = Robot.from_urdf(_locate(text, entry), base, tip or entry.tip)
        return dataclasses.replace(robot, name=text)
    if isinstance(name_or_path, str) and _is_name(name_or_path):
        raise closest(name_or_path, _ROBOTS, "robot")
    document = open_document(name_or_path, "robot", "mujoco")
    read = read_mjcf if document.root.tag == "mujoco" else read_urdf
    return build_robot(Robot, read(document), base, tip)


def _is_name(text: str) -> bool:
    """Whether it was meant as a name: neither an address, nor XML, nor anything with a folder or a suffix."""
    looks_like_path = any(mark in text for mark in ("/", os.sep, ".", "<", "\n", "~")) or os.path.exists(text)
    return not looks_like_path


def _locate(name: str, entry: _Entry) -> Path:
    if importlib.util.find_spec(entry.package) is None:
        raise MissingDependencyError(
            f"The robot {name!r} is part of the package {entry.package}, which is not installed. Install it with "
            "`pip install pybullet` (wheels exist for Python 3.10 and 3.11), or load a URDF of your own by its path."
        )
    return Path(str(importlib.resources.files(entry.package))) / entry.file
