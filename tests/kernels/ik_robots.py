"""Mechanisms for the tests of inverse kinematics: real robots read by Pinocchio, and small ones of our own."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pinocchio as pin
import pybullet_data

from diffkin.kernels.ik import IkProgram, make_program

_AXES = {"X": (1.0, 0.0, 0.0), "Y": (0.0, 1.0, 0.0), "Z": (0.0, 0.0, 1.0)}
_BULLET = Path(pybullet_data.getDataPath())
_EXAMPLES = Path(sysconfig.get_paths()["purelib"]) / "cmeel.prefix/share/example-robot-data/robots"

FILES = {
    "iiwa": (_BULLET / "kuka_iiwa/model.urdf", None, "lbr_iiwa_joint_7"),
    "panda": (_BULLET / "franka_panda/panda.urdf", None, "panda_joint7"),
    "xarm6": (_BULLET / "xarm/xarm6_robot.urdf", None, "joint6"),
    "ur5": (_EXAMPLES / "ur_description/urdf/ur5_robot.urdf", None, "wrist_3_joint"),
    "ur10": (_EXAMPLES / "ur_description/urdf/ur10_robot.urdf", None, "wrist_3_joint"),
    "kinova": (_EXAMPLES / "kinova_description/robots/kinova.urdf", None, "j2s6s200_joint_6"),
    "talos": (_EXAMPLES / "talos_data/robots/talos_reduced.urdf", "torso_2_joint", "arm_left_7_joint"),
}


class Robot(NamedTuple):
    """A chain of Pinocchio's model and the same as arrays."""

    model: Any
    joints: list[int]  # of the model, from the base on
    lower: np.ndarray
    upper: np.ndarray
    arrays: dict[str, Any]

    def program(self, **changes: Any) -> IkProgram:
        return make_program(**{**self.arrays, **changes})

    def configuration(self, q: np.ndarray) -> np.ndarray:
        """Pinocchio's configuration: continuous joints are (cos, sin)."""
        full = pin.neutral(self.model)
        for value, joint in zip(q, self.joints):
            start, size = self.model.idx_qs[joint], self.model.nqs[joint]
            full[start : start + size] = (value,) if size == 1 else (np.cos(value), np.sin(value))
        return full

    def poses(self, q: np.ndarray) -> np.ndarray:
        """Poses of the last joint's frame in that of the first joint's parent, by Pinocchio."""
        data = self.model.createData()
        out = np.empty((len(q), 4, 4))
        root = self.model.parents[self.joints[0]]
        for b, values in enumerate(q):
            pin.forwardKinematics(self.model, data, self.configuration(values))
            out[b] = (data.oMi[root].inverse() * data.oMi[self.joints[-1]]).homogeneous
        return out

    def sample(self, count: int, seed: int = 0) -> np.ndarray:
        low = np.where(np.isinf(self.lower), -np.pi, self.lower)
        high = np.where(np.isinf(self.upper), np.pi, self.upper)
        return np.random.default_rng(seed).uniform(low, high, (count, len(low)))

    def errors(self, q: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Position and rotation errors, judged by Pinocchio."""
        here = self.poses(q)
        position = np.linalg.norm(here[:, :3, 3] - targets[:, :3, 3], axis=1)
        rotation = [np.linalg.norm(pin.log3(a[:3, :3].T @ b[:3, :3])) for a, b in zip(here, targets)]
        return position, np.array(rotation)


def load(name: str, halved: bool = False) -> Robot:
    """A real robot's arm."""
    path, root, tip = FILES[name]
    model = pin.buildModelFromUrdf(str(path))
    joint, joints = model.getJointId(tip), []
    while joint > 0 and model.names[joint] != root:
        joints.insert(0, joint)
        joint = model.parents[joint]
    n = len(joints)
    origin, axis, kind = np.zeros((n, 4, 4)), np.zeros((n, 3)), np.zeros(n, np.int64)
    lower, upper = np.full(n, -np.inf), np.full(n, np.inf)
    for j, joint in enumerate(joints):
        origin[j] = model.jointPlacements[joint].homogeneous
        short = model.joints[joint].shortname()
        kind[j] = short.startswith("JointModelP")
        axis[j] = _AXES[short[-1]] if short[-1] in _AXES else np.array(model.joints[joint].extract().axis)
        if model.nqs[joint] == 1:
            lower[j] = model.lowerPositionLimit[model.idx_qs[joint]]
            upper[j] = model.upperPositionLimit[model.idx_qs[joint]]
    if halved:
        lower, upper = 0.75 * lower + 0.25 * upper, 0.25 * lower + 0.75 * upper
    arrays = {
        "parent": np.arange(n) - 1,
        "kind": kind,
        "coordinate": np.arange(n),
        "multiplier": np.ones(n),
        "offset": np.zeros(n),
        "origin": origin,
        "axis": axis,
        "dof": n,
        "frame_joint": n - 1,
        "frame_offset": np.eye(4),
        "lower": lower,
        "upper": upper,
    }
    return Robot(model, joints, lower, upper, arrays)
