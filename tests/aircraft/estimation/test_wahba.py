"""Wahba's problem: against SciPy, degenerate data, derivatives."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch.autograd import gradcheck, gradgradcheck

from diffkin import aircraft, rotations
from diffkin.errors import AttitudeError, NonFiniteError, OptionError, ShapeError, UnknownNameError

F = torch.float64
METHODS = aircraft.WAHBA_METHODS


def observations(count: int, vectors: int, noise: float, seed: int = 0) -> tuple[torch.Tensor, ...]:
    draw = torch.Generator().manual_seed(seed)
    R = rotations.random_rotation((count,), draw)
    reference = torch.randn(count, vectors, 3, generator=draw, dtype=F)
    reference = reference / reference.norm(dim=-1, keepdim=True)
    body = reference @ R + noise * torch.randn(count, vectors, 3, generator=draw, dtype=F)
    return R, body, reference, 0.1 + torch.rand(count, vectors, generator=draw, dtype=F)


def scipy_answer(body: torch.Tensor, reference: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    unit = (body / body.norm(dim=-1, keepdim=True)).numpy()
    rows = [
        Rotation.align_vectors(reference[i].numpy(), unit[i], weights[i].numpy())[0].as_matrix()
        for i in range(len(unit))
    ]
    return torch.tensor(np.stack(rows))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("vectors", [2, 3, 9])
def test_wahba_is_scipys_answer(method: str, vectors: int) -> None:
    _, body, reference, weights = observations(300, vectors, 0.1)
    found = aircraft.solve_wahba(body, reference, weights, method=method)
    # two nearly parallel vectors amplify rounding in both by the inverse of the smallest curvature
    curvature = (
        torch.linalg.svdvals((reference * weights.unsqueeze(-1)).mT @ body)[:, 1:2, None]
        / weights.sum(-1)[:, None, None]
    )
    gap = (found - scipy_answer(body, reference, weights)).abs()
    assert float((gap * curvature.clamp(max=0.1)).max()) < 1e-13
    well = curvature > 0.01
    assert int(well.sum()) > 100
    assert float((gap * well).max()) < 1e-12


@pytest.mark.parametrize("method", METHODS)
def test_half_turns_and_the_identity(method: str) -> None:
    """Attitudes at which quaternion formulas are 0 / 0."""
    _, body, reference, weights = observations(4, 3, 0.0)
    for R in (np.diag([1.0, -1, -1]), np.diag([-1.0, 1, -1]), np.diag([-1.0, -1, 1]), np.eye(3), -np.eye(3)[::-1]):
        R = torch.tensor(R * np.linalg.det(R))
        found = aircraft.solve_wahba(reference @ R, reference, weights, method=method)
        torch.testing.assert_close(found, R.expand(4, 3, 3), rtol=0, atol=1e-13)


def test_nearly_degenerate_data_agrees_between_methods() -> None:
    """Two directions 1e-3 apart: badly conditioned, but determined."""
    R, _, reference, _ = observations(50, 2, 0.0, seed=3)
    reference[:, 1] = reference[:, 0] + 1e-3 * reference[:, 1]
    for method in METHODS:
        found = aircraft.solve_wahba(reference @ R, reference, method=method)
        torch.testing.assert_close(found, R, rtol=0, atol=1e-8)


def test_float32_and_broadcasting() -> None:
    R, body, reference, weights = observations(6, 4, 0.0)
    found = aircraft.solve_wahba(body.float(), reference.float(), weights.float())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), R, rtol=0, atol=2e-5)
    many = aircraft.solve_wahba(body[:, None], reference[:, None], torch.stack([weights[0], weights[1]]))
    assert many.shape == (6, 2, 3, 3)
    torch.testing.assert_close(many, R[:, None].expand(6, 2, 3, 3), rtol=0, atol=1e-12)
    one = aircraft.solve_wahba(body[3], reference[3])
    torch.testing.assert_close(one, R[3], rtol=0, atol=1e-14)


@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("method", METHODS)
def test_derivatives_exist_for_noise_free_data_too(noise: float, method: str) -> None:
    _, body, reference, weights = observations(2, 3, noise, seed=1)
    inputs = (body.requires_grad_(), reference.requires_grad_(), weights.requires_grad_())

    def solve(*args: torch.Tensor) -> torch.Tensor:
        return aircraft.solve_wahba(*args, method=method)

    assert gradcheck(solve, inputs)
    assert gradgradcheck(solve, inputs, fast_mode=True)
    rows = torch.func.vmap(torch.func.jacrev(solve))(*inputs)
    columns = torch.func.vmap(torch.func.jacfwd(solve))(*inputs)
    torch.testing.assert_close(rows, columns, rtol=0, atol=1e-10)
    (whole,) = torch.autograd.grad(solve(*inputs)[..., 0, 1].sum(), inputs[0])
    torch.testing.assert_close(rows[:, 0, 1], whole, rtol=0, atol=1e-10)


def test_derivative_is_the_closed_form_at_equal_singular_values() -> None:
    """Three orthogonal directions: B is a multiple of R, the derivative of an SVD does not exist, Wahba's does."""
    R = rotations.random_rotation((), 2)
    reference = torch.eye(3, dtype=F)
    body = (reference @ R).requires_grad_()
    found = aircraft.solve_wahba(body, reference)
    change = torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=F)
    moved = torch.func.jvp(lambda b: aircraft.solve_wahba(b, reference), (body.detach(),), (change,))[1]
    across = change - (change * body.detach()).sum(-1, keepdim=True) * body.detach()
    M = R.T @ (reference.T @ body.detach()) / 3
    dM = R.T @ (reference.T @ across) / 3
    turn = torch.linalg.solve(torch.trace(M) * torch.eye(3, dtype=F) - M, 2 * rotations.vee(dM))
    torch.testing.assert_close(found.detach(), R, rtol=0, atol=1e-14)
    torch.testing.assert_close(moved, R @ rotations.hat(turn), rtol=0, atol=1e-13)


X, Y, Z = torch.eye(3, dtype=F)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("body", "reference", "weights"),
    [
        (torch.stack([X]), torch.stack([Y]), None),
        (torch.stack([X, X]), torch.stack([Y, Y]), None),
        (torch.stack([X, -2 * X]), torch.stack([Y, -Y]), None),
        (torch.stack([X, Y]), torch.stack([Z, Z]), None),
        (torch.stack([X, Y]), torch.stack([X, Y]), torch.tensor([1.0, 0.0], dtype=F)),
        (torch.stack([X, Y]), torch.stack([X, Y]), torch.zeros(2, dtype=F)),
        (torch.stack([X, 0 * Y]), torch.stack([X, Y]), None),
        (torch.stack([X, Y, Z]), -torch.stack([X, Y, Z]), None),  # a reflection: many attitudes fit equally
    ],
)
def test_undetermined_attitudes_raise(method: str, body, reference, weights) -> None:
    with pytest.raises(AttitudeError):
        aircraft.solve_wahba(body, reference, weights, method=method)
    good = torch.eye(3, dtype=F)[: len(body)]
    if len(body) > 1 and weights is None:  # one bad problem among good ones is found as well
        with pytest.raises(AttitudeError, match="1 of 2|zero vector"):
            aircraft.solve_wahba(torch.stack([good, body]), torch.stack([good, reference]), method=method)


def test_vectors_of_weight_zero_do_not_count() -> None:
    R, body, reference, weights = observations(5, 4, 0.1)
    weights[:, 3] = 0.0
    body[:, 3] = 0.0
    found = aircraft.solve_wahba(body, reference, weights)
    torch.testing.assert_close(found, aircraft.solve_wahba(body[:, :3], reference[:, :3], weights[:, :3]))


def test_bad_input() -> None:
    _, body, reference, weights = observations(5, 4, 0.1)
    with pytest.raises(UnknownNameError, match="quest"):
        aircraft.solve_wahba(body, reference, method="questt")
    with pytest.raises(ShapeError, match="same number"):
        aircraft.solve_wahba(body, reference[:, :3])
    with pytest.raises(ShapeError, match="broadcast"):
        aircraft.solve_wahba(body, reference[:3])
    with pytest.raises(ShapeError, match="v_body"):
        aircraft.solve_wahba(X, reference)
    with pytest.raises(OptionError, match="negative"):
        aircraft.solve_wahba(body, reference, -weights)
    with pytest.raises(NonFiniteError, match="v_body"):
        aircraft.solve_wahba(body * math.nan, reference)


def test_kernel_and_torch_agree() -> None:
    """The kernel answers plain tensors, torch those inside a transform; both to rounding."""
    _, body, reference, weights = observations(50, 4, 0.2, seed=6)
    found = aircraft.solve_wahba(body, reference, weights)
    torch.testing.assert_close(torch.func.vmap(aircraft.solve_wahba)(body, reference, weights), found)
    single = aircraft.solve_wahba(body.float(), reference, weights)
    assert single.dtype == F
    torch.testing.assert_close(single, found, rtol=0, atol=1e-5)


def test_lengths_of_vectors_do_not_matter() -> None:
    """From 1e-300, whose square vanishes, to 1e300, whose square overflows."""
    R, body, reference, weights = observations(6, 3, 0.0, seed=5)
    for size in (1e-300, 1e-20, 1e20, 1e300):
        found = aircraft.solve_wahba(size * body, reference / size, weights)
        torch.testing.assert_close(found, R, rtol=0, atol=1e-12)


def test_empty_batch() -> None:
    found = aircraft.solve_wahba(torch.empty(0, 3, 3, dtype=F), torch.eye(3, dtype=F))
    assert found.shape == (0, 3, 3)
