"""The small algebra: values beside plain torch and SciPy, and what it promises at zero, under autocast and in derivatives."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.func import hessian, jacfwd, jacrev, vmap

from diffkin._algebra import (
    apply,
    blend_series,
    check_nonzero,
    dot,
    matmul,
    perpendicular,
    product,
    promote,
    quaternion_row,
    rescale,
    safe_norm,
    solve3,
    unit,
)
from diffkin.errors import RotationError

SIZES = [5e-324, 1e-200, 1e-30, 1.0, 1e30, 1e200, 8e307]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_dot_keeps_the_axis() -> None:
    a, b = normal(4, 5, 3), normal(5, 3, seed=1)
    torch.testing.assert_close(dot(a, b), torch.linalg.vecdot(a, b)[..., None], rtol=0, atol=1e-15)


def test_products_promote() -> None:
    single, double = normal(3, 3).float(), normal(3, 3, seed=1)
    assert [tensor.dtype for tensor in promote(single, double)] == [torch.float64, torch.float64]
    assert promote(single, single) == (single, single)
    torch.testing.assert_close(matmul(single, double), single.double() @ double, rtol=0, atol=1e-15)
    torch.testing.assert_close(apply(single, double[0]), single.double() @ double[0], rtol=0, atol=1e-15)
    assert apply(double, single[0]).dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [3, 4, 6])
def test_a_product_does_not_depend_on_its_batch(size: int, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(size)
    a, b = torch.randn(2, 77, size, size, generator=generator, dtype=dtype).unbind()
    pairs = (
        (a, b),
        (a.mT, b),
        (a, b.mT),
        (a[:1].expand(77, size, size), b),
        (a, b[..., :1]),
    )
    for left, right in pairs:
        whole = matmul(left, right)
        torch.testing.assert_close(whole, left @ right)
        in_two_axes = matmul(left.unflatten(0, (7, 11)), right.unflatten(0, (7, 11)))
        assert torch.equal(in_two_axes.flatten(0, 1), whole)
        for i in (0, 3, 4, 38, 76):
            assert torch.equal(matmul(left[i], right[i]), whole[i])
            assert torch.equal(matmul(left[i : i + 2], right[i : i + 2])[0], whole[i])
            assert torch.equal(matmul(left[i], right)[i], whole[i])
            assert torch.equal(matmul(left, right[i])[i], whole[i])


def test_shapes_of_products_are_those_of_torch() -> None:
    for first, second in (((3, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)), ((6, 1, 3, 4), (2, 4, 5))):
        a, b = torch.randn(first), torch.randn(second)
        assert matmul(a, b).shape == torch.matmul(a, b).shape
    assert matmul(torch.ones(3, 3), torch.ones(3, 3, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize(("rows", "columns"), [(3, 3), (2, 5), (1, 1), (4, 0)])
def test_matrix_times_vector(rows: int, columns: int) -> None:
    matrix, vector = normal(2, 1, rows, columns), normal(6, columns, seed=1)
    expected = torch.einsum("...ij,...j->...i", matrix, vector)
    assert apply(matrix, vector).shape == (2, 6, rows)
    torch.testing.assert_close(apply(matrix, vector), expected, rtol=0, atol=1e-14)


def test_autocast_does_not_round() -> None:
    a, b = normal(4, 3, 3).float(), normal(4, 3, 3, seed=1).float()
    whole, moved = matmul(a, b), apply(a, b[..., 0])
    with torch.autocast("cpu", torch.bfloat16):
        assert (a @ b).dtype == torch.bfloat16  # what is to be avoided
        torch.testing.assert_close(matmul(a, b), whole, rtol=0, atol=1e-6)
        torch.testing.assert_close(apply(a, b[..., 0]), moved, rtol=0, atol=0)
        torch.testing.assert_close(product(a[0], b[0]), whole[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("inner", [1, 3, 16, 17, 100])
def test_autocast_does_not_round_backward(dtype: torch.dtype, inner: int) -> None:
    a = normal(4, 3, inner).float().requires_grad_()
    b = normal(4, inner, 5, seed=1).float().requires_grad_()
    weights = normal(4, 3, 5, seed=2).float()
    pairs = [((a, b), matmul, weights), ((a[0], b[0]), product, weights[0])]
    expected = [torch.autograd.grad((function(*two) * by).sum(), (a, b)) for two, function, by in pairs]
    with torch.autocast("cpu", dtype):
        found = [torch.autograd.grad((function(*two) * by).sum(), (a, b)) for two, function, by in pairs]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    empty = torch.ones(2, 3, 0)
    with torch.autocast("cpu", dtype):
        assert not matmul(empty, empty.mT).any()


@pytest.mark.parametrize("size", SIZES)
def test_unit_of_any_length(size: float) -> None:
    direction = torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64) / 3.0
    vector = size * torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64)
    torch.testing.assert_close(unit(vector), direction, rtol=0, atol=1e-15)


def test_unit_is_differentiable() -> None:
    vector = normal(3).requires_grad_()
    assert torch.autograd.gradcheck(unit, (vector,), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(unit, (vector,))
    torch.testing.assert_close(
        jacrev(unit)(vector.detach()),
        jacrev(lambda v: torch.nn.functional.normalize(v, dim=-1))(vector.detach()),
        rtol=0,
        atol=1e-14,
    )


def test_unit_of_zero_is_zero_and_does_not_move() -> None:
    zero = torch.zeros(2, 3, dtype=torch.float64)
    mixed = torch.stack([zero[0], torch.ones(3, dtype=torch.float64)])
    assert unit(zero).tolist() == zero.tolist()
    assert unit(mixed)[1].norm().item() == pytest.approx(1.0, abs=1e-15)
    for derivative in (jacrev(unit), jacfwd(unit), hessian(unit)):
        assert not vmap(derivative)(zero).any()
        assert bool(vmap(derivative)(mixed).isfinite().all())
        assert bool(vmap(derivative)(mixed)[1].any())


def test_perpendicular() -> None:
    vectors = torch.cat([normal(200, 3), torch.eye(3).double(), -torch.eye(3).double(), 1e-200 * normal(3, 3, seed=2)])
    across = perpendicular(vectors)
    torch.testing.assert_close(across.norm(dim=-1), torch.ones(len(vectors)).double(), rtol=0, atol=1e-15)
    assert dot(across, unit(vectors)).abs().max().item() < 1e-15
    assert not jacrev(perpendicular)(vectors[0]).any()
    assert not perpendicular(vectors.requires_grad_()).requires_grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_safe_norm(dtype: torch.dtype) -> None:
    vectors = normal(50, 3).to(dtype)
    torch.testing.assert_close(
        safe_norm(vectors), vectors.norm(dim=-1, keepdim=True), rtol=4 * torch.finfo(dtype).eps, atol=0
    )
    zero = torch.zeros(3, dtype=dtype)
    for derivative in (jacrev(safe_norm), jacfwd(safe_norm), hessian(safe_norm)):
        assert not derivative(zero).any()
        small = zero + torch.finfo(dtype).tiny ** 0.2
        assert bool(derivative(small).isfinite().all())
        assert bool(derivative(small).any())


@pytest.mark.parametrize("size", [1e-70, 1e-120, 1e60, 1e120, 1e300])
def test_small_equations_of_any_size(size: float) -> None:
    matrix, vector = normal(20, 3, 3), normal(20, 3, seed=1)
    expected = torch.linalg.solve(matrix, vector)
    torch.testing.assert_close(solve3(size * matrix, size * vector), expected, rtol=1e-9, atol=1e-12)
    slope = jacrev(solve3)(size * matrix[0], size * vector[0])
    torch.testing.assert_close(size * slope, jacrev(torch.linalg.solve)(matrix[0], vector[0]), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("size", SIZES)
def test_lengths_that_over_or_underflow(size: float) -> None:
    vector = size * torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64)
    expected = 3.0 * size if size > 1e-77 else 0.0
    assert safe_norm(vector).item() == pytest.approx(expected, rel=1e-15)


def test_solve3() -> None:
    matrix, vector = normal(50, 3, 3), normal(50, 3, seed=1)
    torch.testing.assert_close(solve3(matrix, vector), torch.linalg.solve(matrix, vector), rtol=1e-9, atol=1e-12)
    flat = torch.ones(3, 3, dtype=torch.float64)
    assert solve3(flat, vector[0]).tolist() == [0.0, 0.0, 0.0]
    assert bool(jacrev(solve3)(flat, vector[0]).isfinite().all())
    assert torch.autograd.gradcheck(solve3, (matrix[:2].requires_grad_(), vector[:2].requires_grad_()))


def test_quaternion_row_is_along_the_quaternion() -> None:
    quat = normal(500, 4)
    quat[:4] = torch.eye(4)  # no turn, and half a turn about each axis
    rotation = Rotation.from_quat(quat.numpy())
    expected = torch.as_tensor(rotation.as_quat(canonical=True))
    row = quaternion_row(torch.as_tensor(rotation.as_matrix()))
    assert row.norm(dim=-1).min().item() >= 2.0 - 1e-12  # the longest of four rows, of 4 q q^T
    assert bool((row[:, 3] >= 0).all())
    found = unit(row)
    half_turns = expected[:, 3] == 0
    assert half_turns.sum() == 3  # where the sign is a choice
    torch.testing.assert_close(found[half_turns].abs(), expected[half_turns].abs(), rtol=0, atol=1e-15)
    torch.testing.assert_close(found[~half_turns], expected[~half_turns], rtol=0, atol=1e-14)


def sinc(vector: Tensor) -> Tensor:
    series = [[(-1) ** k / math.factorial(2 * k + 1)] for k in range(8)]
    return blend_series(vector, lambda angle: torch.sin(angle) / angle, series, 0.25)


def test_blended_series() -> None:
    """sin(t) / t from its series below 0.5 and its closed form above: value and two derivatives in the angle."""
    angle = torch.tensor([0.0, 1e-300, 1e-8, 0.4999999, 0.5000001, 1.0, 3.0], dtype=torch.float64)[:, None]
    torch.testing.assert_close(sinc(angle), torch.sinc(angle / math.pi), rtol=0, atol=1e-15)
    slope = vmap(jacrev(sinc))(angle).flatten()
    bend = vmap(hessian(sinc))(angle).flatten()
    assert slope[0].item() == 0.0
    assert bend[0].item() == pytest.approx(-1 / 3, abs=1e-15)
    assert slope[3].item() == pytest.approx(slope[4].item(), abs=1e-6)
    assert bend[3].item() == pytest.approx(bend[4].item(), abs=1e-6)
    t = angle[6, 0]
    assert slope[6].item() == pytest.approx(((t * t.cos() - t.sin()) / t**2).item(), abs=1e-15)


def test_blended_series_of_a_vector_of_any_length() -> None:
    direction = torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64) / 3.0
    for length in SIZES:
        expected = 1.0 if length < 1e-20 else math.sin(length) / length
        assert sinc(length * direction).item() == pytest.approx(expected, abs=1e-12 if length < 1e20 else 2.0 / length)
        assert bool(jacrev(sinc)(length * direction).isfinite().all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rescaling_is_for_odd_lengths_alone(dtype: torch.dtype) -> None:
    ordinary = normal(20, 4).to(dtype)
    assert rescale(ordinary)[0].equal(ordinary)
    assert not rescale(torch.zeros(4, dtype=dtype))[0].any()
    info = torch.finfo(dtype)
    for size in (info.smallest_normal * info.eps, info.tiny, info.tiny**0.3, info.max**0.3, info.max / 4):
        vector = size * torch.tensor([1.0, -2.0, 0.5, 0.0], dtype=dtype).to(dtype)
        scaled, scale = rescale(vector)
        assert scale.item() == vector.abs().max().item()
        assert torch.equal(scaled * scale, vector)
        assert scaled.abs().max().item() == 1.0
        kept, one = rescale(vector, small=False)
        if size < 1:
            assert one.item() == 1.0
            assert kept.equal(vector)
    assert rescale(torch.tensor([math.nan, 1.0, 1e30]))[0].isnan().any()


def test_zero_vectors_have_no_direction() -> None:
    check_nonzero(normal(4, 3), "axis")
    check_nonzero(torch.full((3,), 5e-324, dtype=torch.float64), "axis")
    check_nonzero(torch.zeros(0, 3), "axis")
    bad = normal(4, 3)
    bad[2] = 0.0
    with pytest.raises(RotationError, match="axis holds a zero vector"):
        check_nonzero(bad, "axis")
    with pytest.raises(RotationError, match="axis holds a zero vector"):
        check_nonzero(torch.zeros(3, requires_grad=True), "axis")
    vmap(lambda v: (check_nonzero(v, "axis"), v)[1])(bad)  # no values to look at
