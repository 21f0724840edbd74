"""Quaternions against SciPy, RoMa and PyBullet."""

from __future__ import annotations

from math import pi

import mujoco
import numpy as np
import pybullet
import pytest
import roma
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.func import hessian, jacrev

from diffkin import rotations
from diffkin.errors import RotationError, ShapeError


def quats(count: int = 200, seed: int = 0) -> Tensor:
    return torch.randn(count, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_to_matrix_of_any_length() -> None:
    quat = quats()
    expected = torch.tensor(Rotation.from_quat(quat.numpy()).as_matrix())
    torch.testing.assert_close(rotations.quat_xyzw_to_matrix(quat), expected, rtol=0, atol=2e-15)
    torch.testing.assert_close(rotations.quat_xyzw_to_matrix(-100.0 * quat), expected, rtol=0, atol=2e-15)
    for one in quat[:20]:
        unit = one / one.norm()
        theirs = torch.tensor(pybullet.getMatrixFromQuaternion(unit.tolist()), dtype=torch.float64).reshape(3, 3)
        torch.testing.assert_close(rotations.quat_xyzw_to_matrix(one), theirs, rtol=0, atol=2e-15)


def test_from_matrix_with_every_component_largest() -> None:
    quat = rotations.quat_xyzw_normalize(quats(500, seed=1))
    assert set(quat.abs().argmax(-1).tolist()) == {0, 1, 2, 3}
    matrix = rotations.quat_xyzw_to_matrix(quat)
    found = rotations.matrix_to_quat_xyzw(matrix)
    assert float(found[:, 3].min()) >= 0.0
    torch.testing.assert_close(rotations.quat_xyzw_closest_to(found, quat), quat, rtol=0, atol=2e-15)
    theirs = torch.tensor(Rotation.from_matrix(matrix.numpy()).as_quat(canonical=True))
    torch.testing.assert_close(found, theirs, rtol=0, atol=2e-15)


@pytest.mark.parametrize(
    "quat", [[0, 0, 0, 1.0], [1.0, 0, 0, 1e-9], [0, 1.0, 0, 1e-9], [0.1, 0.2, 1.0, 1e-9], [1.0, 1, 1, 1]]
)
def test_second_order_round_trip(quat: list[float]) -> None:
    """matrix -> quaternion undoes quaternion -> matrix: the projector onto the unit sphere, to second order."""
    start = torch.tensor(quat, dtype=torch.float64)

    def back(q: Tensor) -> Tensor:
        return rotations.matrix_to_quat_xyzw(rotations.quat_xyzw_to_matrix(q))

    torch.testing.assert_close(jacrev(back)(start), jacrev(rotations.quat_xyzw_normalize)(start), rtol=0, atol=1e-14)
    torch.testing.assert_close(hessian(back)(start), hessian(rotations.quat_xyzw_normalize)(start), rtol=0, atol=1e-13)


def test_half_turns_exactly() -> None:
    axes = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.6, 0.8, 0], [0, -0.6, 0.8]], dtype=torch.float64)
    matrix = 2.0 * axes.unsqueeze(-1) * axes.unsqueeze(-2) - torch.eye(3, dtype=torch.float64)
    quat = rotations.matrix_to_quat_xyzw(matrix)
    along = (quat[:, :3] * axes).sum(-1).abs()
    torch.testing.assert_close(along, torch.ones(5, dtype=torch.float64), rtol=0, atol=1e-15)
    assert float(quat[:, 3].abs().max()) < 1e-15
    slope = jacrev(lambda m: rotations.matrix_to_rotvec(m).sum(0))(matrix)
    assert bool(slope.isfinite().all())
    torch.testing.assert_close(rotations.matrix_to_rotvec(matrix).norm(dim=-1), torch.full((5,), pi).double())


def test_algebra() -> None:
    a, b = quats(seed=2), quats(seed=3)
    product = rotations.quat_xyzw_multiply(a, b)
    torch.testing.assert_close(product, roma.quat_product(a, b), rtol=0, atol=1e-14)
    torch.testing.assert_close(
        rotations.quat_xyzw_to_matrix(product), rotations.quat_xyzw_to_matrix(a) @ rotations.quat_xyzw_to_matrix(b)
    )
    one = torch.tensor([0.0, 0, 0, 1], dtype=torch.float64).expand(200, 4)
    torch.testing.assert_close(rotations.quat_xyzw_multiply(a, rotations.quat_xyzw_inverse(a)), one, rtol=0, atol=1e-14)
    torch.testing.assert_close(rotations.quat_xyzw_conjugate(a), roma.quat_conjugation(a))
    torch.testing.assert_close(rotations.quat_xyzw_normalize(a).norm(dim=-1), torch.ones(200).double())
    vector = torch.randn(200, 3, dtype=torch.float64)
    torch.testing.assert_close(
        rotations.quat_xyzw_rotate(a, vector),
        (rotations.quat_xyzw_to_matrix(a) @ vector.unsqueeze(-1)).squeeze(-1),
        rtol=0,
        atol=1e-13,
    )
    assert rotations.quat_xyzw_multiply(a[:5, None], b[:7]).shape == (5, 7, 4)
    assert rotations.quat_xyzw_rotate(a[0], vector).shape == (200, 3)


@pytest.mark.parametrize(
    "function",
    [
        rotations.quat_xyzw_to_matrix,
        rotations.quat_xyzw_to_rotvec,
        rotations.quat_xyzw_normalize,
        rotations.quat_xyzw_inverse,
        rotations.quat_xyzw_body_rate_matrix,
    ],
)
def test_zero_quaternion(function: object) -> None:
    quat = torch.ones(2, 4)
    quat[1] = 0.0
    with pytest.raises(RotationError, match="zero"):
        function(quat)
    with pytest.raises(ShapeError):
        function(torch.ones(3))


def test_matrix_that_is_no_rotation_says_how_far() -> None:
    eye = torch.eye(3, dtype=torch.float64)
    with pytest.raises(RotationError, match="is 0.0201"):
        rotations.matrix_to_quat_xyzw(torch.diag(torch.tensor([1.01, 1.0, 1.0], dtype=torch.float64)))
    with pytest.raises(RotationError, match="reflection"):
        rotations.matrix_to_rotvec(-eye)
    slightly = eye + 1e-6
    assert bool(rotations.matrix_to_quat_xyzw(slightly).isfinite().all())
    assert jacrev(rotations.matrix_to_quat_xyzw)(2.0 * eye).shape == (4, 3, 3)


def test_scalar_first_as_mujoco_has_it() -> None:
    quat = quats()
    wxyz = rotations.quat_xyzw_to_wxyz(quat)
    assert torch.equal(wxyz, torch.cat([quat[:, 3:], quat[:, :3]], -1))
    assert torch.equal(rotations.quat_wxyz_to_xyzw(wxyz), quat)
    expected = np.empty((len(quat), 9))
    for row, one in zip(expected, wxyz.numpy(), strict=True):
        mujoco.mju_quat2Mat(row, one / np.linalg.norm(one))
    matrix = torch.tensor(expected).reshape(-1, 3, 3)
    torch.testing.assert_close(rotations.quat_wxyz_to_matrix(wxyz), matrix, rtol=0, atol=2e-15)
    found = rotations.matrix_to_quat_wxyz(matrix)
    assert found[:, 0].min().item() >= 0.0
    theirs = torch.tensor(Rotation.from_matrix(expected.reshape(-1, 3, 3)).as_quat(canonical=True, scalar_first=True))
    torch.testing.assert_close(found, theirs, rtol=0, atol=2e-15)
    with pytest.raises(ShapeError, match="quat_wxyz"):
        rotations.quat_wxyz_to_matrix(torch.ones(3))
    with pytest.raises(RotationError):
        rotations.matrix_to_quat_wxyz(2.0 * torch.eye(3))
    assert bool(rotations.matrix_to_quat_wxyz(1.001 * torch.eye(3), check=False).isfinite().all())


def test_arrays_and_lists() -> None:
    quat = quats(3)
    expected = rotations.quat_xyzw_to_matrix(quat)
    for given in (quat.numpy(), quat.tolist(), tuple(map(tuple, quat.tolist())), list(quat), list(quat.numpy())):
        found = rotations.quat_xyzw_to_matrix(given)
        assert found.dtype == torch.float64
        assert torch.equal(found, expected)
    assert rotations.quat_xyzw_to_matrix(quat.float().numpy()).dtype == torch.float32
    assert rotations.quat_xyzw_rotate([0, 0, 1, 1], [1, 0, 0]).tolist() == [0.0, 1.0, 0.0]
