"""Frames of the user's own: links like any other, differentiable in their pose."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import diffkin as dk
from diffkin.errors import (
    DtypeError,
    NonFiniteError,
    OptionError,
    RotationError,
    ShapeError,
    TopologyError,
    UnknownNameError,
)

TWIST = torch.tensor([0.1, -0.2, 0.3, 0.4, 0.5, -0.6], dtype=torch.float64)


def test_a_frame_is_where_it_is_mounted(panda: dk.Robot) -> None:
    pose = dk.transforms.exp(TWIST)
    robot = panda.with_frame("camera", "panda_link5", pose)
    q = robot.sample(5)
    poses = robot.link_poses(q)
    torch.testing.assert_close(poses["camera"], poses["panda_link5"] @ pose, rtol=0, atol=1e-15)
    assert robot.tip == panda.tip
    assert robot.link_names == (*panda.link_names, "camera")
    assert set(robot.leaves) == {*panda.leaves, "camera"}
    assert "camera" not in panda.link_names
    torch.testing.assert_close(robot.center_of_mass(q), panda.center_of_mass(q), rtol=0, atol=1e-15)


def test_a_tool_becomes_the_tip(panda: dk.Robot) -> None:
    pose = dk.transforms.exp(TWIST)
    robot = panda.with_frame("tcp", "panda_hand", pose.numpy(), tip=True)
    q = robot.sample(5)
    assert robot.tip == "tcp"
    expected = panda.forward_kinematics(q, ["panda_hand"])[:, 0] @ pose
    torch.testing.assert_close(robot.forward_kinematics(q), expected, rtol=0, atol=1e-15)
    J = robot.jacobian(q)
    torch.testing.assert_close(J, robot.jacobian(q, method="reverse"), rtol=0, atol=1e-12)


def test_frames_on_frames_on_the_base_and_on_leaves(scara: dk.Robot) -> None:
    pose = dk.transforms.exp(TWIST)
    robot = (
        scara.with_frame("stand", scara.base, pose).with_frame("tool2", "tool", pose).with_frame("tip2", "tool2", pose)
    )
    assert robot.leaves == ("stand", "tip2")
    q = robot.sample(3)
    poses = robot.link_poses(q)
    torch.testing.assert_close(poses["stand"], pose.expand(3, 4, 4))
    torch.testing.assert_close(poses["tip2"], poses["tool"] @ pose @ pose, rtol=0, atol=1e-15)


def test_gradients_flow_to_the_pose(panda: dk.Robot) -> None:
    q = panda.sample(2)

    def place(twist: torch.Tensor) -> torch.Tensor:
        robot = panda.with_frame("tcp", "panda_hand", dk.transforms.exp(twist), tip=True)
        return robot.forward_kinematics(q)

    assert torch.autograd.gradcheck(place, (TWIST.clone().requires_grad_(),))
    by_columns = torch.func.jacfwd(place)(TWIST)
    torch.testing.assert_close(torch.func.jacrev(place)(TWIST), by_columns, rtol=0, atol=1e-12)


def test_a_float32_robot_stays_float32(panda: dk.Robot) -> None:
    robot = panda.to(torch.float32).with_frame("tcp", "panda_hand", dk.transforms.exp(TWIST))
    assert robot.dtype == torch.float32


@pytest.mark.parametrize(
    ("name", "parent", "pose", "error", "said"),
    [
        ("tcp", "hand", torch.eye(4), UnknownNameError, "'panda_hand'"),
        ("panda_hand", "panda_hand", torch.eye(4), TopologyError, "already"),
        ("", "panda_hand", torch.eye(4), OptionError, "name"),
        (None, "panda_hand", torch.eye(4), OptionError, "name"),
        ("tcp", "panda_hand", torch.eye(3), ShapeError, r"\(\*batch, 4, 4\)|\(4, 4\)"),
        ("tcp", "panda_hand", torch.eye(4).expand(2, 4, 4), ShapeError, r"\(4, 4\)"),
        ("tcp", "panda_hand", 2 * torch.eye(4), RotationError, "pose"),
        ("tcp", "panda_hand", torch.full((4, 4), math.nan), NonFiniteError, "pose"),
        ("tcp", "panda_hand", None, DtypeError, "pose"),
        ("tcp", "panda_hand", "eye", DtypeError, "pose"),
        ("tcp", "panda_hand", np.eye(4, dtype=int), DtypeError, "pose"),
    ],
)
def test_what_is_refused(panda: dk.Robot, name, parent, pose, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        panda.with_frame(name, parent, pose)


def test_tip_is_yes_or_no(panda: dk.Robot) -> None:
    with pytest.raises(OptionError, match="True or False"):
        panda.with_frame("tcp", "panda_hand", torch.eye(4), tip="tcp")
