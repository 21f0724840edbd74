"""Arms from Denavit-Hartenberg tables against the product of the four elementary motions, and a published arm."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from diffkin.errors import NonFiniteError, OptionError, ShapeError
from diffkin.robot import Robot


def motion(axis: str, angle: float = 0.0, shift: float = 0.0) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler(axis, angle).as_matrix()
    pose["xyz".index(axis), 3] = shift
    return pose


def product(rows: list[tuple[float, float, float, float]], q: list[float], convention: str) -> list[np.ndarray]:
    """All frames, by the definition of the convention."""
    frames = [np.eye(4)]
    for (a, alpha, d, theta), angle in zip(rows, q):
        about_z = motion("z", theta + angle) @ motion("z", shift=d)
        about_x = motion("x", shift=a) @ motion("x", alpha)
        frames.append(frames[-1] @ (about_z @ about_x if convention == "standard" else about_x @ about_z))
    return frames


ROW = st.tuples(*[st.floats(-2, 2)] * 4)


@settings(max_examples=50, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=7), st.sampled_from(["standard", "modified"]), st.integers(0, 1000))
def test_frames_are_those_of_the_convention(rows: list, convention: str, seed: int) -> None:
    robot = Robot.from_dh(rows, convention=convention)
    (q,) = robot.sample(1, seed=seed)
    found = robot.forward_kinematics(q, links=robot.link_names).numpy()
    assert np.abs(found - np.array(product(rows, q.tolist(), convention))).max() < 1e-13


def test_names_and_limits() -> None:
    robot = Robot.from_dh(torch.zeros(3, 4), convention="standard")
    assert robot.joint_names == ("joint1", "joint2", "joint3")
    assert robot.link_names == ("base", "link1", "link2", "link3")
    assert (robot.base, robot.tip, robot.leaves, robot.source) == ("base", "link3", ("link3",), "")
    assert robot.lower.tolist() == [-math.inf] * 3
    assert robot.upper.tolist() == [math.inf] * 3
    assert robot.dtype == torch.float64


def test_puma_560_in_both_conventions() -> None:
    # Corke, Robotics, Vision and Control, 7.1: the table of the Puma 560 and its tool at the pose "nominal",
    # q = (0, pi/4, pi, 0, pi/4, 0), as printed there to four digits.
    half = math.pi / 2
    rows = [
        (0, half, 0, 0),
        (0.4318, 0, 0, 0),
        (0.0203, -half, 0.15005, 0),
        (0, half, 0.4318, 0),
        (0, -half, 0, 0),
        (0, 0, 0, 0),
    ]
    q = torch.tensor([0, math.pi / 4, math.pi, 0, math.pi / 4, 0], dtype=torch.float64)
    standard = Robot.from_dh(rows)
    expected = [[0, 0, 1, 0.5963], [0, 1, 0, -0.1501], [-1, 0, 0, -0.01435], [0, 0, 0, 1]]
    assert np.abs(standard.forward_kinematics(q).numpy() - np.array(expected)).max() < 1e-4
    # The same arm in the modified convention: a and alpha move one row down; the last ones are zero.
    shifted = [(*before[:2], *row[2:]) for before, row in zip([(0, 0, 0, 0), *rows], rows)]
    modified = Robot.from_dh(shifted, convention="modified")
    angles = standard.sample(20, seed=1)
    gap = (standard.forward_kinematics(angles) - modified.forward_kinematics(angles)).abs().max()
    assert gap < 1e-14


@pytest.mark.parametrize(
    "rows", [[], [1, 2, 3, 4], [[1, 2, 3]], [[[1, 2, 3, 4]]], [["a", 1, 2, 3]], [[1, 2, 3, 4], [1]], None]
)
def test_tables_of_another_shape(rows: object) -> None:
    with pytest.raises(ShapeError, match=r"\(n, 4\)"):
        Robot.from_dh(rows)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_numbers_must_be_finite(bad: float) -> None:
    with pytest.raises(NonFiniteError, match="Row 1"):
        Robot.from_dh([[0, 0, 0, 0], [0, bad, 0, 0]])


def test_unknown_convention() -> None:
    with pytest.raises(OptionError, match="'standard', 'modified'"):
        Robot.from_dh([[0, 0, 0, 0]], convention="craig")
