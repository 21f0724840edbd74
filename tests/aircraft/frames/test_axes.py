"""NED and ENU, FRD and FLU, azimuth and elevation."""

from __future__ import annotations

import math

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from diffkin import rotations
from diffkin.aircraft.frames import axes as frames
from diffkin.errors import RotationError, ShapeError

SWAP = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]], dtype=torch.float64)
ROLL_OVER = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))


def test_vectors_by_name() -> None:
    north, east, down = torch.eye(3, dtype=torch.float64)
    assert frames.ned_to_enu(north).tolist() == [0.0, 1.0, 0.0]
    assert frames.ned_to_enu(east).tolist() == [1.0, 0.0, 0.0]
    assert frames.ned_to_enu(down).tolist() == [0.0, 0.0, -1.0]
    assert frames.frd_to_flu(torch.tensor([1.0, 2.0, 3.0])).tolist() == [1.0, -2.0, -3.0]


@pytest.mark.parametrize(
    ("there", "back"),
    [
        (frames.ned_to_enu, frames.enu_to_ned),
        (frames.frd_to_flu, frames.flu_to_frd),
    ],
)
def test_vectors_there_and_back(there, back) -> None:
    vector = torch.randn(2, 5, 3, dtype=torch.float64)
    assert torch.equal(back(there(vector)), vector)


def test_local_axes_multiply_on_the_left_and_body_axes_on_the_right() -> None:
    R = rotations.random_rotation((4, 2), seed=1)
    torch.testing.assert_close(frames.attitude_ned_to_enu(R), SWAP @ R, rtol=0, atol=0)
    torch.testing.assert_close(frames.attitude_frd_to_flu(R), R @ ROLL_OVER, rtol=0, atol=0)
    torch.testing.assert_close(frames.attitude_ned_frd_to_enu_flu(R), SWAP @ R @ ROLL_OVER, rtol=0, atol=0)
    assert torch.equal(frames.attitude_enu_to_ned(frames.attitude_ned_to_enu(R)), R)
    assert torch.equal(frames.attitude_flu_to_frd(frames.attitude_frd_to_flu(R)), R)
    assert torch.equal(frames.attitude_enu_flu_to_ned_frd(frames.attitude_ned_frd_to_enu_flu(R)), R)


def test_heading_east_is_the_identity_of_robots() -> None:
    east = rotations.euler_to_matrix(torch.tensor([0.5 * math.pi, 0.0, 0.0], dtype=torch.float64), "ZYX")
    expected = torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(frames.attitude_ned_frd_to_enu_flu(east), expected, rtol=0, atol=1e-15)


def test_pose_carries_points() -> None:
    T = torch.eye(4, dtype=torch.float64).repeat(6, 1, 1)
    T[:, :3, :3] = rotations.random_rotation(6, seed=2)
    T[:, :3, 3] = torch.randn(6, 3, dtype=torch.float64)
    point = torch.randn(6, 3, dtype=torch.float64)
    in_ned = (T[:, :3, :3] @ point.unsqueeze(-1)).squeeze(-1) + T[:, :3, 3]
    other = frames.pose_ned_frd_to_enu_flu(T)
    in_enu = (other[:, :3, :3] @ frames.frd_to_flu(point).unsqueeze(-1)).squeeze(-1) + other[:, :3, 3]
    torch.testing.assert_close(frames.enu_to_ned(in_enu), in_ned, rtol=0, atol=1e-14)
    assert torch.equal(frames.pose_enu_flu_to_ned_frd(other), T)


def test_azimuth_and_elevation_of_known_directions() -> None:
    quarter = 0.5 * math.pi
    azimuth = torch.tensor([0.0, quarter, math.pi, -quarter, 0.0], dtype=torch.float64)
    elevation = torch.tensor([0.0, 0.0, 0.0, 0.0, quarter], dtype=torch.float64)
    expected = torch.tensor([[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0], [0, 0, -1]], dtype=torch.float64)
    direction = frames.azimuth_elevation_to_direction(azimuth, elevation)
    torch.testing.assert_close(direction, expected, rtol=0, atol=1e-15)


def test_azimuth_and_elevation_there_and_back() -> None:
    azimuth = torch.linspace(-3.1, 3.1, 41, dtype=torch.float64)[:, None]
    elevation = torch.linspace(-1.5, 1.5, 31, dtype=torch.float64)
    direction = frames.azimuth_elevation_to_direction(azimuth, elevation)
    back = frames.direction_to_azimuth_elevation(7.0 * direction)
    torch.testing.assert_close(back[0], azimuth.expand(41, 31), rtol=0, atol=1e-14)
    torch.testing.assert_close(back[1], elevation.expand(41, 31), rtol=0, atol=1e-14)


def test_azimuth_is_differentiable_and_finite_at_the_zenith() -> None:
    direction = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
    assert gradcheck(frames.direction_to_azimuth_elevation, (direction,))
    assert gradgradcheck(frames.direction_to_azimuth_elevation, (direction,))
    up = torch.tensor([0.0, 0.0, -2.0], dtype=torch.float64)
    azimuth, elevation = frames.direction_to_azimuth_elevation(up)
    assert float(azimuth) == 0.0
    assert float(elevation) == pytest.approx(0.5 * math.pi, abs=1e-15)
    for rows in torch.func.jacrev(frames.direction_to_azimuth_elevation)(up):
        assert bool(torch.isfinite(rows).all())


def test_gradients_and_transforms_of_attitudes() -> None:
    R = rotations.random_rotation(4, seed=3)
    rows = torch.func.vmap(torch.func.jacrev(frames.attitude_ned_frd_to_enu_flu))(R)
    change = torch.randn(4, 3, 3, dtype=torch.float64)
    torch.testing.assert_close((rows * change[:, None, None]).sum((-1, -2)), SWAP @ change @ ROLL_OVER)


def test_bad_input() -> None:
    with pytest.raises(ShapeError, match=r"\(\*batch, 3\)"):
        frames.ned_to_enu(torch.zeros(4))
    with pytest.raises(RotationError, match="reflection"):
        frames.attitude_ned_to_enu(-torch.eye(3))
    with pytest.raises(RotationError, match="zero vector"):
        frames.direction_to_azimuth_elevation(torch.zeros(3))
    with pytest.raises(ShapeError, match="do not broadcast"):
        frames.azimuth_elevation_to_direction(torch.zeros(2), torch.zeros(3))
