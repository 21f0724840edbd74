"""The textbook formula itself, against Pinocchio, which reads the same files and mimics nothing of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import diffkin as dk
from diffkin.kinematics import reference
from tests.conftest import MIXED_URDF
from tests.kinematics.trees import REAL, on_random_trees, robot_of
from tests.oracles.poses import pinocchio_poses
from tests.oracles.random_trees import joint_values


def assert_poses_of_pinocchio(robot: dk.Robot, xml: str, seed: int) -> None:
    q = robot.sample(3, seed=seed)
    ours = reference.link_poses(robot.tree, q)
    assert ours.shape == (3, len(robot.link_names), 4, 4)
    for row, poses in zip(q, ours, strict=True):
        values = joint_values(xml, dict(zip(robot.joint_names, row.tolist(), strict=True)))
        theirs = pinocchio_poses(xml, values)
        for link, pose in zip(robot.link_names, poses, strict=True):
            assert (pose - torch.as_tensor(theirs[link])).abs().max() < 1e-12


@pytest.mark.parametrize("name", REAL)
def test_real_robots(name: str) -> None:
    robot = robot_of(name)
    assert_poses_of_pinocchio(robot, Path(robot.source).read_text(), seed=1)


def test_every_kind_of_joint_and_chains_of_mimics(mixed: dk.Robot) -> None:
    assert_poses_of_pinocchio(mixed, MIXED_URDF, seed=2)


@on_random_trees
def test_random_trees(xml: str, seed: int) -> None:
    assert_poses_of_pinocchio(dk.Robot.from_urdf(xml), xml, seed)


def test_leading_axes(mixed: dk.Robot) -> None:
    q = mixed.sample(6)
    flat = reference.link_poses(mixed.tree, q)
    torch.testing.assert_close(reference.link_poses(mixed.tree, q[0]), flat[0], rtol=0, atol=1e-15)
    folded = reference.link_poses(mixed.tree, q.reshape(2, 3, -1))
    torch.testing.assert_close(folded, flat.unflatten(0, (2, 3)), rtol=0, atol=1e-15)
    assert reference.link_poses(mixed.tree, q[:0]).shape == (0, len(mixed.link_names), 4, 4)


def test_a_tree_without_joints() -> None:
    robot = dk.Robot.from_urdf('<robot name="r"><link name="only"/></robot>')
    poses = reference.link_poses(robot.tree, torch.zeros(2, 0, dtype=torch.float64))
    assert torch.equal(poses, torch.eye(4, dtype=torch.float64).expand(2, 1, 4, 4))
