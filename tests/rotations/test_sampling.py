"""Random rotations."""

from __future__ import annotations

import torch

from diffkin import rotations


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
