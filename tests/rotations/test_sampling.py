"""Random rotations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diffkin import rotations
from diffkin.errors import DeviceError, DtypeError, OptionError


def test_seed_generator_shape_and_dtype() -> None:
    torch.testing.assert_close(rotations.random_rotation(5), rotations.random_rotation((5,), 0), rtol=0, atol=0)
    generator = torch.Generator().manual_seed(0)
    first, second = rotations.random_rotation(5, generator), rotations.random_rotation(5, generator)
    torch.testing.assert_close(first, rotations.random_rotation(5), rtol=0, atol=0)
    assert not torch.equal(first, second)
    assert rotations.random_rotation().shape == (3, 3)
    assert rotations.random_rotation((2, 0, 4), dtype=torch.float32).shape == (2, 0, 4, 3, 3)
    assert rotations.random_rotation(2, dtype=torch.float32).dtype == torch.float32


def test_distribution_is_uniform() -> None:
    """Haar measure: entries have mean 0 and variance 1/3; the angle has density (1 - cos t) / pi."""
    matrix = rotations.random_rotation(100_000, seed=1)
    assert float(matrix.mean(0).abs().max()) < 0.01
    assert float((matrix.square().mean(0) - 1 / 3).abs().max()) < 0.01
    angle = rotations.angle_between(torch.eye(3, dtype=torch.float64), matrix)
    for bound in (0.5, 1.0, 2.0, 3.0):
        expected = (bound - torch.sin(torch.tensor(bound))) / torch.pi
        assert abs(float((angle < bound).double().mean()) - float(expected)) < 0.006


def test_random_quaternions_are_those_of_the_matrices() -> None:
    quat = rotations.random_quat_xyzw((4, 5), seed=3)
    assert quat.shape == (4, 5, 4)
    torch.testing.assert_close(quat.norm(dim=-1), torch.ones(4, 5).double())
    assert quat[..., 3].min().item() >= 0.0
    matrix = rotations.random_rotation((4, 5), seed=3)
    torch.testing.assert_close(rotations.quat_xyzw_to_matrix(quat), matrix, rtol=0, atol=2e-15)
    assert rotations.random_quat_xyzw(dtype=torch.float32).dtype == torch.float32
    many = rotations.random_quat_xyzw(100_000, seed=1)
    assert float(many[:, :3].mean(0).abs().max()) < 0.01
    assert float((many.square().mean(0) - 0.25).abs().max()) < 0.01  # uniform on the sphere


@pytest.mark.parametrize("draw", [rotations.random_rotation, rotations.random_quat_xyzw])
def test_what_cannot_be_drawn(draw) -> None:
    assert torch.equal(draw(np.int64(3), np.int64(2)), draw((3,), 2))
    assert torch.equal(draw(torch.Size([2]), torch.Generator().manual_seed(2)), draw([2], 2))
    for shape in ("a", None, 2.0, (2, -1), (2, "b"), True, [[2]]):
        with pytest.raises(OptionError, match="axis of shape"):
            draw(shape)
    for seed in (None, "a", 1.5, 2**70, True):
        with pytest.raises(OptionError, match="seed"):
            draw(2, seed)
    for dtype in (torch.int64, torch.complex64, "float32", None):
        with pytest.raises(DtypeError, match="dtype"):
            draw(2, dtype=dtype)
    for device in ("nowhere", None, 1.5):
        with pytest.raises(DeviceError, match="device"):
            draw(2, device=device)
