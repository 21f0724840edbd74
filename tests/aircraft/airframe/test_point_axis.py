"""Pointing in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch.autograd import gradcheck, gradgradcheck

from diffkin import rotations
from diffkin.aircraft import align_vectors, least_turn, point_axis
from diffkin.errors import AttitudeError, NonFiniteError, RotationError, ShapeError

X, Y, Z = torch.eye(3, dtype=torch.float64)


def vectors(*batch: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*batch, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def unit(vector: torch.Tensor) -> torch.Tensor:
    return vector / vector.norm(dim=-1, keepdim=True)


def carried(R: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
    return (R * vector.unsqueeze(-2)).sum(-1)


def assert_rotation(R: torch.Tensor) -> None:
    torch.testing.assert_close(R.mT @ R, torch.eye(3, dtype=R.dtype).expand_as(R), rtol=0, atol=5e-15)
    assert bool((torch.linalg.det(R) > 0).all())


def test_points_exactly_with_every_hint() -> None:
    axis, direction = vectors(500, seed=1), vectors(500, seed=2)
    current = rotations.random_rotation(500, seed=3)
    for options in ({}, {"current": current}, {"up_body": vectors(500, seed=4), "up": vectors(500, seed=5)}):
        for roll in (0.0, 0.7):
            R = point_axis(axis, direction, roll=roll, **options)
            assert_rotation(R)
            torch.testing.assert_close(carried(R, unit(axis)), unit(direction), rtol=0, atol=5e-15)


def test_nose_with_wings_level() -> None:
    azimuth, elevation = 0.8, 0.4
    direction = torch.tensor(
        [
            math.cos(elevation) * math.cos(azimuth),
            math.cos(elevation) * math.sin(azimuth),
            -math.sin(elevation),
        ],
        dtype=torch.float64,
    )
    expected = Rotation.from_euler("ZYX", [azimuth, elevation, 0.0]).as_matrix()
    torch.testing.assert_close(point_axis(X, direction), torch.from_numpy(expected), rtol=0, atol=1e-15)
    banked = Rotation.from_euler("ZYX", [azimuth, elevation, 0.3]).as_matrix()
    torch.testing.assert_close(point_axis(X, direction, roll=0.3), torch.from_numpy(banked), rtol=0, atol=1e-15)


def test_least_turn_from_now_is_the_least() -> None:
    axis, direction, current = vectors(200, seed=1), vectors(200, seed=2), rotations.random_rotation(200, seed=3)
    R = point_axis(axis, direction, current=current)
    angle = rotations.angle_between(current, R)
    now = carried(current, unit(axis))
    expected = torch.atan2(torch.linalg.cross(now, unit(direction)).norm(dim=-1), (now * unit(direction)).sum(-1))
    torch.testing.assert_close(angle, expected, rtol=0, atol=1e-12)
    for roll in (-0.1, 0.1):
        assert bool(
            (rotations.angle_between(current, point_axis(axis, direction, current=current, roll=roll)) > angle).all()
        )


@pytest.mark.parametrize("gap", [0.0, 1e-16, 1e-12, 1e-8, 1e-4])
def test_opposite_and_equal_directions(gap: float) -> None:
    axis = unit(vectors(300, seed=1))
    for sign in (1.0, -1.0):
        direction = unit(sign * axis + gap * vectors(300, seed=2))
        R = least_turn(axis, direction)
        assert_rotation(R)
        torch.testing.assert_close(carried(R, axis), direction, rtol=0, atol=2e-15)


def test_straight_up_and_down_are_resolved() -> None:
    for axis in (X, Y, Z, -Z):
        for direction in (Z, -Z):
            R = point_axis(axis, direction)
            assert_rotation(R)
            torch.testing.assert_close(carried(R, axis), direction, rtol=0, atol=1e-15)
            assert bool(torch.isfinite(torch.func.jacrev(point_axis, argnums=(0, 1))(axis, direction)[0]).all())


def test_two_vectors_against_scipy() -> None:
    # An infinite weight makes align_vectors of SciPy align the first vector exactly.
    a, b, c, d = (vectors(20, seed=seed) for seed in range(4))
    R = align_vectors(a, b, c, d)
    assert_rotation(R)
    for k in range(20):
        body, reference = torch.stack((a[k], b[k])).numpy(), torch.stack((c[k], d[k])).numpy()
        expected, _ = Rotation.align_vectors(reference, body, weights=[math.inf, 1.0])
        torch.testing.assert_close(R[k], torch.from_numpy(expected.as_matrix()), rtol=0, atol=1e-12)


def test_point_axis_is_two_vector_alignment() -> None:
    axis, direction, up_body, up = (vectors(50, seed=seed) for seed in range(4))
    torch.testing.assert_close(
        point_axis(axis, direction, up_body=up_body, up=up), align_vectors(axis, up_body, direction, up)
    )


def test_gradients() -> None:
    axis, direction = vectors(3, seed=1).requires_grad_(), vectors(3, seed=2).requires_grad_()
    current = rotations.random_rotation(3, seed=3)
    for options in ({}, {"current": current}, {"roll": 0.4}):
        assert gradcheck(lambda a, d, o=options: point_axis(a, d, **o), (axis, direction))
        assert gradgradcheck(lambda a, d, o=options: point_axis(a, d, **o), (axis, direction))
    mapped = torch.func.vmap(torch.func.jacrev(lambda a, d: point_axis(a, d)))(axis.detach(), direction.detach())
    forward = torch.func.vmap(torch.func.jacfwd(lambda a, d: point_axis(a, d)))(axis.detach(), direction.detach())
    torch.testing.assert_close(mapped, forward)


def test_batches_dtypes_and_scale() -> None:
    R = point_axis(X.float(), vectors(4, 1, seed=1).float(), up=vectors(5, seed=2).float())
    assert R.shape == (4, 5, 3, 3)
    assert R.dtype == torch.float32
    torch.testing.assert_close(point_axis(1e-200 * Y, 1e200 * X), point_axis(Y, X))


def test_bad_input() -> None:
    with pytest.raises(RotationError, match="axis_body holds a zero vector"):
        point_axis(0.0 * X, X)
    with pytest.raises(RotationError, match="direction holds a zero vector"):
        point_axis(X, 0.0 * X)
    with pytest.raises(NonFiniteError, match="direction"):
        point_axis(X, X / 0.0)
    with pytest.raises(ShapeError, match="do not broadcast"):
        point_axis(vectors(2), vectors(3))
    with pytest.raises(RotationError, match="current"):
        point_axis(X, Y, current=2.0 * torch.eye(3, dtype=torch.float64))
    with pytest.raises(AttitudeError, match="first and second are parallel"):
        align_vectors(X, Y, Z, -2.0 * Z)
    with pytest.raises(AttitudeError, match="first_body and second_body are parallel"):
        align_vectors(X, X, Z, Y)
