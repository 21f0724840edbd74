"""Shapes made for a robot: rods end where the bones do, drums lie about the axes, rails are as long as the limits."""

import numpy as np
import pytest

import diffkin as dk
from diffkin.robot.formats.simple_shapes import simple_shapes, thickness
from diffkin.robot.skeleton import bones_of


def test_rods_span_the_bones(mixed: dk.Robot) -> None:
    rods = [s for s in simple_shapes(mixed) if s.kind == "cylinder" and s.size[0] == thickness(mixed)]
    bones = bones_of(mixed)
    assert len(rods) == len(bones)
    for rod, bone in zip(rods, bones):
        half = rod.pose[:3, 2] * rod.size[1] / 2
        np.testing.assert_allclose(rod.pose[:3, 3] - half, bone.start, atol=1e-12)
        np.testing.assert_allclose(rod.pose[:3, 3] + half, bone.end, atol=1e-12)
        np.testing.assert_allclose(rod.pose[:3, :3] @ rod.pose[:3, :3].T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rod.pose[:3, :3]) == pytest.approx(1.0)


def test_joints_lie_along_their_axes(mixed: dk.Robot) -> None:
    joints = [shape for shape in simple_shapes(mixed) if shape.part == "joint"]
    assert [shape.kind for shape in joints] == ["box" if kind else "cylinder" for kind in mixed.tree.kinds]
    for shape in joints:
        np.testing.assert_allclose(shape.pose[:3, 2], mixed.tree.axes[shape.joint], atol=1e-12)
        np.testing.assert_array_equal(shape.pose[:3, 3], 0.0)


def test_a_slide_has_a_rail_as_long_as_its_limits() -> None:
    arm = dk.Robot.from_dh([[0.1, 0, 0.2, 0], [0.3, 0, 0, 0]], kinds="PR", lower=[-0.2, -1], upper=[0.5, 1])
    (rail,) = [s for s in simple_shapes(arm) if s.part == "link" and s.size[0] == 0.6 * thickness(arm)]
    assert rail.joint == -1
    assert rail.size[1] == pytest.approx(0.7)
    np.testing.assert_allclose(rail.pose[:3, 3], [0, 0, 0.15], atol=1e-12)
    free = dk.Robot.from_dh([[0.1, 0, 0.2, 0]], kinds="P")
    assert all(np.isfinite(shape.size).all() for shape in simple_shapes(free))


def test_shapes_keep_to_the_size_of_the_robot() -> None:
    small, large = (dk.Robot.from_dh([[length, 0, 0, 0]] * 3) for length in (0.01, 10.0))
    assert thickness(large) == pytest.approx(1000 * thickness(small))
    snake = dk.Robot.from_dh([[1.0, 0, 0, 0]] * 60)
    assert thickness(snake) <= 0.2
    point = dk.Robot.from_dh([[0.0, 0, 0, 0]])
    assert thickness(point) > 0
