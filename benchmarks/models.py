"""The robots of the benchmarks, the same text for every library, and the neutral judge of solutions."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import tempfile
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pinocchio as pin
import torch
from numpy.typing import NDArray

import diffkin as dk

__all__ = ["ROBOTS", "Model", "load_model", "made_up_chain", "problems"]

Floats = NDArray[np.float64]

ROBOTS = ("kuka_iiwa", "franka_panda", "xarm6", "ur5")

_FILES = {
    "kuka_iiwa": ("pybullet_data", "kuka_iiwa/model.urdf", "lbr_iiwa_link_7"),
    "franka_panda": ("pybullet_data", "franka_panda/panda.urdf", "panda_grasptarget"),
    "xarm6": ("pybullet_data", "xarm/xarm6_robot.urdf", "link6"),
    "ur5": ("example-robot-data", "ur_description/urdf/ur5_robot.urdf", "tool0"),
}

_MASS = '<inertial><mass value="1"/><inertia ixx="1" ixy="0" ixz="0" iyy="1" iyz="0" izz="1"/></inertial>'

POSITION_TOLERANCE = ROTATION_TOLERANCE = 1e-6
LIMIT_SLACK = 1e-9  # solvers that clip in another precision or order of operations are not failed for the last bits


@dataclass(frozen=True, eq=False)
class Model:
    """One arm as every library gets it.

    Attributes:
        name: Its name.
        text: URDF without meshes, every link of unit inertia at its frame.
        base: Root link.
        tip: The link that is placed.
        robot: diffkin's, float64.
        pin_model: Pinocchio's, all joints but the arm's locked.
        pin_frame: The tip's index there.
        lower: (dof,) limits [rad].
        upper: (dof,) limits [rad].
    """

    name: str
    text: str
    base: str
    tip: str
    robot: dk.Robot
    pin_model: Any
    pin_frame: int
    lower: Floats
    upper: Floats

    @property
    def dof(self) -> int:
        """Number of coordinates."""
        return len(self.lower)

    def poses(self, q: Floats) -> Floats:
        """Tip poses (count, 4, 4) of coordinates (count, dof) by Pinocchio in float64."""
        data = self.pin_model.createData()
        out = np.empty((len(q), 4, 4))
        for row, values in enumerate(q):
            pin.forwardKinematics(self.pin_model, data, values)
            out[row] = pin.updateFramePlacement(self.pin_model, data, self.pin_frame).homogeneous
        return out

    def solved(self, q: Floats, targets: Floats) -> NDArray[np.bool_]:
        """Which coordinates (count, dof) meet their targets (count, 4, 4) within 1e-6 m, 1e-6 rad and the limits.

        Rows of NaN, for a solver that gave up, count as unsolved.
        """
        given = np.isfinite(q).all(1)
        held = (q >= self.lower - LIMIT_SLACK).all(1) & (q <= self.upper + LIMIT_SLACK).all(1)
        reached = self.poses(np.where(given[:, None], q, 0.0))
        position = np.linalg.norm(reached[:, :3, 3] - targets[:, :3, 3], axis=1)
        # sine of the angle, from the skew part: exact for small angles, where the trace is not
        turn = np.einsum("bji,bjk->bik", reached[:, :3, :3], targets[:, :3, :3])
        skew = np.stack(
            [turn[:, 2, 1] - turn[:, 1, 2], turn[:, 0, 2] - turn[:, 2, 0], turn[:, 1, 0] - turn[:, 0, 1]], axis=1
        )
        angle = np.arctan2(np.linalg.norm(skew, axis=1), np.trace(turn, axis1=1, axis2=2) - 1.0)
        return given & held & (position <= POSITION_TOLERANCE) & (angle <= ROTATION_TOLERANCE)

    def file(self) -> str:
        """Path of a file with the text, for libraries that read only files."""
        return _file(self.text)


@cache
def _file(text: str) -> str:
    path = Path(tempfile.mkdtemp(prefix="diffkin-bench-")) / "robot.urdf"
    path.write_text(text, encoding="utf-8")
    return str(path)


@cache
def load_model(name: str) -> Model:
    """One of ``ROBOTS``, or ``chain N`` for a made-up chain of N joints."""
    if name.startswith("chain "):
        return made_up_chain(int(name.split()[1]))
    package, file, tip = _FILES[name]
    if package == "example-robot-data":
        # a package of data files alone: no module to import
        shared = importlib.metadata.distribution("example-robot-data").locate_file("cmeel.prefix/share")
        path = Path(str(shared)) / "example-robot-data/robots" / file
    else:
        path = Path(str(importlib.resources.files(package))) / file
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    for part in list(root):
        if part.tag not in ("link", "joint"):
            root.remove(part)
    children = {joint.find("child").get("link") for joint in root.iter("joint")}  # type: ignore[union-attr]
    for link in root.iter("link"):
        for part in list(link):
            link.remove(part)
        if link.get("name") in children:  # PyBullet wants a mass, TRAC-IK none at the root
            link.append(ElementTree.fromstring(_MASS))
    return _model(name, ElementTree.tostring(root, encoding="unicode"), tip)


def made_up_chain(joints: int, seed: int = 0) -> Model:
    """A serial arm of revolute joints with random placements, about a metre long whatever the number of joints."""
    rng = np.random.default_rng(seed)
    lines = ['<robot name="chain">', '<link name="link0"/>']
    for joint in range(1, joints + 1):
        rpy = " ".join(f"{angle:.17g}" for angle in rng.uniform(-np.pi, np.pi, 3))
        xyz = " ".join(f"{length:.17g}" for length in rng.uniform(-1.0, 1.0, 3) / joints)
        lines.append(
            f'<link name="link{joint}"/><joint name="joint{joint}" type="revolute"><parent link="link{joint - 1}"/>'
            f'<child link="link{joint}"/><origin rpy="{rpy}" xyz="{xyz}"/><axis xyz="0 0 1"/>'
            '<limit lower="-2.8" upper="2.8" effort="1" velocity="1"/></joint>'
        )
    lines.append("</robot>")
    return _model(f"chain {joints}", "\n".join(lines), f"link{joints}")


def _model(name: str, text: str, tip: str) -> Model:
    robot = dk.Robot.from_urdf(text, tip=tip)
    whole = pin.buildModelFromXML(text)
    others = [joint for joint in range(1, whole.njoints) if whole.names[joint] not in robot.joint_names]
    model = pin.buildReducedModel(whole, others, pin.neutral(whole)) if others else whole
    if list(model.names)[1:] != list(robot.joint_names):
        raise ValueError(f"{name}: Pinocchio orders the joints {list(model.names)[1:]}, diffkin {robot.joint_names}")
    lower, upper = robot.lower.numpy(), robot.upper.numpy()
    made = Model(name, text, robot.base, tip, robot, model, model.getFrameId(tip), lower, upper)
    q, targets = problems(made, 4)
    gap = np.abs(robot.forward_kinematics(torch.from_numpy(q)).numpy() - targets).max()
    if gap > 1e-12:
        raise ValueError(f"{name}: diffkin and Pinocchio disagree by {gap:.2g}")
    return made


def problems(model: Model, count: int, seed: int = 1) -> tuple[Floats, Floats]:
    """Coordinates uniform within the limits (count, dof), and their poses (count, 4, 4): reachable targets."""
    q = np.random.default_rng(seed).uniform(model.lower, model.upper, (count, model.dof))
    return q, model.poses(q)
