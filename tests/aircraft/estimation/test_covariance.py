"""Covariances of attitudes from vectors: against Monte Carlo and the information of the measurements."""

import pytest
import torch
from torch.autograd import gradcheck

from diffkin import aircraft, rotations
from diffkin.errors import AttitudeError, OptionError, ShapeError

F = torch.float64
X, Y, Z = torch.eye(3, dtype=F)


def observations(count: int, vectors: int, noise: float, seed: int = 0) -> tuple[torch.Tensor, ...]:
    draw = torch.Generator().manual_seed(seed)
    R = rotations.random_rotation((count,), draw)
    reference = torch.randn(count, vectors, 3, generator=draw, dtype=F)
    reference = reference / reference.norm(dim=-1, keepdim=True)
    body = reference @ R + noise * torch.randn(count, vectors, 3, generator=draw, dtype=F)
    return R, body, reference, 0.1 + torch.rand(count, vectors, generator=draw, dtype=F)


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


def test_best_weights_give_the_inverse_of_the_information() -> None:
    """``P^-1 = sum (I - b b^T) / sigma^2``, and any other weights give a larger covariance."""
    _, body, _, weights = observations(30, 4, 0.0, seed=2)
    sigma = torch.tensor([0.01, 0.02, 0.005, 0.04], dtype=F)
    found = aircraft.wahba_covariance(body, sigma)
    information = sum(
        (torch.eye(3, dtype=F) - body[:, i, :, None] * body[:, i, None, :]) / sigma[i] ** 2 for i in range(4)
    )
    torch.testing.assert_close(found @ information, torch.eye(3, dtype=F).expand(30, 3, 3), rtol=0, atol=1e-10)
    other = aircraft.wahba_covariance(body, sigma, weights)
    assert float(torch.linalg.eigvalsh(other - found).min()) > -1e-12


def test_orthogonal_pair_by_hand() -> None:
    """Directions x and y: turns about x are seen by y alone, about y by x alone, about z by x, which is met exactly."""
    found = aircraft.triad_covariance(2 * X, 3 * Y, 0.01, torch.tensor([0.02, 0.03], dtype=F))
    expected = torch.diag_embed(torch.tensor([[0.02**2, 0.01**2, 0.01**2], [0.03**2, 0.01**2, 0.01**2]], dtype=F))
    torch.testing.assert_close(found, expected, rtol=1e-14, atol=0)


def test_gradients() -> None:
    _, body, _, weights = observations(2, 3, 0.0, seed=4)
    sigma = torch.tensor([0.1, 0.2, 0.3], dtype=F)
    inputs = tuple(x.clone().requires_grad_() for x in (body, sigma, weights))
    assert gradcheck(aircraft.wahba_covariance, inputs)
    pair = tuple(x.clone().requires_grad_() for x in (body[:, 0], body[:, 1], sigma[0], sigma[1]))
    assert gradcheck(aircraft.triad_covariance, pair)


def test_bad_input() -> None:
    _, body, _, weights = observations(5, 4, 0.1)
    with pytest.raises(OptionError, match="sigma"):
        aircraft.wahba_covariance(body, torch.zeros(4, dtype=F))
    with pytest.raises(OptionError, match="sigma"):
        aircraft.wahba_covariance(body, -weights, weights)
    with pytest.raises(ShapeError, match="same number"):
        aircraft.wahba_covariance(body, torch.ones(3, dtype=F))
    with pytest.raises(AttitudeError, match="parallel"):
        aircraft.wahba_covariance(torch.stack([X, -X]), torch.ones(2, dtype=F))
    with pytest.raises(AttitudeError, match="first_body and second_body are parallel"):
        aircraft.triad_covariance(X, -2 * X, 0.1, 0.1)
    with pytest.raises(AttitudeError, match="zero"):
        aircraft.triad_covariance(X, 0 * X, 0.1, 0.1)
    with pytest.raises(ShapeError, match="do not broadcast"):
        aircraft.triad_covariance(X.expand(2, 3), Y.expand(3, 3), 0.1, 0.1)
