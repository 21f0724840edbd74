"""Usual wrong answers of lesson 1, each with the hint that it gets."""

from __future__ import annotations

import pytest
import torch

from tests.course.answers import solutions, verdict

RIGHT = solutions(1)


def leaf(x):
    return x.detach().clone().requires_grad_()


def same_leaf(f, x):
    f(x.requires_grad_()).backward()
    return x.grad


def no_leaf(f, x):
    y = leaf(x) * 1
    f(y).backward()
    return y.grad if y.is_leaf else None


def twice(f, x):
    x = leaf(x)
    for _ in range(2):
        f(x).backward()
    return x.grad


def accumulated(f, x):
    x = leaf(x)
    y, rows = f(x), []
    for seed in torch.eye(len(y)):
        y.backward(seed, retain_graph=True)
        rows.append(x.grad.clone())
    return torch.stack(rows)


def same_object(f, x):
    x = leaf(x)
    y, rows = f(x), []
    for seed in torch.eye(len(y)):
        if x.grad is not None:
            x.grad.zero_()
        y.backward(seed, retain_graph=True)
        rows.append(x.grad)
    return torch.stack(rows)


def freed(f, x):
    x = leaf(x)
    y = f(x)
    return torch.stack([torch.autograd.grad(y, x, seed)[0] for seed in torch.eye(len(y))])


def ones(f, x):
    x = leaf(x)
    f(x).sum().backward()
    return x.grad


def two_outputs_only(f, x):
    return RIGHT.jacobian_by_seeds(f, x)[:2]


def no_seed(f, x):
    x = leaf(x)
    f(x).backward()
    return x.grad


def direction_as_seed(f, x, u):
    x = leaf(x)
    f(x).backward(u)
    return x.grad


def first(f, x):
    x = leaf(x)
    return torch.autograd.grad(f(x), x)[0]


def without_graph(f, x):
    x = leaf(x)
    (slope,) = torch.autograd.grad(f(x), x)
    return torch.autograd.grad(slope, x)[0]


def both(f, x):
    x = leaf(x)
    f(x).backward(create_graph=True)
    x.grad.backward()
    return x.grad.detach()


WRONG = [
    ("1.1", "accumulated", same_leaf),
    ("1.1", "nothing", no_leaf),
    ("1.1", "backward twice", twice),
    ("1.1", "value instead", lambda f, x: f(x)),
    ("1.1", "constant", lambda f, x: torch.tensor([8.0])),
    ("1.1", "sign", lambda f, x: -RIGHT.gradient(f, x)),
    ("1.1", "dtype", lambda f, x: RIGHT.gradient(f, x).float()),
    ("1.2", "accumulated rows", accumulated),
    ("1.2", "same grad object", same_object),
    ("1.2", "raised", freed),
    ("1.2", "seed of ones", ones),
    ("1.2", "raised", no_seed),
    ("1.2", "transposed", lambda f, x: RIGHT.jacobian_by_seeds(f, x).T),
    ("1.2", "constant", lambda f, x: torch.tensor([[4.0, 3.0], [2.0, 6.0]])),
    ("1.2", "shape", lambda f, x: RIGHT.jacobian_by_seeds(f, x)[None]),
    ("1.3", "swapped weights", lambda f, x, a, b: RIGHT.combination_of_rows(f, x, b, a)),
    ("1.3", "seed of ones", lambda f, x, a, b: RIGHT.combination_of_rows(f, x, 1.0, 1.0)),
    ("1.3", "one weight lost", lambda f, x, a, b: RIGHT.combination_of_rows(f, x, a, 0.0)),
    ("1.3", "sample only", lambda f, x, a, b: RIGHT.combination_of_rows(f, x, 2.0, -1.0)),
    ("1.4", "raised", direction_as_seed),
    ("1.4", "sum of columns", lambda f, x, u: RIGHT.jacobian_by_seeds(f, x).sum(1)),
    ("1.4", "direction made unit", lambda f, x, u: RIGHT.along_direction(f, x, u / u.norm())),
    ("1.4", "moved value", lambda f, x, u: f(x + u) - f(x)),
    ("1.4", "precision", lambda f, x, u: (f(x + 1e-6 * u) - f(x)) / 1e-6),
    ("1.5", "first derivative", first),
    ("1.5", "raised", without_graph),
    ("1.5", "square of first", lambda f, x: first(f, x) ** 2),
    ("1.5", "both added", both),
    ("1.5", "constant", lambda f, x: torch.tensor(12.0)),
]


@pytest.mark.parametrize(("number", "reason", "answer"), WRONG)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_wrong_answer_gets_its_hint(number: str, reason: str, answer, language: str) -> None:
    found = verdict(number, answer, seed=3, language=language)
    assert not found.right
    assert found.reason == reason, found.text
    assert found.hint and found.hint in found.text


def test_hints_name_what_torch_meant() -> None:
    assert "retain_graph=True" in verdict("1.2", freed).hint
    assert "seed" in verdict("1.2", no_seed).hint
    assert "shape of the output" in verdict("1.4", direction_as_seed).hint
    assert "create_graph=True" in verdict("1.5", without_graph).hint
