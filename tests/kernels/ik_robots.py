"""Mechanisms for the tests of inverse kinematics: real robots read by Pinocchio, and small ones of our own."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pinocchio as pin
import pybullet_data

from diffkin.ik.options import GRACE
from diffkin.ik.solvers.newton import FAR, FLOOR, LevenbergMarquardt
from diffkin.kernels.ik import program as ik_program
from diffkin.kernels.ik.layout import Settings
from diffkin.kernels.ik.program import IkProgram, Solution, make_program
from diffkin.kernels.tree.mechanism import Mechanism

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


_JOINTS = ("dof", "parent", "kind", "coordinate", "multiplier", "offset", "origin", "axis")


def settings(has_q0: bool = False, **changes: Any) -> Settings:
    """Settings with the defaults of ``LevenbergMarquardt`` and tolerances of 1e-6, some changed."""
    method = LevenbergMarquardt()
    plain = {
        "weights": (1.0,) * 6,
        "position_tolerance": 1e-6,
        "rotation_tolerance": 1e-6,
        "margin": 0.2 if changes.get("single") else 0.999,
        "starts": 100,
        "gives_up": False,
        "max_iterations": method.max_iterations,
        "early_iterations": method.early_iterations,
        "grace": GRACE,
        "patience": method.patience,
        "far": FAR,
        "damping": method.damping,
        "floor": FLOOR,
        "grow": method.grow,
        "shrink": method.shrink,
        "nearest": 1,
        "seed": 0,
        "has_q0": has_q0,
        "single": False,
    }
    return Settings(**{**plain, **changes})


def solve(program: IkProgram, targets: np.ndarray, q0: np.ndarray | None = None, **changes: Any) -> Solution:
    """The kernel's answers with ``settings``, some changed."""
    call = program.call(settings(q0 is not None, **changes))
    return ik_program.solve(call, np.ascontiguousarray(targets), None if q0 is None else np.ascontiguousarray(q0))


class Robot(NamedTuple):
    """A chain of Pinocchio's model and the same as arrays."""

    model: Any
    joints: list[int]  # of the model, from the base on
    lower: np.ndarray
    upper: np.ndarray
    arrays: dict[str, Any]

    def mechanism(self, **changes: Any) -> Mechanism:
        """The chain with the frame of its last joint, some arrays changed."""
        arrays = {**self.arrays, **changes}
        joint, offset = np.array([arrays.pop("frame_joint")]), arrays.pop("frame_offset")[None]
        return Mechanism(frame_joint=joint, frame_offset=offset, **{k: v for k, v in arrays.items() if k in _JOINTS})

    def program(self, **changes: Any) -> IkProgram:
        """The program of that frame within the limits, some arrays changed."""
        arrays = {**self.arrays, **changes}
        lower, upper = arrays["lower"], arrays["upper"]
        slides = np.zeros(arrays["dof"], bool)
        np.logical_or.at(slides, arrays["coordinate"], arrays["kind"] == 1)
        wide = np.where(slides, 1.0, np.pi)
        low, high = np.where(np.isinf(lower), -wide, lower), np.where(np.isinf(upper), wide, upper)
        return make_program(self.mechanism(**changes), 0, lower, upper, low, high)

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


def build(joints: list[dict[str, Any]], dof: int | None = None) -> Robot:
    """A chain of our own: kind, axis, origin (4, 4), lower, upper, and (coordinate, multiplier, offset) of mimic joints.

    ``poses`` and ``errors`` of the result take the values of all joints, not the coordinates.
    """
    model = pin.Model()
    n = len(joints)
    names = []
    for j, joint in enumerate(joints):
        kind = pin.JointModelPrismaticUnaligned if joint.get("kind", 0) else pin.JointModelRevoluteUnaligned
        axis = np.array(joint["axis"], dtype=float)
        names.append(model.addJoint(j, kind(axis / np.linalg.norm(axis)), pin.SE3(joint["origin"]), f"joint_{j}"))
    coordinate = np.array([joint.get("coordinate", j) for j, joint in enumerate(joints)])
    dof = dof or int(coordinate.max()) + 1
    lower, upper = np.full(dof, -np.inf), np.full(dof, np.inf)
    for joint, c in zip(joints, coordinate):
        if "lower" in joint:
            lower[c], upper[c] = joint["lower"], joint["upper"]
    arrays = {
        "parent": np.arange(n) - 1,
        "kind": np.array([joint.get("kind", 0) for joint in joints], dtype=np.int64),
        "coordinate": coordinate,
        "multiplier": np.array([joint.get("multiplier", 1.0) for joint in joints]),
        "offset": np.array([joint.get("offset", 0.0) for joint in joints]),
        "origin": np.array([joint["origin"] for joint in joints]),
        "axis": np.array([joint["axis"] for joint in joints], dtype=float),
        "dof": dof,
        "frame_joint": n - 1,
        "frame_offset": np.eye(4),
        "lower": lower,
        "upper": upper,
    }
    return Robot(model, names, lower, upper, arrays)


def values(robot: Robot, q: np.ndarray) -> np.ndarray:
    """Values of all joints from the coordinates."""
    return q[..., robot.arrays["coordinate"]] * robot.arrays["multiplier"] + robot.arrays["offset"]


def shift(x: float = 0.0, y: float = 0.0, z: float = 0.0, rotation: np.ndarray | None = None) -> np.ndarray:
    out = np.eye(4)
    out[:3, 3] = x, y, z
    if rotation is not None:
        out[:3, :3] = rotation
    return out


def planar(links: int) -> Robot:
    """Revolute joints about z in a plane, half a metre apart, with a frame at the end."""
    return build(
        [{"axis": (0, 0, 1), "origin": shift(x=0.5 * (j > 0)), "lower": -3.0, "upper": 3.0} for j in range(links)]
    )


def random_chain(count: int, seed: int, slides: float = 0.2) -> Robot:
    """Random axes and origins; some joints prismatic."""
    rng = np.random.default_rng(seed)
    joints = []
    for _ in range(count):
        kind = int(rng.random() < slides)
        wide = 0.3 if kind else rng.uniform(1.0, 3.0)
        rotation = pin.exp3(rng.normal(size=3))
        joints.append(
            {
                "kind": kind,
                "axis": rng.normal(size=3),
                "origin": shift(*rng.uniform(-0.2, 0.2, 3), rotation),
                "lower": -wide,
                "upper": 0.8 * wide,
            }
        )
    return build(joints)
