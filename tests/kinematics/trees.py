"""Robots that all forms of the kinematics are compared on, and how far rounding may take them apart."""

from __future__ import annotations

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

import diffkin as dk
from diffkin.kinematics import KinematicTree
from tests.conftest import MIXED_URDF
from tests.oracles.random_trees import urdf_trees

REAL = ["kuka_iiwa", "franka_panda", "xarm6", "scara", "planar_3r", "fixed_wing", "quadrotor"]


def robot_of(name: str) -> dk.Robot:
    """A named robot, the whole tree of its file, or the robot with joints of every kind."""
    return dk.Robot.from_urdf(MIXED_URDF) if name == "mixed" else dk.Robot.from_urdf(dk.load_robot(name).source)


def on_random_trees(test):
    """Runs a test on random URDF trees: every kind of joint, any axis and origin, chains of mimics."""
    few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
    return few(given(xml=urdf_trees(), seed=st.integers(0, 2**20))(test))


def rounding(tree: KinematicTree, q: Tensor, exact: Tensor) -> float:
    """What rounding may do to poses: an angle is off by its size, and takes what is far from it along."""
    ratio, shift = (torch.tensor(part, dtype=torch.float64) for part in (tree.multiplier, tree.offset))
    values = q.double()[..., list(tree.coordinate)] * ratio + shift
    size = 1.0 + (values.abs().max().item() if values.numel() else 0.0)
    return 8.0 * torch.finfo(q.dtype).eps * tree.joints * size * (1.0 + exact[..., :3, 3].abs().max().item())
