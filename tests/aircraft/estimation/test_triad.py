"""TRIAD: what is met exactly, SciPy's answer, the nearly parallel, derivatives."""

import math

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch.autograd import gradcheck, gradgradcheck

from diffkin import aircraft, rotations
from diffkin.errors import AttitudeError, NonFiniteError, ShapeError

F = torch.float64
X, Y, Z = torch.eye(3, dtype=F)


def observations(count: int, vectors: int, noise: float, seed: int = 0) -> tuple[torch.Tensor, ...]:
    draw = torch.Generator().manual_seed(seed)
    R = rotations.random_rotation((count,), draw)
    reference = torch.randn(count, vectors, 3, generator=draw, dtype=F)
    reference = reference / reference.norm(dim=-1, keepdim=True)
    body = reference @ R + noise * torch.randn(count, vectors, 3, generator=draw, dtype=F)
    return R, body, reference, 0.1 + torch.rand(count, vectors, generator=draw, dtype=F)


def test_triad_meets_the_first_exactly_and_both_without_noise() -> None:
    R, body, reference, _ = observations(50, 2, 0.0)
    pairs = body[:, 0], body[:, 1], reference[:, 0], reference[:, 1]
    torch.testing.assert_close(aircraft.triad(*pairs), R, rtol=0, atol=1e-12)
    _, body, reference, _ = observations(50, 2, 0.2)
    found = aircraft.triad(body[:, 0], body[:, 1], reference[:, 0], reference[:, 1])
    first = (found @ body[:, 0, :, None]).squeeze(-1)
    torch.testing.assert_close(first / first.norm(dim=-1, keepdim=True), reference[:, 0], rtol=0, atol=1e-13)
    plane = torch.linalg.cross(reference[:, 0], reference[:, 1])
    second = (found @ body[:, 1, :, None]).squeeze(-1)
    assert float((second * plane).sum(-1).abs().max()) < 1e-13
    few = tuple(v[:2].clone().requires_grad_() for v in (body[:, 0], body[:, 1], reference[:, 0], reference[:, 1]))
    assert gradcheck(aircraft.triad, few)


def test_two_vectors_against_scipy() -> None:
    """An infinite weight makes SciPy's ``align_vectors`` meet the first vector exactly."""
    _, body, reference, _ = observations(20, 2, 0.3, seed=4)
    found = aircraft.triad(body[:, 0], body[:, 1], reference[:, 0], reference[:, 1])
    for i in range(20):
        expected, _ = Rotation.align_vectors(reference[i].numpy(), body[i].numpy(), weights=[math.inf, 1.0])
        torch.testing.assert_close(found[i], torch.from_numpy(expected.as_matrix()), rtol=0, atol=1e-12)


def test_measured_directions_may_be_nearly_parallel_where_commands_may_not() -> None:
    """1e-7 rad apart: ``triad`` answers, with the digits that are left; ``align_vectors`` refuses."""
    R, body, reference, _ = observations(1, 2, 0.0, seed=2)
    near = reference[:, 0] + 1e-7 * reference[:, 1]
    pairs = body[:, 0], (R.mT @ near.unsqueeze(-1)).squeeze(-1), reference[:, 0], near
    torch.testing.assert_close(aircraft.triad(*pairs), R, rtol=0, atol=1e-7)
    with pytest.raises(AttitudeError, match="parallel"):
        aircraft.align_vectors(*pairs)


def test_batches_dtypes_and_lengths() -> None:
    R, body, reference, _ = observations(4, 2, 0.0)
    pairs = body[:, 0], body[:, 1], reference[:, 0], reference[:, 1]
    one = aircraft.triad(1e-200 * pairs[0], 1e200 * pairs[1], pairs[2], pairs[3])
    torch.testing.assert_close(one, R, rtol=0, atol=1e-12)
    small = aircraft.triad(*(vector.float() for vector in pairs))
    assert small.dtype == torch.float32
    torch.testing.assert_close(small.double(), R, rtol=0, atol=1e-5)
    assert aircraft.triad(body[:, None, 0], body[:, None, 1], reference[:, 0], reference[:, 1]).shape == (4, 4, 3, 3)


def test_second_derivatives_and_transforms() -> None:
    _, body, reference, _ = observations(2, 2, 0.1, seed=3)
    pairs = tuple(v.clone().requires_grad_() for v in (body[:, 0], body[:, 1], reference[:, 0], reference[:, 1]))
    assert gradgradcheck(aircraft.triad, pairs, fast_mode=True)
    fixed = tuple(v.detach() for v in pairs)
    rows = torch.func.vmap(torch.func.jacrev(aircraft.triad))(*fixed)
    columns = torch.func.vmap(torch.func.jacfwd(aircraft.triad))(*fixed)
    torch.testing.assert_close(rows, columns, rtol=0, atol=1e-12)


def test_bad_input() -> None:
    with pytest.raises(AttitudeError, match="first_body and second_body are parallel"):
        aircraft.triad(X, 2 * X, X, Y)
    with pytest.raises(AttitudeError, match="first_reference and second_reference are parallel"):
        aircraft.triad(X, Y, Z, -Z)
    with pytest.raises(AttitudeError, match="first_reference holds a zero vector"):
        aircraft.triad(X, Y, 0 * X, Y)
    with pytest.raises(NonFiniteError, match="second_body"):
        aircraft.triad(X, Y / 0.0, X, Y)
    with pytest.raises(ShapeError, match="second_reference"):
        aircraft.triad(X, Y, X, torch.ones(4, dtype=F))
    with pytest.raises(ShapeError, match="do not broadcast"):
        aircraft.triad(X.expand(2, 3), Y, X.expand(3, 3), Y)
