"""Backward seeds, and the three routes to a Jacobian."""

from __future__ import annotations

import pytest
import torch

from diffkin import autograd
from diffkin.errors import DtypeError, ShapeError, UnknownNameError


def test_lesson_one_seed_gives_a_weighted_sum_of_rows():
    m = torch.tensor([2.0, 3.0], dtype=torch.float64, requires_grad=True)
    n = torch.stack((m[0] ** 2, m[1] ** 3))
    rows = autograd.backward_seeds(n, m, torch.ones(1, 2, dtype=torch.float64))
    assert rows.tolist() == [[4.0, 27.0]]


def test_lesson_backward_twice_accumulates_in_grad_but_not_here():
    x = torch.tensor([3.0], dtype=torch.float64, requires_grad=True)
    y = 2 * x + x**2 + 3
    y.backward(retain_graph=True)
    assert x.grad.item() == 8.0
    y.backward(retain_graph=True)
    assert x.grad.item() == 16.0
    seeds = autograd.unit_seeds(y)
    assert autograd.backward_seeds(y, x, seeds).item() == 8.0
    assert autograd.backward_seeds(y, x, seeds).item() == 8.0
    assert x.grad.item() == 16.0


@pytest.mark.parametrize("method", autograd.METHODS)
def test_lesson_two_by_two(method):
    def k(x):
        return torch.stack((x[0] ** 2 + 3 * x[1], 2 * x[0] + x[1] ** 2))

    x = torch.tensor([2.0, 3.0], requires_grad=True)
    assert autograd.jacobian(k, x, method=method).tolist() == [[4.0, 3.0], [2.0, 6.0]]
    assert x.grad is None


def function(x):
    return torch.stack((x.sin() @ x.T, (x**3) @ x.T, x @ x.T.exp()))


@pytest.mark.parametrize("method", autograd.METHODS)
def test_any_shape_as_jacrev(method):
    x = torch.rand(2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        autograd.jacobian(function, x, method=method), torch.func.jacrev(function)(x), rtol=1e-13, atol=1e-13
    )


@pytest.mark.parametrize("method", autograd.METHODS)
@pytest.mark.parametrize("f", [lambda x: x.new_ones(3), lambda x: x.sum(), lambda x: x[:0], lambda x: x.detach()])
def test_constant_scalar_and_empty_outputs(method, f):
    x = torch.rand(2, 2, dtype=torch.float64)
    result = autograd.jacobian(f, x, method=method)
    assert result.shape == f(x).shape + x.shape
    torch.testing.assert_close(result, torch.func.jacrev(f)(x))


@pytest.mark.parametrize("method", autograd.METHODS)
def test_create_graph_reaches_the_input_and_what_the_function_closes_over(method):
    w = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    x = torch.rand(3, dtype=torch.float64, requires_grad=True)

    def value(x, w):
        return autograd.jacobian(lambda at: (w * at).sin() * at.sum(), x, method=method, create_graph=True)

    assert torch.autograd.gradcheck(value, (x, w))
    assert not autograd.jacobian(lambda at: (w * at).sin(), x, method=method).requires_grad


def test_seeds_inside_a_transform():
    x = torch.rand(5, 2, 3, dtype=torch.float64)
    batched = torch.func.vmap(lambda at: autograd.jacobian(function, at))(x)
    torch.testing.assert_close(batched, torch.func.vmap(torch.func.jacrev(function))(x))
    nested = torch.func.jacrev(lambda at: autograd.jacobian(function, at))(x[0])
    torch.testing.assert_close(nested, torch.func.jacrev(torch.func.jacrev(function))(x[0]))


def test_hessian():
    x = torch.rand(2, 3, dtype=torch.float64)
    torch.testing.assert_close(
        autograd.hessian(function, x), torch.func.jacrev(torch.func.jacrev(function))(x), rtol=1e-12, atol=1e-12
    )
    assert autograd.hessian(lambda at: at.square().sum(), x).shape == (2, 3, 2, 3)


def test_bad_input():
    with pytest.raises(UnknownNameError, match="backward_seeds"):
        autograd.jacobian(function, torch.ones(2, 2), method="backward_seed")
    with pytest.raises(DtypeError, match="float"):
        autograd.jacobian(function, torch.ones(2, 2, dtype=torch.long))
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(ShapeError, match="seeds"):
        autograd.backward_seeds(2 * x, x, torch.ones(2))
