"""The task of a distance between points of two links."""

from __future__ import annotations

import pytest
import torch

import diffkin as dk
from diffkin import ik
from diffkin.errors import OptionError, ShapeError
from tests.ik.tasks.differences import COUNT, check_derivatives, randn

POINTS = {"point_a": (0.1, -0.2, 0.3), "point_b": (0.0, 0.1, 0.05)}


@pytest.mark.parametrize("distance", [0.3, randn(COUNT).abs() + 0.1])
def test_derivatives(mixed, distance):
    check_derivatives(mixed, ik.DistanceTask("hand", "e", distance, **POINTS, weight=0.7))
    check_derivatives(mixed, ik.DistanceTask(None if mixed.tip else "hand", "root", distance))


def test_distances_are_reached(mixed):
    q = mixed.sample(6, seed=4)

    def between(q: torch.Tensor) -> torch.Tensor:
        poses = mixed.forward_kinematics(q, links=["hand", "e"])
        ends = [
            poses[:, k, :3, 3] + poses[:, k, :3, :3] @ torch.tensor(point, dtype=torch.float64)
            for k, point in enumerate(POINTS.values())
        ]
        return (ends[0] - ends[1]).norm(dim=-1)

    result = dk.solve_ik(mixed, ik.DistanceTask("hand", "e", between(q), **POINTS))
    assert result.success.all()
    torch.testing.assert_close(between(result.q), between(q), rtol=0, atol=1e-6)
    assert (result.rotation_error == 0).all()


def test_bad_input():
    with pytest.raises(OptionError, match="reference"):
        ik.DistanceTask("a", "b", 0.0)
    with pytest.raises(ShapeError, match="point_b"):
        ik.DistanceTask("a", "b", 1.0, point_b=(0.0, 1.0))
    with pytest.raises(dk.errors.NonFiniteError, match="distance"):
        ik.DistanceTask("a", "b", float("nan"))
