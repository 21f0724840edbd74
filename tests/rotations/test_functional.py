"""What every function keeps: leading axes, dtype, torch.func, compile, autocast, and no NaN where it is singular."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.func import hessian, jacfwd, jacrev, vmap

from diffkin import rotations as r
from diffkin.errors import RotationError, ShapeError
from tests.rotations.cases import CASES, Function, pairs

every = pytest.mark.parametrize(("function", "inputs"), CASES.values(), ids=CASES.keys())


def test_every_public_function_is_listed() -> None:
    named = {name.split()[0] for name in CASES}
    missing = (
        {name for name in r.__all__ if callable(getattr(r, name))} - named - {"random_rotation", "random_quat_xyzw"}
    )
    assert not missing


@every
def test_leading_axes(function: Function, inputs: tuple[Tensor, ...]) -> None:
    expected = function(*inputs)
    assert bool(expected.isfinite().all())
    one = function(*(each[4] for each in inputs))
    torch.testing.assert_close(one, expected[4], rtol=1e-12, atol=1e-12)
    folded = function(*(each.unflatten(0, (2, 5)) for each in inputs))
    torch.testing.assert_close(folded, expected.unflatten(0, (2, 5)), rtol=1e-12, atol=1e-12)
    empty = function(*(each[:0] for each in inputs))
    assert empty.shape == (0, *expected.shape[1:])


@every
def test_float32(function: Function, inputs: tuple[Tensor, ...]) -> None:
    found = function(*(each.float() for each in inputs))
    assert found.dtype == torch.float32
    assert bool(found.isfinite().all())
    slope = jacrev(function)(*(each.float() for each in inputs))
    assert slope.dtype == torch.float32
    assert bool(slope.isfinite().all())


@every
def test_vmap(function: Function, inputs: tuple[Tensor, ...]) -> None:
    torch.testing.assert_close(vmap(function)(*inputs), function(*inputs), rtol=1e-12, atol=1e-12)


@every
def test_derivatives_agree_and_are_finite(function: Function, inputs: tuple[Tensor, ...]) -> None:
    everywhere = tuple(range(len(inputs)))
    reverse = vmap(jacrev(function, argnums=everywhere))(*inputs)
    forward = vmap(jacfwd(function, argnums=everywhere))(*inputs)
    for backward_one, forward_one in zip(reverse, forward):
        assert bool(backward_one.isfinite().all())
        scale = backward_one.flatten(1).abs().amax(1).clamp(min=1.0).reshape(-1, *([1] * (backward_one.ndim - 1)))
        torch.testing.assert_close(forward_one / scale, backward_one / scale, rtol=1e-9, atol=1e-9)
    second = vmap(hessian(function))(*inputs)
    assert bool(second.isfinite().all())


@every
def test_second_derivatives_by_every_route(function: Function, inputs: tuple[Tensor, ...]) -> None:
    """Forward over reverse, reverse over reverse, and torch's own double backward, at an ordinary point."""
    place = tuple(each[3] for each in inputs)
    second = hessian(function)(*place)
    torch.testing.assert_close(jacrev(jacrev(function))(*place), second, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(jacrev(jacfwd(function))(*place), second, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(jacfwd(jacfwd(function))(*place), second, rtol=1e-8, atol=1e-8)
    weights = torch.linspace(0.5, 1.5, function(*place).numel(), dtype=torch.float64).reshape(function(*place).shape)
    axes = list(range(weights.ndim))
    wanted = torch.tensordot(weights, second, dims=(axes, axes))
    found = torch.autograd.functional.hessian(lambda x: (function(x, *place[1:]) * weights).sum(), place[0])
    torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-8)


@every
def test_autocast_keeps_full_precision(function: Function, inputs: tuple[Tensor, ...]) -> None:
    single = tuple(each.float() for each in inputs)
    expected = function(*single)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = function(*single)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


COMPILED = [
    "rotvec_to_matrix",
    "matrix_to_rotvec",
    "quat_xyzw_to_matrix",
    "matrix_to_quat_xyzw",
    "left_jacobian_inverse",
    "euler_to_matrix ZYX",
    "matrix_to_euler xyz",
    "euler_rate_matrix ZXZ",
    "angle_between",
    "rot6d_to_matrix",
    "matrix_to_mrp",
    "slerp",
    "nearest_rotation",
    "rotvec_closest_to",
    "quat_xyzw_unwrap",
]


@pytest.mark.parametrize("name", COMPILED)
def test_compile(name: str) -> None:
    function, inputs = CASES[name]
    torch._dynamo.reset()
    compiled = torch.compile(function, backend="aot_eager", fullgraph=True)
    place = tuple(each.clone().requires_grad_() for each in inputs)
    found, expected = compiled(*place), function(*place)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    weights = torch.linspace(0.5, 1.5, expected.numel(), dtype=torch.float64).reshape(expected.shape)
    got = torch.autograd.grad((found * weights).sum(), place)
    wanted = torch.autograd.grad((expected * weights).sum(), place)
    torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-9)


SEVERAL = {name: case for name, case in CASES.items() if len(case[1]) > 1}
several = pytest.mark.parametrize(("function", "inputs"), SEVERAL.values(), ids=SEVERAL.keys())


@several
def test_leading_axes_that_do_not_broadcast(function: Function, inputs: tuple[Tensor, ...]) -> None:
    with pytest.raises(ShapeError, match=r"do not broadcast: .*\(10,\).*\(3,\)"):
        function(*inputs[:-1], inputs[-1][:3])


@several
def test_dtypes_promote(function: Function, inputs: tuple[Tensor, ...]) -> None:
    found = function(inputs[0], *(each.float() for each in inputs[1:]))
    assert found.dtype == torch.float64
    swapped = function(inputs[0].float(), *inputs[1:])
    assert swapped.dtype == torch.float64


def test_mean_weights_must_broadcast() -> None:
    with pytest.raises(ShapeError, match="do not broadcast"):
        r.mean_rotation(pairs(), torch.ones(3, 2, dtype=torch.float64))


def test_check_false_skips_values_only() -> None:
    """check=False skips the values, never the shape."""
    slack = 1.001 * torch.eye(3, dtype=torch.float64)
    for function in (
        r.matrix_to_rotvec,
        r.matrix_to_quat_xyzw,
        euler_unchecked,
        lambda m, check: r.angle_between(m, m, check=check),
    ):
        with pytest.raises(RotationError):
            function(slack, check=True)
        assert bool(function(slack, check=False).isfinite().all())
        with pytest.raises(ShapeError):
            function(slack[:2], check=False)


def euler_unchecked(matrix: Tensor, check: bool) -> Tensor:
    return r.matrix_to_euler(matrix, "ZYX", check=check)
