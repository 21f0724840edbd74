"""Truncated mixtures against SciPy's truncated normal distributions."""

import numpy as np
import pytest
import torch
from scipy import stats

from diffkin.learning.inverse.mixture import truncated_mixture_log_density, truncated_mixture_sample

LOWER, UPPER = -1.0, 0.6


def mixture(seed: int, batch: int = 5, components: int = 4):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(batch, components, generator=generator, dtype=torch.float64)
    mean = 1.5 * torch.randn(batch, components, generator=generator, dtype=torch.float64)  # some outside the limits
    scale = torch.rand(batch, components, generator=generator, dtype=torch.float64) + 0.05
    return logits, mean, scale


def limits(batch: int = 5):
    return torch.full((batch,), LOWER, dtype=torch.float64), torch.full((batch,), UPPER, dtype=torch.float64)


def scipy_parts(logits, mean, scale):
    """Weights of the components once cut, and the cut components."""
    a, b = (LOWER - mean) / scale, (UPPER - mean) / scale
    mass = stats.norm.cdf(b) - stats.norm.cdf(a)
    weights = torch.softmax(logits, -1).numpy() * mass
    return weights / weights.sum(-1, keepdims=True), stats.truncnorm(a, b, mean, scale)


def test_density_is_scipys():
    parameters = mixture(0)
    x = torch.linspace(LOWER, UPPER, 41, dtype=torch.float64)
    ours = torch.stack([truncated_mixture_log_density(each.expand(5), *parameters, *limits()) for each in x]).exp()
    weights, cut = scipy_parts(parameters[0], parameters[1].numpy(), parameters[2].numpy())
    theirs = np.stack([(weights * cut.pdf(float(each))).sum(-1) for each in x])
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-6)


def test_samples_follow_scipys_distribution():
    parameters = mixture(1, batch=1)
    count = 20000
    many = [value.expand(count, -1) for value in parameters]
    drawn = truncated_mixture_sample(*many, *limits(count), torch.Generator().manual_seed(2)).numpy()
    weights, cut = scipy_parts(parameters[0], parameters[1].numpy(), parameters[2].numpy())

    def distribution(x):
        return (weights[0] * cut.cdf(np.asarray(x)[:, None])).sum(-1)

    assert stats.kstest(drawn, distribution).pvalue > 0.01
    assert drawn.min() >= LOWER and drawn.max() <= UPPER


def test_gradients():
    logits, mean, scale = (value.requires_grad_() for value in mixture(3))
    x = torch.linspace(-0.9, 0.5, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda *inputs: truncated_mixture_log_density(*inputs, *limits()), (x, logits, mean, scale)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_components_far_outside_stay_finite(dtype):
    mean = torch.tensor([[40.0, 0.0]], dtype=dtype, requires_grad=True)
    logits, scale = torch.tensor([[30.0, 0.0]], dtype=dtype), torch.tensor([[1e-3, 0.1]], dtype=dtype)
    lower, upper = (side[:1].to(dtype) for side in limits())
    density = truncated_mixture_log_density(torch.zeros(1, dtype=dtype), logits, mean, scale, lower, upper)
    density.sum().backward()
    assert torch.isfinite(density).all() and torch.isfinite(mean.grad).all()
    drawn = truncated_mixture_sample(logits, mean.detach(), scale, lower, upper, torch.Generator().manual_seed(0))
    assert LOWER <= float(drawn) <= UPPER
