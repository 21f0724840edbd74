"""Vector observations: what shapes and values pass, what counts as determined."""

import numpy as np
import pytest
import torch

from diffkin.aircraft.estimation.observations import (
    check_determined,
    check_observations,
    check_pair,
    exceeds,
    negligible,
    unit_observations,
)
from diffkin.errors import AttitudeError, DtypeError, NonFiniteError, OptionError, ShapeError

F = torch.float64
X, Y, Z = torch.eye(3, dtype=F)


def test_shapes_that_fit_and_that_do_not() -> None:
    vectors = torch.ones(5, 4, 3, dtype=F)
    check_observations(vectors, vectors[0], None)
    check_observations(vectors[:, None], vectors, torch.ones(4, dtype=F))
    for body, reference, weights, words in (
        (X, vectors, None, r"v_body must have shape \(\*batch, n, 3\)"),
        (vectors, vectors[:, :3], None, "same number"),
        (vectors, vectors, torch.ones(5, 3, dtype=F), "same number"),
        (vectors, vectors, torch.ones((), dtype=F), "same number"),
        (vectors, vectors[:2], None, "do not broadcast"),
        (vectors, vectors, torch.ones(2, 4, dtype=F), "do not broadcast: .*weights"),
        (vectors[..., :2], vectors, None, "v_body"),
    ):
        with pytest.raises(ShapeError, match=words):
            check_observations(body, reference, weights)
    with pytest.raises(DtypeError, match="weights"):
        check_observations(vectors, vectors, torch.ones(4, dtype=torch.int64))


def test_vectors_become_unit_vectors_of_one_dtype() -> None:
    draw = torch.Generator().manual_seed(0)
    body, reference = 1e30 * torch.randn(2, 4, 3, generator=draw), torch.randn(4, 3, generator=draw, dtype=F)
    a, b, weights = unit_observations(body, reference, None)
    assert a.dtype == b.dtype == weights.dtype == F
    expected = body.numpy().astype(float) / np.linalg.norm(body.numpy().astype(float), axis=-1, keepdims=True)
    np.testing.assert_allclose(a.numpy(), expected, rtol=0, atol=1e-15)
    torch.testing.assert_close(b.norm(dim=-1), torch.ones(4, dtype=F))
    assert torch.equal(weights, torch.ones(2, 4, dtype=F))


def test_values_are_checked_where_they_count() -> None:
    vectors, weights = torch.stack([X, 0 * Y]), torch.tensor([1.0, 0.0], dtype=F)
    body, _, _ = unit_observations(vectors, vectors, weights)
    assert torch.equal(body[1], torch.zeros(3, dtype=F))
    with pytest.raises(AttitudeError, match="v_body holds a zero vector"):
        unit_observations(vectors, torch.stack([X, Y]), None)
    with pytest.raises(AttitudeError, match="v_reference holds a zero vector"):
        unit_observations(torch.stack([X, Y]), vectors, None)
    with pytest.raises(OptionError, match="negative, got -1"):
        unit_observations(vectors, vectors, -weights)
    with pytest.raises(NonFiniteError, match="weights"):
        unit_observations(vectors, vectors, weights / 0.0)


def test_pairs_are_named() -> None:
    assert list(check_pair(X, Y, "body")) == ["first_body", "second_body"]
    with pytest.raises(AttitudeError, match="second_reference holds a zero vector"):
        check_pair(X, 0 * Y, "reference")
    with pytest.raises(NonFiniteError, match="first_body"):
        check_pair(X / 0.0, Y, "body")
    with pytest.raises(ShapeError, match="second_body"):
        check_pair(X, torch.ones(2, dtype=F), "body")


def test_smallest_eigenvalue_against_numpy() -> None:
    rng = np.random.default_rng(0)
    half = rng.normal(size=(2000, 3, 3))
    matrices = half + half.swapaxes(-1, -2) + 3 * np.eye(3)
    least = np.linalg.eigvalsh(matrices)[:, 0]
    for bound in (-0.5, 0.0, 0.3):
        assert 0.1 < (least > bound).mean() < 0.9
        np.testing.assert_array_equal(exceeds(torch.tensor(matrices), bound).numpy(), least > bound)


@pytest.mark.parametrize("dtype", [torch.float32, F])
def test_rounding_alone_stays_below_what_counts(dtype: torch.dtype) -> None:
    """The sine between copies of a direction, normalised at many lengths, is rounding: it must not count."""
    draw = torch.Generator().manual_seed(1)
    vector = torch.randn(10_000, 3, generator=draw, dtype=dtype)
    other = vector * (1.0 + torch.rand(10_000, 1, generator=draw, dtype=dtype))
    a, b, _ = unit_observations(vector, other, None)
    assert float(torch.linalg.cross(a, b).norm(dim=-1).max()) < negligible(dtype)
    assert negligible(dtype) < 1e-4 if dtype == torch.float32 else negligible(dtype) < 1e-13


def test_the_message_counts_the_undetermined() -> None:
    good = torch.tensor([True, False, True, False])
    check_determined(good, good | True, "never")
    with pytest.raises(AttitudeError, match="in 2 of 4 problems: they lie"):
        check_determined(good, good, "they lie")
    torch.func.vmap(lambda g: (check_determined(g, g, "unseen"), g)[1])(good)  # no values there, so no error
