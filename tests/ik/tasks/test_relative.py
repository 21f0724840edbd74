"""Targets in the frame of another link: derivatives, what is reached, against Pinocchio's relative placements."""

from __future__ import annotations

import sysconfig
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

import diffkin as dk
from diffkin import ik, rotations, transforms
from tests.ik.tasks.differences import COUNT, check_derivatives, randn

ROBOTS = Path(sysconfig.get_paths()["purelib"]) / "cmeel.prefix/share/example-robot-data/robots"
LEFT, RIGHT = "left_gripper", "right_gripper"


@cache
def baxter() -> dk.Robot:
    file = ROBOTS / "baxter_description/urdf/baxter.urdf"
    if not file.exists():
        pytest.skip("example-robot-data is not installed")
    return dk.Robot.from_urdf(file)


R = rotations.random_rotation(COUNT, seed=4, dtype=torch.float64)
T = transforms.pose(R, randn(COUNT, 3, seed=5))
SIX = torch.tensor([1.0, 0.5, 2.0, 0.0, 1.0, 0.3])

TASKS = {
    "pose": ik.PoseTask("hand", T, reference="e"),
    "pose, weighed": ik.PoseTask("hand", T, reference="e", weight=SIX),
    "one pose for all": ik.PoseTask("hand", T[0], reference="a"),
    "position": ik.PositionTask("hand", T[:, :3, 3], reference="e", weight=SIX[:3]),
    "orientation": ik.OrientationTask("hand", R, reference="e", weight=0.7),
    "direction": ik.RayDirectionTask("hand", (0.2, 1.0, -0.3), T[:, :3, 3], reference="e"),
    "direction in a cone": ik.RayDirectionTask("hand", (0.2, 1.0, -0.3), T[:, :3, 3], within=0.4, reference="e"),
    "at a point": ik.RayAtPointTask("hand", (0.2, 1.0, -0.3), 3.0 * T[:, :3, 3], (0.1, 0.0, 0.2), reference="e"),
    "out of a cone": ik.KeepOutConeTask("hand", (1.0, 0.0, 0.0), R[:, 0], half_angle=2.0, reference="e"),
}


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_derivatives(mixed, task):
    check_derivatives(mixed, task)


def test_poses_are_those_of_pinocchio():
    pin = pytest.importorskip("pinocchio")
    robot = baxter()
    model = pin.buildModelFromUrdf(str(ROBOTS / "baxter_description/urdf/baxter.urdf"))
    data, q = model.createData(), robot.sample(COUNT, seed=3)
    known = [k for k, name in enumerate(model.names[1:]) if name in robot.joint_names]  # without mimic joints
    order = [robot.joint_names.index(model.names[1 + k]) for k in known]
    tasks = ik.PoseTask(LEFT, torch.eye(4, dtype=torch.float64), reference=RIGHT)
    poses = robot.forward_kinematics(q, links=[LEFT, RIGHT])
    ours = tasks.pose(poses)
    jacobians = torch.stack([robot.jacobian(q, link) for link in (LEFT, RIGHT)], dim=1)
    motion = tasks.motion(poses, jacobians)
    left, right = (model.getFrameId(link) for link in (LEFT, RIGHT))
    for k in range(COUNT):
        full = np.zeros(model.nq)
        full[known] = q[k, order].numpy()
        pin.framesForwardKinematics(model, data, full)
        between = data.oMf[right].actInv(data.oMf[left])
        np.testing.assert_allclose(ours[k].numpy(), between.homogeneous, atol=1e-12)
        # spatial velocities: that of the left hand less that of the right one, both in the right one's axes
        pin.computeJointJacobians(model, data, full)
        mine, other = (pin.getFrameJacobian(model, data, frame, pin.ReferenceFrame.LOCAL) for frame in (left, right))
        relative = mine - between.actInv(pin.SE3.Identity()).action @ other
        turned = (np.kron(np.eye(2), between.rotation) @ relative)[:, known]
        np.testing.assert_allclose(motion[k].numpy()[:, order], turned, atol=1e-12)


def test_a_hand_holds_its_pose_in_the_other():
    robot = baxter()
    q = robot.sample(8, seed=5)
    wanted = transforms.inverse(robot.forward_kinematics(q, links=[RIGHT])[:, 0])
    wanted = wanted @ robot.forward_kinematics(q, links=[LEFT])[:, 0]
    result = dk.solve_ik(robot, ik.PoseTask(LEFT, wanted, reference=RIGHT))
    assert result.success.all()
    poses = robot.forward_kinematics(result.q, links=[LEFT, RIGHT])
    reached = transforms.inverse(poses[:, 1]) @ poses[:, 0]
    torch.testing.assert_close(reached, wanted, rtol=0, atol=3e-6)
    moved = [name for k, name in enumerate(robot.joint_names) if bool((result.q[:, k] != 0).any())]
    assert all(name.startswith(("left_", "right_")) for name in moved)


def test_the_base_does_not_matter(iiwa):
    between = transforms.inverse(iiwa.forward_kinematics(iiwa.sample(4), links=["lbr_iiwa_link_2"])[:, 0])
    between = between @ iiwa.forward_kinematics(iiwa.sample(4), links=["lbr_iiwa_link_7"])[:, 0]
    base = T[:4]
    for task in (
        ik.PoseTask(None, between, reference="lbr_iiwa_link_2"),
        ik.PositionTask(None, between[:, :3, 3], reference="lbr_iiwa_link_2"),
        ik.OrientationTask(None, between[:, :3, :3], reference="lbr_iiwa_link_2"),
    ):
        flat = task.for_batch(torch.Size((4,)), torch.float64, torch.device("cpu"))
        assert torch.equal(flat.seen_from(base).target, flat.target)
        assert flat.placement() is None  # what a link's pose in the base would be is not known
        assert task.kernel_weights(turned=False) is None
        assert dk.solve_ik(iiwa, task, base=base).success.all()


def test_gradients_flow_to_targets_in_a_reference(iiwa):
    q = iiwa.sample(50, seed=6)
    q = q[iiwa.manipulability(q).argmax()]  # well away from singularities, where differences say little
    poses = iiwa.forward_kinematics(q, links=["lbr_iiwa_link_7", "lbr_iiwa_link_1"])
    between = transforms.inverse(poses[1]) @ poses[0]
    tight = {"position_tolerance": 1e-11, "rotation_tolerance": 1e-11}

    def solved(xi: torch.Tensor, differentiable: bool = False) -> torch.Tensor:
        task = ik.PoseTask(None, between @ transforms.exp(xi), reference="lbr_iiwa_link_1")
        return dk.solve_ik(iiwa, task, q0=q, differentiable=differentiable, **tight).q

    xi = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    jacobian = torch.stack([torch.autograd.grad(row, xi, retain_graph=True)[0] for row in solved(xi, True)])
    for k in range(6):
        step = torch.zeros(6, dtype=torch.float64)
        step[k] = 1e-4
        difference = (solved(step) - solved(-step)) / 2e-4
        torch.testing.assert_close(jacobian[:, k], difference, rtol=1e-5, atol=1e-5)


def test_an_unknown_reference_is_named(iiwa):
    with pytest.raises(dk.errors.UnknownNameError, match="elbow"):
        dk.solve_ik(iiwa, ik.PositionTask(None, torch.zeros(3), reference="elbow"))
