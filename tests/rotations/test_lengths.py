"""Vectors and matrices whose squares over- or underflow: quaternions of any length, long rotation vectors, small matrices.

The oracle computes with 60 digits.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi

import mpmath
import pytest
import torch
from torch import Tensor
from torch.func import jacfwd, jacrev, vmap

from diffkin import rotations as r
from diffkin import transforms

mpmath.mp.dps = 60

# Lengths from subnormal to the end of the range.
LENGTHS = {
    torch.float32: [1e-44, 1e-39, 1e-30, 1e-25, 1e-20, 1e-10, 1.0, 1e10, 1e15, 1e20, 1e30, 2e38],
    torch.float64: [1e-322, 1e-310, 1e-200, 1e-170, 1e-160, 1e-100, 1.0, 1e77, 1e100, 1e155, 1e160, 1e200, 1e308],
}
CASES = [(dtype, length) for dtype, lengths in LENGTHS.items() for length in lengths]
every = pytest.mark.parametrize(("dtype", "length"), CASES, ids=str)
QUAT = (0.5, -0.25, 0.125, 1.0)  # exact in every dtype, and scaled by a power of two too


def close(found: Tensor, expected: list[float] | Tensor, ulps: float = 8.0, scale: float = 1.0) -> None:
    wanted = torch.as_tensor(expected, dtype=torch.float64)
    gap = (found.detach().double() - wanted).abs().max().item()
    assert gap <= ulps * torch.finfo(found.dtype).eps * scale, (found, wanted)


def numbers(tensor: Tensor) -> list[mpmath.mpf]:
    return [mpmath.mpf(each) for each in tensor.double().tolist()]


def quat_matrix(quat: list[mpmath.mpf]) -> list[list[float]]:
    x, y, z, w = quat
    n = sum(each * each for each in quat)
    m = [
        [n - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), n - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), n - 2 * (x * x + y * y)],
    ]
    return [[float(each / n) for each in row] for row in m]


def rotvec_matrix(vector: list[mpmath.mpf]) -> list[list[float]]:
    angle = mpmath.sqrt(sum(each * each for each in vector))
    half = mpmath.sin(angle / 2) / angle
    return quat_matrix([each * half for each in vector] + [mpmath.cos(angle / 2)])


@every
def test_quaternions_of_any_length(dtype: torch.dtype, length: float) -> None:
    quat = (length * torch.tensor(QUAT, dtype=torch.float64)).to(dtype)
    exact = numbers(quat)
    size = mpmath.sqrt(sum(each * each for each in exact))
    unit = [float(each / size) for each in exact]
    matrix = torch.tensor(quat_matrix(exact), dtype=torch.float64)
    for sign in (1.0, -1.0):
        close(r.quat_xyzw_to_matrix(sign * quat), matrix)
        close(r.quat_xyzw_normalize(sign * quat), sign * torch.tensor(unit, dtype=torch.float64))
        angle = 2 * mpmath.acos(abs(exact[3]) / size)
        axis = [float(each / mpmath.sqrt(1 - (exact[3] / size) ** 2) / size * angle) for each in exact[:3]]
        close(r.quat_xyzw_to_rotvec(sign * quat), axis)
    vector = torch.tensor([1.0, -2.0, 3.0], dtype=dtype)
    close(r.quat_xyzw_rotate(quat, vector), matrix @ vector.double(), scale=3.0)
    assert torch.equal(r.quat_xyzw_closest_to(quat, -quat), -quat)
    assert torch.equal(r.quat_xyzw_closest_to(quat, torch.tensor([-1.0, 0, 0, -1], dtype=dtype)), -quat)
    assert torch.equal(r.quat_xyzw_unwrap(torch.stack([quat, -quat, quat])), quat.expand(3, 4))


@every
def test_inverse_and_rates_of_quaternions_of_any_length(dtype: torch.dtype, length: float) -> None:
    quat = (length * torch.tensor(QUAT, dtype=torch.float64)).to(dtype)
    exact = numbers(quat)
    square = sum(each * each for each in exact)
    x, y, z, w = exact
    inverse = [-x / square, -y / square, -z / square, w / square]
    rates = [[w, z, -y, -x], [-z, w, x, -y], [y, -x, w, -z]]
    for found, wanted in [
        (r.quat_xyzw_inverse(quat), inverse),
        (r.quat_xyzw_body_rate_matrix(quat), [each * 2 / square for row in rates for each in row]),
    ]:
        for have, want in zip(found.flatten().double().tolist(), wanted, strict=True):
            if abs(want) > torch.finfo(dtype).max:
                assert have == mpmath.sign(want) * mpmath.inf
            else:
                smallest = torch.finfo(dtype).tiny * torch.finfo(dtype).eps
                assert abs(have - want) <= 8 * torch.finfo(dtype).eps * abs(want) + smallest


@every
@pytest.mark.parametrize(
    "function",
    [
        r.quat_xyzw_to_matrix,
        r.quat_xyzw_normalize,
        r.quat_xyzw_to_rotvec,
        lambda quat: r.quat_xyzw_rotate(quat, torch.tensor([1.0, -2.0, 3.0], dtype=quat.dtype)),
    ],
    ids=["to_matrix", "normalize", "to_rotvec", "rotate"],
)
def test_derivatives_do_not_depend_on_the_length(
    dtype: torch.dtype, length: float, function: Callable[[Tensor], Tensor]
) -> None:
    """Of functions of direction alone: ``length * df(length q) = df(q)``."""
    scaled = (length * torch.tensor(QUAT, dtype=torch.float64)).to(dtype)
    wanted = jacrev(function)(scaled.double() / length)  # of the direction that it was rounded to
    limit = torch.finfo(dtype).max / 8
    for derivative in (jacrev, jacfwd):
        found = derivative(function)(scaled).double()
        if wanted.abs().max().item() / length > limit:  # no number of this dtype
            continue
        torch.testing.assert_close(found * length, wanted, rtol=0, atol=64 * torch.finfo(dtype).eps)
    batched = vmap(jacrev(function))(scaled.expand(2, 4))[1]
    torch.testing.assert_close(batched, jacrev(function)(scaled), equal_nan=True)


@pytest.mark.parametrize("length", [1e-170, 1e-100, 1e-30, 1.0, 1e30, 1e100, 1e160])
def test_gradients_by_differences_at_many_lengths(length: float) -> None:
    """With the length as a constant: the numbers that are moved stay of ordinary size."""
    quat = torch.tensor(QUAT, dtype=torch.float64, requires_grad=True)
    for function in (r.quat_xyzw_to_matrix, r.quat_xyzw_normalize, r.quat_xyzw_to_rotvec):
        assert torch.autograd.gradcheck(lambda q, function=function: function(length * q), (quat,))
    assert torch.autograd.gradcheck(lambda q: length * r.quat_xyzw_inverse(length * q), (quat,))
    vector = quat.detach()[:3].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda m: r.mrp_shadow(length * m) * length, (vector,))
    long = min(max(length, 1.0), 1e100)
    assert torch.autograd.gradcheck(lambda m: r.mrp_to_matrix(long * m), (vector,))
    assert torch.autograd.gradcheck(lambda g: r.gibbs_to_matrix(long * g), (vector,))
    assert torch.autograd.gradcheck(lambda m: r.mrp_body_rate_matrix(long * m) * long * long, (vector,))
    assert torch.autograd.gradcheck(lambda g: r.gibbs_body_rate_matrix(long * g) * long, (vector,))
    columns = torch.tensor([1.0, 2, 3, -1, 0.5, 2], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda c: r.rot6d_to_matrix(length * c), (columns,))
    matrix = torch.tensor([[1.0, 0.2, 0], [-0.1, 2, 0.3], [0.3, 0, 0.7]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda m: r.nearest_rotation(length * m), (matrix,))


@every
def test_rodrigues_vectors_of_any_length(dtype: torch.dtype, length: float) -> None:
    vector = (length * torch.tensor(QUAT[:3], dtype=torch.float64)).to(dtype)
    exact = numbers(vector)
    square = sum(each * each for each in exact)
    close(r.mrp_to_matrix(vector), quat_matrix([2 * each for each in exact] + [1 - square]))
    close(r.gibbs_to_matrix(vector), quat_matrix([*exact, mpmath.mpf(1)]))
    shadow = r.mrp_shadow(vector)
    if bool(shadow.isfinite().all()):
        close(r.mrp_to_matrix(shadow), r.mrp_to_matrix(vector).double())
    x, y, z = exact
    hat = [[0, -z, y], [z, 0, -x], [-y, x, 0]]
    factor = 1 + square
    for i in range(3):
        for j in range(3):
            same = 1 if i == j else 0
            body_mrp = 4 * ((1 - square) * same - 2 * hat[i][j] + 2 * exact[i] * exact[j]) / factor**2
            body_gibbs = 2 * (same - hat[i][j]) / factor
            for found, wanted in (
                (r.mrp_body_rate_matrix(vector), body_mrp),
                (r.gibbs_body_rate_matrix(vector), body_gibbs),
            ):
                smallest = torch.finfo(dtype).tiny * torch.finfo(dtype).eps * 4
                limit = 32 * torch.finfo(dtype).eps * min(1.0, 4.0 / max(length, 1.0)) + smallest
                assert abs(found[i, j].item() - wanted) <= limit


@every
def test_shadows_are_the_inverse_points(dtype: torch.dtype, length: float) -> None:
    vector = (length * torch.tensor(QUAT[:3], dtype=torch.float64)).to(dtype)
    exact = numbers(vector)
    square = sum(each * each for each in exact)
    for have, want in zip(r.mrp_shadow(vector).double().tolist(), [-each / square for each in exact], strict=True):
        if abs(want) > torch.finfo(dtype).max:
            assert abs(have) == mpmath.inf
        else:
            assert abs(have - want) <= 8 * torch.finfo(dtype).eps * abs(want) + torch.finfo(dtype).tiny


@every
def test_columns_and_matrices_of_any_size(dtype: torch.dtype, length: float) -> None:
    columns = torch.tensor([1.0, 2, 4, -1, 0.5, 2], dtype=torch.float64)
    expected = r.rot6d_to_matrix(columns)
    first = torch.tensor([length] * 3 + [1.0] * 3, dtype=torch.float64)
    for factor in (torch.full((6,), 0.25 * length, dtype=torch.float64), 0.25 * first, 0.25 * first.flip(0)):
        scaled = (factor * columns).to(dtype)
        if length < torch.finfo(dtype).tiny:  # its numbers are rounded to few digits
            assert bool(r.rot6d_to_matrix(scaled).isfinite().all())
        else:
            close(r.rot6d_to_matrix(scaled), expected)
    matrix = 0.25 * torch.tensor([[1.0, 0.5, 0], [-0.25, 2, 0.5], [0.5, 0, 1]], dtype=torch.float64)
    wanted = r.nearest_rotation(matrix)
    scaled = (length * matrix).to(dtype)
    if length >= torch.finfo(dtype).tiny:
        close(r.nearest_rotation(scaled), wanted, 16.0)
    identity = torch.eye(3, dtype=torch.float64)
    for tiny in (identity, wanted):
        found = r.nearest_rotation((length * tiny).to(dtype))
        assert (found.double() @ found.double().T - identity).abs().max() < 16 * torch.finfo(dtype).eps


@every
def test_weights_of_any_size(dtype: torch.dtype, length: float) -> None:
    matrix = r.random_rotation(3, seed=5, dtype=dtype)
    weights = torch.tensor([1.0, 0.5, 0.25], dtype=torch.float64)
    if length < torch.finfo(dtype).tiny:
        weights = torch.ones(3, dtype=torch.float64)
    expected = r.mean_rotation(matrix, weights.to(dtype))
    close(r.mean_rotation(matrix, (0.5 * length * weights).to(dtype)), expected.double(), 16.0)


LONG = [(dtype, length) for dtype, length in CASES if length >= 1e10]


@pytest.mark.parametrize(("dtype", "length"), LONG, ids=str)
def test_long_rotation_vectors(dtype: torch.dtype, length: float) -> None:
    """Along an axis the angle is exact, so that the rotation is; across axes the angle is known to its rounding."""
    axis = torch.tensor([0.0, length, 0.0], dtype=torch.float64).to(dtype)
    exact = numbers(axis)
    angle = exact[1]
    with mpmath.workdps(400):  # all digits of the angle count
        matrix = torch.tensor(rotvec_matrix(exact), dtype=torch.float64)
    close(r.rotvec_to_matrix(axis), matrix, 16.0)
    close(r.quat_xyzw_to_matrix(r.rotvec_to_quat_xyzw(axis)), matrix, 16.0)
    left = torch.zeros(3, 3, dtype=torch.float64)
    left[1, 1] = 1.0
    close(r.left_jacobian(axis), left, 64.0 + 4.0 / (float(angle) * torch.finfo(dtype).eps))
    slanted = (length / 4.0 * torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64)).to(dtype)
    identity = torch.eye(3, dtype=torch.float64)
    for found in (r.rotvec_to_matrix(slanted), r.quat_xyzw_to_matrix(r.rotvec_to_quat_xyzw(slanted))):
        close(
            found.double() @ found.double().T, identity, 64.0 * torch.finfo(dtype).eps / torch.finfo(torch.double).eps
        )
    assert bool(jacrev(r.rotvec_to_matrix)(slanted).isfinite().all())
    for function in (r.left_jacobian, r.right_jacobian):
        assert bool(function(slanted).isfinite().all())
        assert bool(jacrev(function)(slanted).isfinite().all())
    for function in (r.left_jacobian_inverse, r.right_jacobian_inverse):
        assert bool(function(slanted).isfinite().all())
    assert bool(r.rotvec_closest_to(slanted, torch.ones(3, dtype=dtype)).isfinite().all())


@pytest.mark.parametrize("length", [1.0, 3.0, 30.0, 1e3, 1e5])
def test_jacobians_of_long_rotation_vectors_undo_each_other(length: float) -> None:
    vector = length * torch.tensor([0.6, -0.48, 0.64], dtype=torch.float64)
    eye = torch.eye(3, dtype=torch.float64)
    close(r.left_jacobian_inverse(vector) @ r.left_jacobian(vector), eye, 64.0 * length)
    tangent = torch.cat([vector.flip(0), vector])
    six = torch.eye(6, dtype=torch.float64)
    close(transforms.left_jacobian_inverse(tangent) @ transforms.left_jacobian(tangent), six, 256.0 * length**2)


@pytest.mark.parametrize("length", [0.3, 1.5, 10.0, 1e3, 1e6, 1e12])
def test_coupling_of_long_tangents(length: float) -> None:
    """The series of (adjoint)^n / (n + 1)!, summed with 60 digits where it converges soon enough, and bounds elsewhere."""
    tangent = torch.tensor([0.3, -0.2, 0.5, 0.6 * length, -0.48 * length, 0.64 * length], dtype=torch.float64)
    found = transforms.left_jacobian(tangent)
    if length > 10.0:
        assert found.abs().max() < 4.0
        assert bool(transforms.left_jacobian(tangent.float()).isfinite().all())
        torch.testing.assert_close(
            transforms.left_jacobian(tangent.float()).abs().max().double() < 4.0, torch.tensor(True)
        )
        return
    p, w = (mpmath.matrix(r.hat(part).tolist()) for part in (tangent[:3], tangent[3:]))
    ad = mpmath.zeros(6, 6)
    for i in range(3):
        for j in range(3):
            ad[i, j] = ad[i + 3, j + 3] = w[i, j]
            ad[i, j + 3] = p[i, j]
    total, term = mpmath.eye(6), mpmath.eye(6)
    for n in range(1, 120):
        term = term * ad / (n + 1)
        total += term
    close(found, [[float(total[i, j]) for j in range(6)] for i in range(6)], 32.0)


def test_shadow_of_a_vector_whose_square_vanishes() -> None:
    found = r.mrp_shadow(torch.tensor([1e-200, 0.0, 0.0], dtype=torch.float64))
    assert found[0].item() == pytest.approx(-1e200, rel=1e-15)
    assert r.mrp_shadow(torch.zeros(3)).tolist() == [0.0, 0.0, 0.0]


def test_half_turn_at_either_end_of_the_range() -> None:
    for quat in ([1e-45, 0, 0, 0], [0, 3e38, 0, 0]):
        found = r.quat_xyzw_to_rotvec(torch.tensor(quat))
        assert found.norm().item() == pytest.approx(pi, abs=1e-6)
