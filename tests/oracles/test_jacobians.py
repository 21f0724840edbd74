"""Jacobians of random trees against Pinocchio and MuJoCo, and against finite differences through PyBullet itself."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pinocchio as pin
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import diffkin as dk
from tests.oracles.poses import bullet_poses
from tests.oracles.random_trees import joint_values, urdf_trees

SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


@SETTINGS
@given(xml=urdf_trees(), seed=st.integers(0, 2**20))
def test_random_trees_against_pinocchio(xml, seed):
    """Columns of Pinocchio, which has one for every moving joint, added up by what drives them."""
    robot = dk.Robot.from_urdf(xml)
    q = robot.sample(1, seed=seed)[0]
    values = joint_values(xml, dict(zip(robot.joint_names, q.tolist(), strict=True)))
    model = pin.buildModelFromXML(xml)
    full = pin.neutral(model)
    for name, value in values.items():
        joint = model.joints[model.getJointId(name)]
        full[joint.idx_q : joint.idx_q + joint.nq] = value if joint.nq == 1 else (np.cos(value), np.sin(value))
    data = model.createData()
    h = 1e-6  # speeds of the joints for each coordinate, mimics included
    speeds = np.zeros((model.nv, robot.dof))
    for k, name in enumerate(robot.joint_names):
        ahead, behind = (
            joint_values(xml, {**dict(zip(robot.joint_names, q.tolist(), strict=True)), name: q[k].item() + s})
            for s in (h, -h)
        )
        for joint in values:
            speeds[model.joints[model.getJointId(joint)].idx_v, k] = (ahead[joint] - behind[joint]) / (2 * h)
    point = np.array([0.1, -0.2, 0.3])
    for link in robot.link_names:
        for frame, reference in (("world", pin.LOCAL_WORLD_ALIGNED), ("local", pin.LOCAL)):
            columns = pin.computeFrameJacobian(model, data, full, model.getFrameId(link), reference).reshape(6, -1)
            expected = columns @ speeds
            J = robot.jacobian(q, link, frame=frame).numpy()
            np.testing.assert_allclose(J, expected, rtol=0, atol=1e-8)
        turn = robot.forward_kinematics(q, [link])[0, :3, :3].numpy()
        columns = pin.computeFrameJacobian(model, data, full, model.getFrameId(link), pin.LOCAL_WORLD_ALIGNED)
        world = columns.reshape(6, -1) @ speeds
        lever = turn @ point
        shifted = world[:3] + np.cross(world[3:].T, lever).T
        at_point = robot.jacobian(q, link, torch.as_tensor(point)).numpy()
        np.testing.assert_allclose(at_point[:3], shifted, rtol=0, atol=1e-8)


@SETTINGS
@given(xml=urdf_trees(mimics=False), seed=st.integers(0, 2**20))
def test_random_trees_against_mujoco(xml, seed):
    robot = dk.Robot.from_urdf(xml)
    q = robot.sample(1, seed=seed)[0]
    model = mujoco.MjModel.from_xml_string(xml)
    data = mujoco.MjData(model)
    for name, value in zip(robot.joint_names, q.tolist(), strict=True):
        data.qpos[model.joint(name).qposadr[0]] = value
    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)
    order = [model.joint(name).dofadr[0] for name in robot.joint_names]
    for link in robot.link_names[1:]:  # MuJoCo calls the root "world"
        body = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, link)
        assert body > 0
        linear, angular = np.zeros((3, model.nv)), np.zeros((3, model.nv))
        mujoco.mj_jac(model, data, linear, angular, data.xpos[body], body)
        J = robot.jacobian(q, link).numpy()
        np.testing.assert_allclose(J, np.concatenate((linear, angular))[:, order], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["kuka_iiwa", "franka_panda", "xarm6", "scara"])
def test_finite_differences_through_pybullet(name):
    robot = dk.load_robot(name)
    q = robot.sample(1, seed=7)[0]
    J = robot.jacobian(q).numpy()
    text, whole = Path(robot.source).read_text(), dk.Robot.from_urdf(robot.source)
    h = 1e-4
    for k, joint in enumerate(robot.joint_names):
        poses = []
        for s in (h, -h):
            moved = dict.fromkeys(whole.joint_names, 0.0) | dict(zip(robot.joint_names, q.tolist(), strict=True))
            moved[joint] += s
            poses.append(bullet_poses(robot.source, joint_values(text, moved))[robot.tip])
        ahead, behind = poses
        linear = (ahead[:3, 3] - behind[:3, 3]) / (2 * h)
        turn = dk.rotations.matrix_to_rotvec(torch.as_tensor(ahead[:3, :3] @ behind[:3, :3].T)).numpy() / (2 * h)
        np.testing.assert_allclose(J[:3, k], linear, rtol=0, atol=1e-7)
        np.testing.assert_allclose(J[3:, k], turn, rtol=0, atol=1e-7)
