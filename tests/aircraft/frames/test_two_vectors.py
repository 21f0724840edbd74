"""Two directions: SciPy's attitude, right-handed axes, what counts as parallel."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch.autograd import gradcheck, gradgradcheck

from diffkin.aircraft.frames.two_vectors import attitude_from_two, axes_of_two, check_not_parallel, sine_between
from diffkin.errors import AttitudeError, ShapeError

F = torch.float64
X, Y, Z = torch.eye(3, dtype=F)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, 3, generator=torch.Generator().manual_seed(seed), dtype=F)


def pairs(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
    return attitude_from_two({"a": a, "b": b}, {"c": c, "d": d}, parallel=1e-9, advice="Turn one.")


def test_against_scipy() -> None:
    """An infinite weight makes SciPy's ``align_vectors`` meet the first vector exactly."""
    a, b, c, d = (draw(20, seed=seed) for seed in range(4))
    found = pairs(a, b, c, d)
    for i in range(20):
        body, reference = torch.stack((a[i], b[i])).numpy(), torch.stack((c[i], d[i])).numpy()
        expected, _ = Rotation.align_vectors(reference, body, weights=[math.inf, 1.0])
        np.testing.assert_allclose(found[i].numpy(), expected.as_matrix(), rtol=0, atol=1e-12)


def test_axes_are_right_handed_and_the_sine_is_that_of_the_angle() -> None:
    angles = torch.tensor([1e-12, 1e-6, 0.3, 1.5, 3.0], dtype=F)
    second = torch.stack((angles.cos(), angles.sin(), 0 * angles), -1)
    axes, sine = axes_of_two(7.0 * X, 1e-3 * second)
    torch.testing.assert_close(sine, angles.sin(), rtol=1e-12, atol=0)
    expected = torch.stack((X, Z, -Y), -1)
    torch.testing.assert_close(axes, expected.expand(5, 3, 3), rtol=0, atol=1e-15)
    torch.testing.assert_close(sine_between(X, second), angles.sin(), rtol=1e-12, atol=0)
    first, other = draw(100, seed=4), draw(100, seed=5)
    axes, sine = axes_of_two(first, other)
    torch.testing.assert_close(axes.mT @ axes, torch.eye(3, dtype=F).expand(100, 3, 3), rtol=0, atol=5e-15)
    assert bool((torch.linalg.det(axes) > 0).all())
    cosine = torch.nn.functional.cosine_similarity(first, other, dim=-1)
    torch.testing.assert_close(sine.square() + cosine.square(), torch.ones(100, dtype=F))


def test_parallel_directions_have_no_axes_across_them() -> None:
    axes, sine = axes_of_two(2.0 * X, -3.0 * X)
    assert float(sine) == 0.0
    assert torch.equal(axes, torch.stack((X, 0 * X, 0 * X), -1))


def test_the_caller_says_what_counts_as_parallel() -> None:
    names, sine = {"here": X, "there": Y}, torch.tensor([1e-3, 0.5], dtype=F)
    check_not_parallel(names, sine, 1e-4, "")
    for parallel in (1e-3, 1e-2):  # up to and including
        with pytest.raises(AttitudeError, match="here and there are parallel, .* Turn one"):
            check_not_parallel(names, sine, parallel, "Turn one.")
    with pytest.raises(AttitudeError, match="c and d are parallel"):
        pairs(X, Y, Z, -Z)
    with pytest.raises(AttitudeError, match="a and b are parallel"):
        pairs(X, X, Z, Y)
    torch.func.vmap(lambda s: (check_not_parallel(names, s, 1.0, ""), s)[1])(sine)  # no values there, so no error


def test_derivatives_and_broadcasting() -> None:
    inputs = tuple(draw(2, seed=seed).requires_grad_() for seed in range(4))
    assert gradcheck(pairs, inputs)
    assert gradgradcheck(pairs, inputs, fast_mode=True)
    assert pairs(draw(4, 1), Y, draw(5, seed=2), Z).shape == (4, 5, 3, 3)
    with pytest.raises(ShapeError, match=r"do not broadcast: a \(4,\), b \(\), c \(5,\), d \(\)"):
        pairs(draw(4), Y, draw(5), Z)
