"""The closest of equivalent coordinates, and continuity along time."""

from __future__ import annotations

from math import pi

import pytest
import torch
from torch import Tensor
from torch.func import jacrev, vmap

from diffkin import rotations
from diffkin.errors import ShapeError, UnknownNameError
from diffkin.rotations import EULER_SEQUENCES


def motion(steps: int = 400, seed: int = 0) -> Tensor:
    """Attitudes (time, 3, 3) of a fast tumbling body."""
    generator = torch.Generator().manual_seed(seed)
    rate = torch.randn(3, generator=generator, dtype=torch.float64)
    attitude = [rotations.random_rotation((), generator)]
    for _ in range(steps - 1):
        rate = rate + 0.2 * torch.randn(3, generator=generator, dtype=torch.float64)
        attitude.append(attitude[-1] @ rotations.rotvec_to_matrix(0.05 * rate))
    return torch.stack(attitude)


def test_quat_unwrap() -> None:
    matrix = motion(600)
    quat = rotations.matrix_to_quat_xyzw(matrix)
    assert float((quat[1:] - quat[:-1]).norm(dim=-1).max()) > 1.0
    smooth = rotations.quat_xyzw_unwrap(quat)
    assert float((smooth[1:] - smooth[:-1]).norm(dim=-1).max()) < 0.3
    torch.testing.assert_close(smooth[0], quat[0])
    torch.testing.assert_close(rotations.quat_xyzw_to_matrix(smooth), matrix, rtol=0, atol=1e-14)
    back = rotations.quat_xyzw_unwrap(torch.stack([quat, -quat]))
    torch.testing.assert_close(back, torch.stack([smooth, -smooth]))


def test_rotvec_unwrap_follows_several_turns() -> None:
    axis = torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64) / 3.0
    angle = torch.linspace(-9.0, 20.0, 291, dtype=torch.float64)[:, None]
    wrapped = rotations.matrix_to_rotvec(rotations.rotvec_to_matrix(angle * axis))
    smooth = rotations.rotvec_unwrap(wrapped)
    offset = smooth[0] - angle[0] * axis
    torch.testing.assert_close(smooth - offset, angle * axis, rtol=0, atol=1e-12)
    torch.testing.assert_close(
        rotations.rotvec_to_matrix(smooth), rotations.rotvec_to_matrix(angle * axis), rtol=0, atol=1e-13
    )
    coning = torch.cat([angle * axis, angle * axis + 0.1], 0)
    assert rotations.rotvec_unwrap(coning.reshape(2, 291, 3)).shape == (2, 291, 3)


@pytest.mark.parametrize("sequence", EULER_SEQUENCES)
def test_euler_unwrap(sequence: str) -> None:
    """A motion straight through the pole is followed beyond the principal range; the rotation stays the same."""
    time = torch.linspace(0.0, 9.0, 500, dtype=torch.float64)
    path = torch.stack([0.3 * time, 1.1 * time + 0.1, -0.8 * time + 1.0], -1)
    matrix = rotations.euler_to_matrix(path, sequence)
    wrapped = rotations.matrix_to_euler(matrix, sequence)
    assert float((wrapped[1:] - wrapped[:-1]).abs().max()) > 1.0
    smooth = rotations.euler_unwrap(wrapped, sequence)
    torch.testing.assert_close(smooth, path + (smooth[0] - path[0]), rtol=0, atol=1e-9)
    torch.testing.assert_close(rotations.euler_to_matrix(smooth, sequence), matrix, rtol=0, atol=1e-12)


def test_quat_closest_to() -> None:
    quat = rotations.matrix_to_quat_xyzw(rotations.random_rotation(50))
    reference = -quat + 0.01
    torch.testing.assert_close(rotations.quat_xyzw_closest_to(quat, reference), -quat)


@pytest.mark.parametrize("turns", [-3, -1, 0, 1, 2])
def test_rotvec_closest_to(turns: int) -> None:
    """Against brute force over whole turns."""
    generator = torch.Generator().manual_seed(turns + 10)
    rotvec = rotations.matrix_to_rotvec(rotations.random_rotation(50, generator))
    axis = rotvec / rotvec.norm(dim=-1, keepdim=True)
    reference = rotvec + 2 * pi * turns * axis + torch.randn(50, 3, generator=generator, dtype=torch.float64)
    found = rotations.rotvec_closest_to(rotvec, reference)
    every = torch.stack([rotvec + 2 * pi * k * axis for k in range(-6, 7)])
    best = (every - reference).norm(dim=-1).min(0).values
    torch.testing.assert_close((found - reference).norm(dim=-1), best, rtol=1e-12, atol=0)
    torch.testing.assert_close(
        rotations.rotvec_to_matrix(found), rotations.rotvec_to_matrix(rotvec), rtol=0, atol=1e-13
    )


def test_rotvec_closest_to_at_zero() -> None:
    zero = torch.zeros(3, dtype=torch.float64)
    reference = torch.tensor([0.0, 6.0, 0.0], dtype=torch.float64)
    found = rotations.rotvec_closest_to(zero, reference)
    torch.testing.assert_close(found, torch.tensor([0.0, 2 * pi, 0.0], dtype=torch.float64))
    torch.testing.assert_close(rotations.rotvec_closest_to(zero, zero), zero)
    assert bool(jacrev(rotations.rotvec_closest_to)(zero, reference).isfinite().all())
    torch.testing.assert_close(jacrev(rotations.rotvec_closest_to)(zero, zero), torch.eye(3, dtype=torch.float64))


@pytest.mark.parametrize("sequence", EULER_SEQUENCES)
def test_euler_closest_to(sequence: str) -> None:
    generator = torch.Generator().manual_seed(0)
    reference = 20.0 * torch.rand(100, 3, generator=generator, dtype=torch.float64) - 10.0
    principal = rotations.matrix_to_euler(rotations.euler_to_matrix(reference, sequence), sequence)
    found = rotations.euler_closest_to(principal, reference, sequence)
    torch.testing.assert_close(found, reference, rtol=0, atol=1e-10)


def test_functorch_and_short_sequences() -> None:
    quat = rotations.matrix_to_quat_xyzw(motion(50)).reshape(5, 10, 4)
    torch.testing.assert_close(vmap(rotations.quat_xyzw_unwrap)(quat), rotations.quat_xyzw_unwrap(quat))
    for function in (rotations.quat_xyzw_unwrap, lambda q: rotations.rotvec_unwrap(q[..., :3])):
        assert function(quat[:, :1]).shape[-2] == 1
        assert function(quat[:, :0]).shape[-2] == 0
        assert bool(jacrev(function)(quat[0]).isfinite().all())
    assert rotations.euler_unwrap(quat[:, :0, :3], "ZYX").shape == (5, 0, 3)


def test_bad_input() -> None:
    with pytest.raises(ShapeError, match="no time axis"):
        rotations.quat_xyzw_unwrap(torch.ones(4))
    with pytest.raises(ShapeError):
        rotations.rotvec_unwrap(torch.ones(5, 4))
    with pytest.raises(UnknownNameError):
        rotations.euler_unwrap(torch.ones(5, 3), "ZYXY")
    with pytest.raises(UnknownNameError):
        rotations.euler_closest_to(torch.ones(5, 3), torch.ones(3), "zz")


@pytest.mark.parametrize("sequence", ["ZYX", "ZXZ", "xyz"])
def test_whole_turns_in_degrees(sequence: str) -> None:
    generator = torch.Generator().manual_seed(0)
    angles, reference = 400.0 * torch.randn(2, 50, 3, generator=generator, dtype=torch.float64)
    near = rotations.euler_closest_to(angles, reference, sequence, degrees=True)
    radians = rotations.euler_closest_to(torch.deg2rad(angles), torch.deg2rad(reference), sequence)
    torch.testing.assert_close(near, torch.rad2deg(radians), rtol=0, atol=1e-10)
    track = rotations.euler_unwrap(angles, sequence, degrees=True)
    assert torch.equal(track[0], angles[0])
    torch.testing.assert_close(
        track, torch.rad2deg(rotations.euler_unwrap(torch.deg2rad(angles), sequence)), rtol=0, atol=1e-9
    )
