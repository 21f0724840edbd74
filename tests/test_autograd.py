"""Backward seeds, and the three routes to a Jacobian."""

from __future__ import annotations

import pytest
import torch

from diffkin import autograd
from diffkin.errors import DtypeError, GradientError, OptionError, ShapeError, UnknownNameError


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


SWITCHES = [torch.no_grad, torch.inference_mode]


@pytest.mark.parametrize("switch", SWITCHES)
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("method", autograd.METHODS)
def test_jacobians_where_gradients_are_switched_off(switch, create_graph, method):
    x = torch.rand(2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = torch.func.jacrev(function)(x)
    with switch():
        made = x.clone()
        found = [autograd.jacobian(function, at, method, create_graph) for at in (x, made)]
        assert torch.is_inference_mode_enabled() == (switch is torch.inference_mode)  # as it was
        assert not torch.is_grad_enabled()
    found.append(autograd.jacobian(function, made, method, create_graph))
    for each in found:
        torch.testing.assert_close(each, expected, rtol=1e-13, atol=1e-13)
    assert x.grad is None


@pytest.mark.parametrize("switch", SWITCHES)
def test_hessians_where_gradients_are_switched_off(switch):
    x = torch.rand(2, 3, dtype=torch.float64)
    expected = torch.func.jacrev(torch.func.jacrev(function))(x)
    with switch():
        made = x.clone()
        found = [autograd.hessian(function, x), autograd.hessian(function, made)]
    for each in (*found, autograd.hessian(function, made)):
        torch.testing.assert_close(each, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("switch", SWITCHES)
@pytest.mark.parametrize("method", autograd.METHODS)
@pytest.mark.parametrize("f", [lambda x: x.new_ones(3), lambda x: x.detach().sin(), lambda x: x[:0].sum()])
def test_constants_have_zero_derivatives_wherever(switch, method, f):
    x = torch.rand(2, 2, dtype=torch.float64)
    with switch():
        found = autograd.jacobian(f, x, method)
    torch.testing.assert_close(found, torch.func.jacrev(f)(x))
    assert not found.any()


@pytest.mark.parametrize("method", autograd.METHODS)
def test_a_function_that_computes_under_inference_mode_has_unknown_derivatives(method):
    with pytest.raises(GradientError, match="inference_mode"):
        autograd.jacobian(torch.inference_mode()(torch.sin), torch.ones(2), method)


@pytest.mark.parametrize("switch", SWITCHES)
def test_seeds_for_an_output_without_a_graph(switch):
    x = torch.ones(2, requires_grad=True)
    seeds = torch.eye(2)
    with switch():
        y = x.sin()
        with pytest.raises(GradientError, match=r"switched off|inference_mode"):
            autograd.backward_seeds(y, x, seeds)
    y = x.detach().requires_grad_().sin()
    with pytest.raises(GradientError, match="x does not require gradients"):
        autograd.backward_seeds(y, x.detach(), seeds)
    assert not autograd.backward_seeds(y, x, seeds).any()  # of another input
    assert not autograd.backward_seeds(torch.ones(2), x, seeds).any()  # a constant


def test_recording_is_on_inside_and_as_it_was_behind():
    for switch in (*SWITCHES, torch.enable_grad):
        with switch():
            before = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
            with autograd.recording():
                assert torch.ones(2).requires_grad_().sin().requires_grad
            assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == before


@pytest.mark.parametrize("method", autograd.METHODS)
def test_what_is_no_function_of_one_tensor(method):
    x = torch.ones(2)
    for f in (None, "sin", 3, x):
        with pytest.raises(OptionError, match="f must be a function"):
            autograd.jacobian(f, x, method)
    for f in (lambda x: (x, x), lambda x: None, lambda x: 3.0, lambda x: [x]):
        with pytest.raises(DtypeError, match=r"f must return one torch\.Tensor"):
            autograd.jacobian(f, x, method)
        with pytest.raises(DtypeError, match=r"f must return one torch\.Tensor"):
            autograd.hessian(f, x)
    for f in (lambda x: torch.complex(x, x), lambda x: x.long()):
        with pytest.raises(DtypeError, match="What f returns must be floating point"):
            autograd.jacobian(f, x, method)
    for bad in (None, "a", object(), torch.ones(2, dtype=torch.complex64)):
        with pytest.raises(DtypeError, match="x must be"):
            autograd.jacobian(function, bad, method)
    assert autograd.jacobian(torch.sin, [0.0, 1.0], method).dtype == torch.float64


def test_an_unknown_method_lists_all():
    for wrong in ("backwards", None, 3, ["reverse"]):
        with pytest.raises(UnknownNameError) as caught:
            autograd.jacobian(function, torch.ones(2, 2), method=wrong)
        assert all(repr(method) in str(caught.value) for method in autograd.METHODS)


def test_seeds_must_fit():
    x = torch.ones(2, requires_grad=True)
    y = 2.0 * x
    for bad in (None, "a", torch.ones(1, 2, dtype=torch.int64)):
        with pytest.raises(DtypeError, match="seeds"):
            autograd.backward_seeds(y, x, bad)
    for bad in (None, [1.0, 2.0], 3.0):
        with pytest.raises(DtypeError, match="y must be"):
            autograd.backward_seeds(bad, x, torch.eye(2))
    assert autograd.backward_seeds(y, x, [[1, 0]]).tolist() == [[2.0, 0.0]]


def test_one_number_of_one_number() -> None:
    for method in autograd.METHODS:
        J = autograd.jacobian(lambda x: x**3, torch.tensor(2.0), method=method)
        assert J.shape == () and J.item() == 12.0
    inner = torch.func.vmap(lambda x: autograd.jacobian(lambda x: x**3, x))(torch.tensor([1.0, 2.0]))
    assert inner.tolist() == [3.0, 12.0]
