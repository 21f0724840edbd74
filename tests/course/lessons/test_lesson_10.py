"""Usual wrong answers of lesson 10, each with the hint that it gets."""

from __future__ import annotations

import math

import pytest
import torch

from diffkin.course import find_exercise
from tests.course.answers import solutions, verdict

RIGHT = solutions(10)
HALF_LOG = math.log(2 * math.pi) / 2


def at(f, z):
    return torch.autograd.functional.jacobian(f, z)


def fraction(q, lower, upper):
    return (q - lower) / (upper - lower)


def tips(samples, lengths):
    angles = samples.cumsum(-1)
    return torch.stack(((lengths * angles.cos()).sum(-1), (lengths * angles.sin()).sum(-1)), dim=-1)


def pick(samples, index):
    return samples[torch.arange(len(samples)), index]


def own_angles(samples, targets, lengths):
    found = torch.stack(((lengths * samples.cos()).sum(-1), (lengths * samples.sin()).sum(-1)), dim=-1)
    return pick(samples, (found - targets[:, None]).norm(dim=-1).argmin(1))


def first_target(samples, targets, lengths):
    return pick(samples, (tips(samples, lengths) - targets[0]).norm(dim=-1).argmin(1))


def worst(samples, targets, lengths):
    return pick(samples, (tips(samples, lengths) - targets[:, None]).norm(dim=-1).argmax(1))


def one_index(samples, targets, lengths):
    return samples[:, (tips(samples, lengths) - targets[:, None]).norm(dim=-1).sum(0).argmin()]


def ones(f, z):
    z = z.clone().requires_grad_()
    f(z).sum().backward()
    return z.grad.abs().log().sum()


WRONG = [
    ("10.1", "slope forgotten", lambda x, a, log_b: RIGHT.affine_log_density(x, a, log_b) + log_b),
    ("10.1", "slope with the wrong sign", lambda x, a, log_b: RIGHT.affine_log_density(x, a, log_b) + 2 * log_b),
    ("10.1", "constant forgotten", lambda x, a, log_b: RIGHT.affine_log_density(x, a, log_b) + HALF_LOG),
    ("10.1", "density without log", lambda x, a, log_b: RIGHT.affine_log_density(x, a, log_b).exp()),
    ("10.1", "negative likelihood", lambda x, a, log_b: -RIGHT.affine_log_density(x, a, log_b)),
    ("10.1", "log_b taken for b", lambda x, a, b: -(((x - a) / b) ** 2) / 2 - HALF_LOG - b),
    ("10.1", "detached", lambda x, a, log_b: RIGHT.affine_log_density(x, a.item(), log_b.detach()).detach()),
    ("10.1", "gradient", lambda x, a, log_b: RIGHT.affine_log_density(x, a.detach(), log_b)),
    ("10.1", "shape", lambda x, a, log_b: RIGHT.affine_log_density(x, a, log_b).mean()),
    ("10.2", "root of 2 forgotten", lambda q, lower, upper: torch.erfinv(2 * fraction(q, lower, upper) - 1)),
    ("10.2", "scaled to 0 and 1", lambda q, lower, upper: math.sqrt(2) * torch.erfinv(fraction(q, lower, upper))),
    ("10.2", "logit", lambda q, lower, upper: torch.logit(fraction(q, lower, upper))),
    ("10.2", "artanh", lambda q, lower, upper: torch.atanh(2 * fraction(q, lower, upper) - 1)),
    ("10.2", "scaled only", lambda q, lower, upper: 2 * fraction(q, lower, upper) - 1),
    ("10.2", "sign", lambda q, lower, upper: -RIGHT.to_normal(q, lower, upper)),
    ("10.3", "absolute value forgotten", lambda f, z: torch.linalg.det(at(f, z)).log()),
    ("10.3", "logarithm forgotten", lambda f, z: torch.linalg.det(at(f, z))),
    ("10.3", "logarithm forgotten", lambda f, z: torch.linalg.det(at(f, z)).abs()),
    ("10.3", "diagonal only", lambda f, z: at(f, z).diagonal().abs().log().sum()),
    ("10.3", "of the inverse", lambda f, z: -RIGHT.log_det(f, z)),
    ("10.3", "seed of ones", ones),
    ("10.3", "raised", lambda f, z: torch.autograd.grad(f(z), z)[0]),
    ("10.4", "mean of the answers", lambda samples, targets, lengths: samples.mean(1)),
    ("10.4", "worst instead of best", worst),
    ("10.4", "always the first", lambda samples, targets, lengths: samples[:, 0]),
    ("10.4", "one index for all", one_index),
    ("10.4", "nearest of other target", first_target),
    ("10.4", "angles not added up", own_angles),
    ("10.4", "shape", lambda samples, targets, lengths: RIGHT.best_of(samples, targets, lengths)[0]),
]


@pytest.mark.parametrize(("number", "reason", "answer"), WRONG)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_wrong_answer_gets_its_hint(number: str, reason: str, answer, language: str) -> None:
    found = verdict(number, answer, seed=3, language=language)
    assert not found.right
    assert found.reason == reason, found.text
    assert found.hint and found.hint in found.text


def test_reference_density_is_that_of_torch() -> None:
    exercise = find_exercise("10.1")
    for x, a, log_b in exercise.inputs(6):
        wanted = torch.distributions.Normal(a, log_b.exp()).log_prob(x)
        assert torch.allclose(exercise.reference(x, a, log_b), wanted, atol=1e-12)


def test_some_determinants_are_negative() -> None:
    for seed in range(5):
        signs = [torch.linalg.det(at(f, z)) < 0 for f, z in find_exercise("10.3").inputs(seed)]
        assert any(signs)
