"""Mechanisms for the kernel tests, and two independent oracles: Pinocchio, and plain formulas open to complex steps."""

from __future__ import annotations

import os

import numpy as np
import pinocchio as pin
import pybullet_data
from numpy.typing import NDArray

from diffkin.kernels.tree.mechanism import FIXED, PRISMATIC, REVOLUTE, Mechanism

ROBOTS = {"iiwa": "kuka_iiwa/model.urdf", "panda": "franka_panda/panda.urdf"}


def _twist(joint: pin.JointModel) -> NDArray:
    """The motion of a joint of one degree of freedom: linear, then angular."""
    data = joint.createData()
    joint.calc(data, np.zeros(1))
    return np.array(data.S).ravel()


def from_urdf(name: str) -> Mechanism:
    """A robot of pybullet_data as Pinocchio reads it, with every link as a frame."""
    model = pin.buildModelFromUrdf(os.path.join(pybullet_data.getDataPath(), ROBOTS[name]))
    joints = list(model.joints)[1:]
    twists = [_twist(joint) for joint in joints]
    kinds = [REVOLUTE if twist[3:].any() else PRISMATIC for twist in twists]
    axes = [twist[3:] if twist[3:].any() else twist[:3] for twist in twists]
    frames = [frame for frame in model.frames if frame.type == pin.FrameType.BODY]
    n = len(joints)
    return Mechanism(
        dof=n,
        parent=np.array(list(model.parents)[1:], np.int64) - 1,
        kind=np.array(kinds, np.int64),
        coordinate=np.arange(n),
        multiplier=np.ones(n),
        offset=np.zeros(n),
        origin=np.stack([model.jointPlacements[k + 1].homogeneous for k in range(n)]),
        axis=np.stack(axes),
        frame_joint=np.array([frame.parentJoint - 1 for frame in frames], np.int64),
        frame_offset=np.stack([frame.placement.homogeneous for frame in frames]),
    )


def rotation(rng: np.random.Generator) -> NDArray:
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q))


def pose(rng: np.random.Generator, neat: bool = False) -> NDArray:
    """A random pose; a neat one has quarter turns and whole metres, as robots drawn by hand."""
    result = np.eye(4)
    if neat:
        signed = np.eye(3)[rng.permutation(3)] * rng.choice([-1.0, 1.0], 3)
        result[:3, :3] = signed * np.linalg.det(signed)
        result[:3, 3] = rng.integers(-1, 2, 3)
    else:
        result[:3, :3], result[:3, 3] = rotation(rng), rng.normal(size=3)
    return result


def random_mechanism(seed: int, joints: int = 9, frames: int = 6) -> Mechanism:
    """Chains and trees in turn; revolute, prismatic and fixed joints, mimics, any axis, neat and skew transforms."""
    rng = np.random.default_rng(seed)
    chain, neat = seed % 2 == 0, seed % 3 == 0
    parent = [k - 1 if chain or rng.random() < 0.5 else int(rng.integers(-1, k)) for k in range(joints)]
    kind = rng.choice([REVOLUTE, REVOLUTE, REVOLUTE, PRISMATIC, FIXED], joints)
    axis = rng.normal(size=(joints, 3))
    if neat:
        axis = np.eye(3)[rng.integers(0, 3, joints)] * rng.choice([-1.0, 1.0], joints)[:, None]
    dof = max(1, joints - 3)
    return Mechanism(
        dof=dof,
        parent=np.array(parent, np.int64),
        kind=kind,
        coordinate=rng.integers(0, dof, joints),
        multiplier=np.where(rng.random(joints) < 0.5, 1.0, rng.normal(size=joints)),
        offset=np.where(rng.random(joints) < 0.5, 0.0, rng.normal(size=joints)),
        origin=np.stack([pose(rng, neat or rng.random() < 0.3) for _ in range(joints)]),
        axis=axis / np.linalg.norm(axis, axis=1, keepdims=True),
        frame_joint=rng.integers(-1, joints, frames),
        frame_offset=np.stack([pose(rng, rng.random() < 0.5) for _ in range(frames)]),
    )


def batch(mechanism: Mechanism, count: int, seed: int = 0, scale: float = 3.0) -> NDArray:
    return np.random.default_rng(seed).uniform(-scale, scale, (count, mechanism.dof))


class Oracle:
    """A mechanism rebuilt in Pinocchio, joint by joint; fixed joints are folded into what they carry."""

    def __init__(self, mechanism: Mechanism) -> None:
        self.mechanism = mechanism
        self.model = pin.Model()
        self.place: list[tuple[int, pin.SE3]] = []  # joint of Pinocchio and pose in it, per joint of the mechanism
        self.moving: list[int] = []
        for k in range(len(mechanism.parent)):
            carrier, offset = self._carrier(int(mechanism.parent[k]))
            placement = offset * pin.SE3(mechanism.origin[k])
            if mechanism.kind[k] == FIXED:
                self.place.append((carrier, placement))
                continue
            make = (
                pin.JointModelRevoluteUnaligned if mechanism.kind[k] == REVOLUTE else pin.JointModelPrismaticUnaligned
            )
            joint = self.model.addJoint(carrier, make(mechanism.axis[k]), placement, f"joint_{k}")
            self.moving.append(k)
            self.place.append((joint, pin.SE3.Identity()))
        for f in range(len(mechanism.frame_joint)):
            carrier, offset = self._carrier(int(mechanism.frame_joint[f]))
            placement = offset * pin.SE3(mechanism.frame_offset[f])
            self.model.addFrame(pin.Frame(f"frame_{f}", carrier, placement, pin.FrameType.OP_FRAME))
        self.data = self.model.createData()
        # d(joint values)/d(coordinates), in the order of Pinocchio
        self.spread = np.zeros((self.model.nv, mechanism.dof))
        for k in self.moving:
            row = self.model.joints[self.place[k][0]].idx_v
            self.spread[row, mechanism.coordinate[k]] = mechanism.multiplier[k]

    def _carrier(self, joint: int) -> tuple[int, pin.SE3]:
        return (0, pin.SE3.Identity()) if joint < 0 else self.place[joint]

    def _values(self, q: NDArray) -> NDArray:
        m = self.mechanism
        values = np.zeros(self.model.nq)
        for k in self.moving:
            index = self.model.joints[self.place[k][0]].idx_q
            values[index] = m.multiplier[k] * q[m.coordinate[k]] + m.offset[k]
        return values

    def poses(self, q: NDArray, frames: list[int]) -> NDArray:
        pin.framesForwardKinematics(self.model, self.data, self._values(q))
        return np.stack([self.data.oMf[self.model.getFrameId(f"frame_{f}")].homogeneous for f in frames])

    def jacobian(self, q: NDArray, frame: int, point: NDArray, local: bool) -> NDArray:
        pin.computeJointJacobians(self.model, self.data, self._values(q))
        pin.updateFramePlacements(self.model, self.data)
        index = self.model.getFrameId(f"frame_{frame}")
        J = pin.getFrameJacobian(self.model, self.data, index, pin.LOCAL_WORLD_ALIGNED).reshape(6, -1) @ self.spread
        R = self.data.oMf[index].rotation
        J = np.concatenate([J[:3] + np.cross(J[3:], R @ point, axis=0), J[3:]])
        return np.concatenate([R.T @ J[:3], R.T @ J[3:]]) if local else J


def plain_poses(mechanism: Mechanism, q: NDArray, frames: list[int], base: NDArray | None = None) -> NDArray:
    """Forward kinematics by the definitions, for one real or complex ``q`` and any base matrix."""
    root = np.eye(4) if base is None else base
    poses: list[NDArray] = []
    for k in range(len(mechanism.parent)):
        value = mechanism.multiplier[k] * q[mechanism.coordinate[k]] + mechanism.offset[k]
        motion = np.eye(4, dtype=q.dtype)
        x, y, z = mechanism.axis[k]
        if mechanism.kind[k] == REVOLUTE:
            K = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
            motion[:3, :3] = np.eye(3) + np.sin(value) * K + (1 - np.cos(value)) * K @ K
        elif mechanism.kind[k] == PRISMATIC:
            motion[:3, 3] = mechanism.axis[k] * value
        carrier = root if mechanism.parent[k] < 0 else poses[mechanism.parent[k]]
        poses.append(carrier @ mechanism.origin[k] @ motion)
    carriers = [root if mechanism.frame_joint[f] < 0 else poses[mechanism.frame_joint[f]] for f in frames]
    return np.stack([c @ mechanism.frame_offset[f] for c, f in zip(carriers, frames)])
