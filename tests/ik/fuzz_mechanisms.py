"""Mechanisms for the search for false claims, with forward kinematics that shares nothing with diffkin.

Pinocchio reads the URDF; its placements and axes go through Rodrigues' formula in NumPy, in double or extended precision.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pinocchio as pin
import pybullet_data
from numpy.typing import NDArray

import diffkin as dk

Array = NDArray[Any]

_BULLET = Path(pybullet_data.getDataPath())
_OWN = Path(dk.__file__).parent / "assets" / "robots"
_FILES = {
    "kuka_iiwa": (_BULLET / "kuka_iiwa/model.urdf", "lbr_iiwa_link_7"),
    "franka_panda": (_BULLET / "franka_panda/panda.urdf", "panda_grasptarget"),
    "xarm6": (_BULLET / "xarm/xarm6_robot.urdf", "link6"),
    "planar_3r": (_OWN / "planar_3r.urdf", "tool"),
    "scara": (_OWN / "scara.urdf", "tool"),
}
_AXES = {"X": (1.0, 0.0, 0.0), "Y": (0.0, 1.0, 0.0), "Z": (0.0, 0.0, 1.0)}

Row = tuple[str, str, str, str, str]  # kind, xyz, rpy, axis, inner XML
_UR5: list[tuple[str, str, str]] = [
    ("0 0 0.0892", "0 0 0", "0 0 1"),
    ("0 0.1359 0", "0 1.5707963 0", "0 1 0"),
    ("0 -0.1197 0.425", "0 0 0", "0 1 0"),
    ("0 0 0.3923", "0 1.5707963 0", "0 1 0"),
    ("0 0.093 0", "0 0 0", "0 0 1"),
    ("0 0 0.0947", "0 0 0", "0 1 0"),
]


def _limited(bound: float | str) -> list[Row]:
    limit = f'<limit lower="-{bound}" upper="{bound}" effort="1" velocity="1"/>'
    return [("revolute", xyz, rpy, axis, limit) for xyz, rpy, axis in _UR5]


def _urdf(rows: list[Row]) -> str:
    text = ['<robot name="made"><link name="l0"/>']
    for k, (kind, xyz, rpy, axis, inner) in enumerate(rows):
        text.append(
            f'<link name="l{k + 1}"/><joint name="j{k}" type="{kind}"><parent link="l{k}"/><child link="l{k + 1}"/>'
            f'<origin xyz="{xyz}" rpy="{rpy}"/><axis xyz="{axis}"/>{inner}</joint>'
        )
    return "".join(text) + "</robot>"


def _mimics() -> str:
    rows = _limited(2.5)
    for place, source, multiplier, offset in ((2, 1, -0.7, 0.3), (5, 3, 1.5, -0.2)):
        kind, xyz, rpy, axis, limit = rows[place]
        mimic = f'<mimic joint="j{source}" multiplier="{multiplier}" offset="{offset}"/>'
        rows[place] = (kind, xyz, rpy, axis, limit + mimic)
    return _urdf([*rows, ("prismatic", "0 0.08 0", "0.3 0.2 0.1", "1 2 2", '<limit lower="-0.2" upper="0.3" effort="1" velocity="1"/>')])  # fmt: skip


def _unlimited() -> str:
    rows: list[Row] = [("continuous", xyz, rpy, axis, "") for xyz, rpy, axis in _UR5]
    slide = '<limit effort="1" velocity="1"/>'
    return _urdf([("prismatic", "0 0 0.1", "0 0 0", "1 0 0", slide), *rows])


def _tight() -> str:
    bounds = [(0.1, 0.15), (-1.3, -1.1), (0.8, 1.3), (-0.4, 0.1), (1.2, 1.2001), (-0.02, 0.02)]
    return _urdf(
        [
            ("revolute", xyz, rpy, axis, f'<limit lower="{low}" upper="{high}" effort="1" velocity="1"/>')
            for (xyz, rpy, axis), (low, high) in zip(_UR5, bounds)
        ]
    )


def texts() -> dict[str, tuple[str, str]]:
    """URDF text and tip of each mechanism."""
    found = {name: (path.read_text(encoding="utf-8"), tip) for name, (path, tip) in _FILES.items()}
    found["ur5, two turns"] = _urdf(_limited(6.283185307179586)), "l6"
    found["mimics"] = _mimics(), "l7"
    found["unlimited, slide"] = _unlimited(), "l7"
    found["tight limits"] = _tight(), "l6"
    found["limits 1e4"] = _urdf(_limited("1e4")), "l6"
    return found


@dataclass(frozen=True)
class Judge:
    """A mechanism as Pinocchio read it.

    Attributes:
        names: Of the coordinates.
        lower: (dof,) limits, -inf where there are none.
        upper: (dof,) limits, inf where there are none.
        slides: (dof,) whether the coordinate is a length.
        joints: Of each joint from root to tip: placement (4, 4), axis (3,), whether it slides, the index of its
            coordinate, multiplier and offset.
        tip: (4, 4) placement of the tip behind the last joint.
    """

    names: tuple[str, ...]
    lower: Array
    upper: Array
    slides: Array
    joints: tuple[tuple[Array, Array, bool, int, float, float], ...]
    tip: Array

    def rounded(self, dtype: type) -> Judge:
        """The mechanism whose numbers were rounded to a dtype."""

        def to(x: Any) -> Any:
            return np.asarray(x, dtype).astype(np.float64)

        joints = tuple((to(p), to(a), s, c, float(to(m)), float(to(o))) for p, a, s, c, m, o in self.joints)
        return replace(self, lower=to(self.lower), upper=to(self.upper), joints=joints, tip=to(self.tip))

    def poses(self, q: Array) -> tuple[Array, Array]:
        """Rotations (B, 3, 3) and positions (B, 3) of the tip at q (B, dof), in the precision of q."""
        R = np.broadcast_to(np.eye(3, dtype=q.dtype), (len(q), 3, 3))
        p = np.zeros((len(q), 3), q.dtype)
        for placement, axis, slides, coordinate, multiplier, offset in self.joints:
            p = p + np.einsum("bij,j->bi", R, placement[:3, 3].astype(q.dtype))
            R = np.einsum("bij,jk->bik", R, placement[:3, :3].astype(q.dtype))
            a = axis.astype(q.dtype)
            a = a / np.sqrt((a * a).sum())
            value = q[:, coordinate] * q.dtype.type(multiplier) + q.dtype.type(offset)
            if slides:
                p = p + np.einsum("bij,bj->bi", R, value[:, None] * a)
                continue
            K = np.array([[0, -a[2], a[1]], [a[2], 0, -a[0]], [-a[1], a[0], 0]], q.dtype)
            half = np.sin(value / 2)
            turn = np.eye(3, dtype=q.dtype) + np.sin(value)[:, None, None] * K
            turn = turn + (2 * half * half)[:, None, None] * np.einsum("ij,jk->ik", K, K)
            R = np.einsum("bij,bjk->bik", R, turn)
        p = p + np.einsum("bij,j->bi", R, self.tip[:3, 3].astype(q.dtype))
        return np.einsum("bij,jk->bik", R, self.tip[:3, :3].astype(q.dtype)), p

    def errors(self, q: Array, targets: Array) -> tuple[Array, Array]:
        """Distances [m] and angles [rad] to targets (B, 4, 4), in the precision of q."""
        R, p = self.poses(q)
        T = targets.astype(q.dtype)
        difference = _nearest(R) - _nearest(T[:, :3, :3])
        chord = np.sqrt((difference * difference).sum((1, 2)) / 8)  # the sine of half the angle
        return np.sqrt(((p - T[:, :3, 3]) ** 2).sum(1)), 2 * np.arcsin(np.minimum(chord, 1))

    def sample(self, count: int, draw: np.random.Generator) -> Array:
        """Coordinates (count, dof) within the limits, within a turn or a metre where there are none."""
        wide = np.where(self.slides, 1.0, np.pi)
        low = np.where(np.isinf(self.lower), -wide, self.lower)
        high = np.where(np.isinf(self.upper), wide, self.upper)
        return draw.uniform(low, high, (count, len(self.names)))


def _nearest(R: Array) -> Array:
    """The nearest rotations of matrices that are rotations up to rounding; each step squares the distance."""
    for _ in range(2):
        R = 1.5 * R - 0.5 * np.einsum("bij,bkj,bkl->bil", R, R, R)
    return R


def judge_of(urdf: str, tip: str, names: tuple[str, ...]) -> Judge:
    """The way to a tip in a URDF by Pinocchio, for coordinates in the order of these joints."""
    model = pin.buildModelFromXML(urdf)
    mimics, endless = {}, set()
    for joint in ElementTree.fromstring(urdf).iter("joint"):
        limit = joint.find("limit")
        if limit is not None and not {"lower", "upper"} & set(limit.keys()):
            endless.add(joint.get("name"))  # no limits at all, where Pinocchio reads two zeros
        mimic = joint.find("mimic")
        if mimic is not None:
            about = (mimic.get("joint"), float(mimic.get("multiplier", "1")), float(mimic.get("offset", "0")))
            mimics[joint.get("name")] = about
    frame = model.frames[model.getFrameId(tip)]
    number, way = frame.parentJoint, []
    while number > 0:
        way.insert(0, number)
        number = model.parents[number]
    joints = []
    lower, upper = np.full(len(names), -np.inf), np.full(len(names), np.inf)
    sliding = np.zeros(len(names), bool)
    for number in way:
        short, name = model.joints[number].shortname(), model.names[number]
        axis = _AXES[short[-1]] if short[-1] in _AXES else model.joints[number].extract().axis
        source, multiplier, offset = mimics.get(name, (name, 1.0, 0.0))
        place = names.index(source)
        slides = short.startswith("JointModelP")
        joints.append(
            (model.jointPlacements[number].homogeneous, np.array(axis, float), slides, place, multiplier, offset)
        )
        index = model.idx_qs[number]
        if name == source and model.nqs[number] == 1:
            sliding[place] = slides
            low, high = model.lowerPositionLimit[index], model.upperPositionLimit[index]
            if name not in endless:
                lower[place], upper[place] = low, high
    return Judge(names, lower, upper, sliding, tuple(joints), frame.placement.homogeneous)


def pinocchio_pose(urdf: str, tip: str, judge: Judge, q: Array) -> Array:
    """(4, 4) by Pinocchio itself, to test the judge."""
    model = pin.buildModelFromXML(urdf)
    full = pin.neutral(model)
    frame = model.getFrameId(tip)
    number, way = model.frames[frame].parentJoint, []
    while number > 0:
        way.insert(0, number)
        number = model.parents[number]
    for number, (_, _, _, coordinate, multiplier, offset) in zip(way, judge.joints):
        value, index = q[coordinate] * multiplier + offset, model.idx_qs[number]
        full[index : index + model.nqs[number]] = value if model.nqs[number] == 1 else (np.cos(value), np.sin(value))
    data = model.createData()
    pin.framesForwardKinematics(model, data, full)
    return data.oMf[frame].homogeneous
