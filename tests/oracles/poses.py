"""Poses of links by Pinocchio, MuJoCo and PyBullet, each from the model file itself, each needed where it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Poses = dict[str, NDArray[np.float64]]


def pinocchio_poses(xml: str, values: Mapping[str, float]) -> Poses:
    """``T_root_link`` of every link of URDF text; ``values`` holds every moving joint, mimics included."""
    import pinocchio as pin

    model = pin.buildModelFromXML(xml)
    q = pin.neutral(model)
    for name, value in values.items():
        joint = model.joints[model.getJointId(name)]
        # Pinocchio keeps cosine and sine of an unbounded turn.
        q[joint.idx_q : joint.idx_q + joint.nq] = value if joint.nq == 1 else (np.cos(value), np.sin(value))
    data = model.createData()
    pin.framesForwardKinematics(model, data, q)
    bodies = (index for index, frame in enumerate(model.frames) if frame.type == pin.FrameType.BODY)
    return {model.frames[index].name: data.oMf[index].homogeneous.copy() for index in bodies}


def mujoco_poses(xml: str, values: Mapping[str, float]) -> Poses:
    """``T_world_body`` of every body of MJCF or URDF text, and of every named site; the root of a URDF is ``world``."""
    import mujoco

    model = mujoco.MjModel.from_xml_string(xml)
    data = mujoco.MjData(model)
    for name, value in values.items():
        data.qpos[model.joint(name).qposadr[0]] = value
    mujoco.mj_kinematics(model, data)
    poses: Poses = {}
    for index in range(model.nbody):
        poses[model.body(index).name] = _pose(data.xpos[index], data.xmat[index])
    for index in range(model.nsite):
        poses[model.site(index).name] = _pose(data.site_xpos[index], data.site_xmat[index])
    return poses


def bullet_poses(path: Path | str, values: Mapping[str, float]) -> Poses:
    """``T_root_link`` of every link of a URDF file, the root included.

    Bullet's own link frames carry an error of 1e-7, so they are made here from the frames of the centres of mass, which
    are exact.
    """
    import pybullet

    client = pybullet.connect(pybullet.DIRECT)
    try:
        body = pybullet.loadURDF(str(path), useFixedBase=True, physicsClientId=client)
        root = pybullet.getBodyInfo(body, physicsClientId=client)[0].decode()
        poses: Poses = {root: np.eye(4)}
        count = pybullet.getNumJoints(body, physicsClientId=client)
        infos = [pybullet.getJointInfo(body, joint, physicsClientId=client) for joint in range(count)]
        for info in infos:
            if info[1].decode() in values:
                pybullet.resetJointState(body, info[0], values[info[1].decode()], physicsClientId=client)
        for info in infos:
            state = pybullet.getLinkState(body, info[0], computeForwardKinematics=True, physicsClientId=client)
            centre, inertial = (
                _pose(np.array(position), np.array(pybullet.getMatrixFromQuaternion(quaternion)))
                for position, quaternion in (state[0:2], state[2:4])
            )
            poses[info[12].decode()] = centre @ np.linalg.inv(inertial)
        return poses
    finally:
        pybullet.disconnect(client)


def _pose(position: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    pose = np.eye(4)
    pose[:3, :3] = np.asarray(matrix).reshape(3, 3)
    pose[:3, 3] = position
    return pose
