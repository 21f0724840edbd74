"""Rigid transforms against Pinocchio, the matrix exponential and their own laws."""

from __future__ import annotations

from math import pi

import numpy as np
import pinocchio
import pytest
import torch
from torch import Tensor
from torch.func import hessian, jacfwd, jacrev, vmap

from diffkin import rotations, transforms
from diffkin.errors import DtypeError, RotationError, ShapeError

AXIS = torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64) / 3.0
ANGLES = [0.0, 1e-10, 1e-4, 0.49, 0.51, 0.99, 1.01, 2.0, pi - 1e-6]
ALONG = torch.tensor([0.7, -1.2, 0.4], dtype=torch.float64)


def tangents(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def at_angle(angle: float) -> Tensor:
    return torch.cat([ALONG, angle * AXIS])


def algebra(tangent: Tensor) -> Tensor:
    """The 4x4 matrix whose matrix exponential is the pose."""
    top = torch.cat([rotations.hat(tangent[..., 3:]), tangent[..., :3, None]], -1)
    return torch.cat([top, torch.zeros_like(top[..., :1, :])], -2)


def test_exp_and_log_match_the_matrix_exponential_and_pinocchio() -> None:
    tangent = tangents(100)
    pose = transforms.exp(tangent)
    torch.testing.assert_close(pose, torch.linalg.matrix_exp(algebra(tangent)), rtol=0, atol=1e-13)
    for one, transform in zip(tangent, pose):
        theirs = pinocchio.exp6(pinocchio.Motion(one.numpy()))
        torch.testing.assert_close(transform, torch.tensor(theirs.homogeneous), rtol=0, atol=1e-13)
        torch.testing.assert_close(
            transforms.log(transform), torch.tensor(pinocchio.log6(theirs).vector), rtol=0, atol=1e-11
        )
    torch.testing.assert_close(transforms.exp(transforms.log(pose)), pose, rtol=0, atol=1e-13)


@pytest.mark.parametrize("angle", ANGLES)
def test_log_undoes_exp_to_second_order(angle: float) -> None:
    tangent = at_angle(angle)

    def back(xi: Tensor) -> Tensor:
        return transforms.log(transforms.exp(xi))

    torch.testing.assert_close(back(tangent), tangent, rtol=0, atol=1e-14)
    eye = torch.eye(6, dtype=torch.float64)
    torch.testing.assert_close(jacrev(back)(tangent), eye, rtol=0, atol=1e-12)
    torch.testing.assert_close(jacfwd(back)(tangent), eye, rtol=0, atol=1e-12)
    assert float(hessian(back)(tangent).abs().max()) < 1e-11


@pytest.mark.parametrize("angle", [0.0, 1e-10, 1e-4, 1.0, pi - 1e-6])
def test_gradcheck_of_exp(angle: float) -> None:
    tangent = at_angle(angle).requires_grad_()
    assert torch.autograd.gradcheck(transforms.exp, (tangent,))
    assert torch.autograd.gradgradcheck(transforms.exp, (tangent,))


@pytest.mark.parametrize("angle", [*ANGLES, 4.0])
def test_jacobians_are_the_derivative_of_exp(angle: float) -> None:
    tangent = at_angle(angle)
    pose, slope = transforms.exp(tangent), jacrev(transforms.exp)(tangent)

    def columns(matrices: Tensor) -> Tensor:
        return torch.cat([matrices[:3, 3], rotations.vee(matrices[:3, :3].permute(2, 0, 1)).T])

    left = columns(torch.einsum("abi,bc->aci", slope, transforms.inverse(pose)))
    right = columns(torch.einsum("ab,bci->aci", transforms.inverse(pose), slope))
    torch.testing.assert_close(transforms.left_jacobian(tangent), left, rtol=0, atol=1e-13)
    torch.testing.assert_close(transforms.right_jacobian(tangent), right, rtol=0, atol=1e-13)
    eye = torch.eye(6, dtype=torch.float64)
    torch.testing.assert_close(transforms.left_jacobian_inverse(tangent) @ left, eye, rtol=0, atol=1e-13)
    torch.testing.assert_close(transforms.right_jacobian_inverse(tangent) @ right, eye, rtol=0, atol=1e-13)
    theirs = pinocchio.Jexp6(pinocchio.Motion(tangent.numpy()))
    torch.testing.assert_close(transforms.right_jacobian(tangent), torch.tensor(theirs), rtol=0, atol=1e-9)


def test_jacobian_derivatives() -> None:
    for angle in (0.0, 1e-4, 0.99, 1.01):
        tangent = at_angle(angle)
        constant = lambda xi: transforms.left_jacobian(xi) @ transforms.left_jacobian_inverse(xi)  # noqa: E731
        assert float(jacrev(constant)(tangent).abs().max()) < 1e-12
        assert float(hessian(constant)(tangent).abs().max()) < 1e-11


def test_group_laws() -> None:
    a, b, c = (transforms.exp(tangents(20, seed)) for seed in range(3))
    eye = torch.eye(4, dtype=torch.float64).expand(20, 4, 4)
    torch.testing.assert_close(transforms.compose(a, transforms.inverse(a)), eye, rtol=0, atol=1e-14)
    torch.testing.assert_close(transforms.compose(a, b, c), a @ b @ c)
    torch.testing.assert_close(transforms.compose(a), a)
    torch.testing.assert_close(transforms.inverse(a), torch.linalg.inv(a), rtol=0, atol=1e-13)
    assert transforms.compose(a[:3, None], b[:4]).shape == (3, 4, 4, 4)


def test_adjoint() -> None:
    pose, xi = transforms.exp(tangents(20, 4)), tangents(20, 5)
    carried = (transforms.adjoint(pose) @ xi.unsqueeze(-1)).squeeze(-1)
    both = transforms.compose(pose, transforms.exp(xi), transforms.inverse(pose))
    torch.testing.assert_close(both, transforms.exp(carried), rtol=0, atol=1e-12)
    theirs = pinocchio.SE3(pose[0].numpy()).toActionMatrix()
    torch.testing.assert_close(transforms.adjoint(pose[0]), torch.tensor(np.array(theirs)), rtol=0, atol=1e-14)


def test_pose_points_and_vectors() -> None:
    rotation, translation = rotations.random_rotation(5), tangents(5)[:, :3]
    pose = transforms.pose(rotation, translation)
    points = tangents(5, 6)[:, :3]
    moved = (pose @ torch.cat([points, torch.ones(5, 1)], -1).unsqueeze(-1)).squeeze(-1)[:, :3]
    torch.testing.assert_close(transforms.transform_points(pose, points), moved)
    turned = (rotation @ points.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(transforms.transform_vectors(pose, points), turned)
    assert transforms.transform_points(pose[:, None], points[:4]).shape == (5, 4, 3)
    torch.testing.assert_close(transforms.pose(rotation)[:, :3, 3], torch.zeros(5, 3).double())
    torch.testing.assert_close(transforms.pose(None, translation)[:, :3, :3], torch.eye(3).double().expand(5, 3, 3))
    assert transforms.pose(rotation[0], translation).shape == (5, 4, 4)
    assert bool((pose[:, 3] == torch.tensor([0.0, 0, 0, 1])).all())


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        (transforms.exp, (tangents(6),)),
        (transforms.log, (transforms.exp(tangents(6)),)),
        (transforms.inverse, (transforms.exp(tangents(6)),)),
        (transforms.compose, (transforms.exp(tangents(6)), transforms.exp(tangents(6, 1)))),
        (transforms.adjoint, (transforms.exp(tangents(6)),)),
        (transforms.left_jacobian, (tangents(6),)),
        (transforms.right_jacobian_inverse, (tangents(6),)),
        (transforms.pose, (rotations.random_rotation(6), tangents(6)[:, :3])),
        (transforms.transform_points, (transforms.exp(tangents(6)), tangents(6)[:, :3])),
        (transforms.transform_vectors, (transforms.exp(tangents(6)), tangents(6)[:, :3])),
    ],
)
def test_axes_dtype_functorch_autocast_and_compile(function: object, inputs: tuple[Tensor, ...]) -> None:
    expected = function(*inputs)
    torch.testing.assert_close(function(*(each[0] for each in inputs)), expected[0], rtol=1e-12, atol=1e-13)
    assert function(*(each[:0] for each in inputs)).shape == (0, *expected.shape[1:])
    torch.testing.assert_close(vmap(function)(*inputs), expected)
    torch.testing.assert_close(vmap(jacrev(function))(*inputs), vmap(jacfwd(function))(*inputs), rtol=1e-9, atol=1e-10)
    assert bool(vmap(hessian(function))(*inputs).isfinite().all())
    single = tuple(each.float() for each in inputs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = function(*single)
    assert cast.dtype == torch.float32
    torch.testing.assert_close(cast, expected.float(), rtol=1e-4, atol=1e-4)
    torch._dynamo.reset()
    compiled = torch.compile(function, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(*inputs), expected, rtol=1e-12, atol=1e-13)


def test_bad_input() -> None:
    with pytest.raises(ShapeError, match="neither"):
        transforms.pose()
    with pytest.raises(ShapeError, match="at least one pose"):
        transforms.compose()
    with pytest.raises(ShapeError, match="pose 1"):
        transforms.compose(torch.eye(4), torch.eye(3))
    with pytest.raises(ShapeError):
        transforms.exp(torch.zeros(3))
    with pytest.raises(DtypeError):
        transforms.exp(torch.zeros(6, dtype=torch.int64))
    with pytest.raises(RotationError, match=r"\|R\^T R - I\| is 3"):
        transforms.log(torch.diag(torch.tensor([2.0, 2.0, 2.0, 1.0])))
    bent = torch.eye(4)
    bent[3, 0] = 0.1
    with pytest.raises(RotationError, match="last row"):
        transforms.log(bent)


def test_leading_axes_and_dtypes() -> None:
    pose, points = transforms.exp(tangents(6)), tangents(6)[:, :3]
    for function, first, second in (
        (transforms.compose, pose, pose),
        (transforms.transform_points, pose, points),
        (transforms.transform_vectors, pose, points),
        (transforms.pose, pose[:, :3, :3], points),
    ):
        with pytest.raises(ShapeError, match=r"do not broadcast: .*\(6,\).*\(4,\)"):
            function(first, second[:4])
        assert function(first, second.float()).dtype == torch.float64
        assert function(first.float(), second).dtype == torch.float64
