"""TRIAD and Wahba: against SciPy, degenerate data, derivatives, covariances against Monte Carlo."""

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
    assert float((gap * (curvature > 0.01)).max()) < 1e-12


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
    with pytest.raises(AttitudeError, match="parallel"):
        aircraft.triad(X, 2 * X, X, Y)
    with pytest.raises(AttitudeError, match="zero"):
        aircraft.triad(X, Y, 0 * X, Y)
    with pytest.raises(OptionError, match="sigma"):
        aircraft.wahba_covariance(body, torch.zeros(4, dtype=F))


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


def noisy(body: torch.Tensor, sigma: torch.Tensor, count: int, draw: torch.Generator) -> torch.Tensor:
    """Unit vectors turned by small angles: sigma along each of the two directions across them."""
    noise = sigma.unsqueeze(-1) * torch.randn(count, *body.shape, generator=draw, dtype=F)
    moved = body + noise - (noise * body).sum(-1, keepdim=True) * body
    return moved / moved.norm(dim=-1, keepdim=True)


def spread(found: torch.Tensor, R: torch.Tensor) -> torch.Tensor:
    error = rotations.matrix_to_rotvec(R.mT @ found)
    return error.mT @ error / len(error)


@pytest.mark.parametrize("best", [True, False])
def test_wahba_covariance_against_monte_carlo(best: bool) -> None:
    draw = torch.Generator().manual_seed(0)
    R, body, reference, _ = (x[0] for x in observations(1, 4, 0.0, seed=8))
    sigma = torch.tensor([0.001, 0.002, 0.003, 0.004], dtype=F)
    weights = None if best else torch.tensor([1.0, 3.0, 0.5, 2.0], dtype=F)
    predicted = aircraft.wahba_covariance(body, sigma, weights)
    samples = noisy(body, sigma, 40_000, draw)
    measured = spread(aircraft.solve_wahba(samples, reference, 1 / sigma**2 if best else weights), R)
    scale = torch.sqrt(predicted.diagonal()[:, None] * predicted.diagonal())
    assert float(((measured - predicted) / scale).abs().max()) < 0.05


def test_triad_covariance_against_monte_carlo() -> None:
    draw = torch.Generator().manual_seed(1)
    R, body, reference, _ = (x[0] for x in observations(1, 2, 0.0, seed=9))
    sigma = torch.tensor([0.002, 0.005], dtype=F)
    predicted = aircraft.triad_covariance(body[0], body[1], 0.002, 0.005)
    samples = noisy(body, sigma, 40_000, draw)
    measured = spread(aircraft.triad(samples[:, 0], samples[:, 1], reference[0], reference[1]), R)
    scale = torch.sqrt(predicted.diagonal()[:, None] * predicted.diagonal())
    assert float(((measured - predicted) / scale).abs().max()) < 0.05
