"""Euler angles in all 24 spellings, and at the pole."""

from __future__ import annotations

import math

import pybullet
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.func import hessian, jacrev

from diffkin import rotations
from diffkin.errors import RotationError, ShapeError, UnknownNameError
from diffkin.rotations import EULER_SEQUENCES


def uniform(count: int, low: float, high: float, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(count, 3, generator=generator, dtype=torch.float64)


def is_proper(sequence: str) -> bool:
    return sequence[0] == sequence[2]


def test_there_are_24_spellings() -> None:
    assert len(set(EULER_SEQUENCES)) == 24


@pytest.mark.parametrize("sequence", EULER_SEQUENCES)
def test_matches_scipy(sequence: str) -> None:
    angles = uniform(300, -7.0, 7.0)
    expected = Rotation.from_euler(sequence, angles.numpy())
    matrix = rotations.euler_to_matrix(angles, sequence)
    torch.testing.assert_close(matrix, torch.tensor(expected.as_matrix()), rtol=0, atol=3e-15)
    torch.testing.assert_close(
        rotations.matrix_to_euler(matrix, sequence), torch.tensor(expected.as_euler(sequence)), rtol=0, atol=1e-11
    )


@pytest.mark.parametrize("sequence", EULER_SEQUENCES)
def test_first_and_second_derivative_undo_each_other(sequence: str) -> None:
    """matrix_to_euler(euler_to_matrix(a)) = a on the principal branch: Jacobian the identity, Hessian zero."""
    angles = torch.tensor([0.3, 0.7, -0.4], dtype=torch.float64)

    def back(a: Tensor) -> Tensor:
        return rotations.matrix_to_euler(rotations.euler_to_matrix(a, sequence), sequence)

    torch.testing.assert_close(back(angles), angles, rtol=0, atol=1e-15)
    torch.testing.assert_close(jacrev(back)(angles), torch.eye(3, dtype=torch.float64), rtol=0, atol=1e-14)
    assert float(hessian(back)(angles).abs().max()) < 1e-13


@pytest.mark.parametrize("gap", [0.0, 1e-16, 1e-12, 1e-8, 1e-6, 1e-3])
@pytest.mark.parametrize("sequence", EULER_SEQUENCES)
def test_round_trip_at_the_pole(sequence: str, gap: float) -> None:
    angles = uniform(100, -3.0, 3.0)
    poles = (0.0, math.pi) if is_proper(sequence) else (-math.pi / 2, math.pi / 2)
    for pole in poles:
        for signed in (gap, -gap):
            angles[:, 1] = pole + signed
            matrix = rotations.euler_to_matrix(angles, sequence)
            found = rotations.matrix_to_euler(matrix, sequence)
            back = rotations.euler_to_matrix(found, sequence)
            assert float((back - matrix).abs().max()) < 1e-14
            assert float(rotations.angle_between(back, matrix).max()) < 1e-14


@pytest.mark.parametrize("sequence", ["ZYX", "ZXZ", "xyz", "zyz"])
@pytest.mark.parametrize("gap", [0.0, 1e-12, 1e-8])
def test_derivatives_at_the_pole_are_finite(sequence: str, gap: float) -> None:
    pole = 0.0 if is_proper(sequence) else math.pi / 2
    matrix = rotations.euler_to_matrix(torch.tensor([0.5, pole - gap, -0.8], dtype=torch.float64), sequence)
    slope = jacrev(lambda m: rotations.matrix_to_euler(m, sequence))(matrix)
    assert bool(slope.isfinite().all())
    assert bool(hessian(lambda m: rotations.matrix_to_euler(m, sequence))(matrix).isfinite().all())


def test_pole_gives_zero_third_angle() -> None:
    """At the pole the third angle is 0 and the first carries the turn, as in SciPy."""
    for sequence in ("ZYX", "zyx", "xyz", "XZY"):
        matrix = rotations.euler_to_matrix(torch.tensor([0.5, math.pi / 2, 0.2], dtype=torch.float64), sequence)
        found = rotations.matrix_to_euler(matrix, sequence)
        assert float(found[2]) == 0.0
        assert float(found[1]) == pytest.approx(math.pi / 2, abs=1e-15)
        with pytest.warns(UserWarning, match="Gimbal lock"):
            expected = Rotation.from_matrix(matrix.numpy()).as_euler(sequence)
        torch.testing.assert_close(found, torch.tensor(expected), rtol=0, atol=1e-7)


def test_float32_round_trip_at_the_pole() -> None:
    angles = uniform(100, -3.0, 3.0).float()
    for gap in (0.0, 1e-7, 1e-4, 1e-2):
        angles[:, 1] = math.pi / 2 - gap
        matrix = rotations.euler_to_matrix(angles, "ZYX")
        back = rotations.euler_to_matrix(rotations.matrix_to_euler(matrix, "ZYX"), "ZYX")
        assert back.dtype == torch.float32
        assert float((back - matrix).abs().max()) < 1e-6


def test_lower_case_xyz_is_pybullets() -> None:
    for angles in uniform(50, -3.0, 3.0, seed=3):
        quat = pybullet.getQuaternionFromEuler(angles.tolist())
        expected = torch.tensor(pybullet.getMatrixFromQuaternion(quat), dtype=torch.float64).reshape(3, 3)
        torch.testing.assert_close(rotations.euler_to_matrix(angles, "xyz"), expected, rtol=0, atol=1e-14)
        mine = rotations.matrix_to_quat_xyzw(rotations.euler_to_matrix(angles, "xyz"))
        theirs = torch.tensor(quat, dtype=torch.float64)
        torch.testing.assert_close(rotations.quat_xyzw_closest_to(mine, theirs), theirs, rtol=0, atol=1e-14)
        torch.testing.assert_close(
            rotations.euler_to_matrix(torch.tensor(pybullet.getEulerFromQuaternion(quat), dtype=torch.float64), "xyz"),
            expected,
            rtol=0,
            atol=1e-12,
        )


def test_unknown_sequence_names_the_closest() -> None:
    angles = torch.zeros(3)
    for wrong in ("ZYZX", "Zyx", "XXY", "", 3):
        with pytest.raises(UnknownNameError, match="Euler sequence"):
            rotations.euler_to_matrix(angles, wrong)
    with pytest.raises(UnknownNameError, match="ZYX"):
        rotations.matrix_to_euler(torch.eye(3), "ZYXX")
    with pytest.raises(UnknownNameError):
        rotations.body_rate_matrix(angles, "ABC")


def test_bad_matrix_and_shape() -> None:
    with pytest.raises(RotationError, match=r"\|R\^T R - I\| is 3"):
        rotations.matrix_to_euler(2.0 * torch.eye(3), "ZYX")
    with pytest.raises(ShapeError):
        rotations.euler_to_matrix(torch.zeros(4), "ZYX")


FEW = ["X", "y", "Z", "XY", "YX", "yz", "zy", "ZX", "xz", "xy", "yx", "ZY"]


@pytest.mark.parametrize("sequence", FEW)
def test_one_and_two_letters_as_scipy(sequence: str) -> None:
    angles = uniform(300, -3.1, 3.1)[:, : len(sequence)]
    matrix = rotations.euler_to_matrix(angles, sequence)
    expected = torch.tensor(Rotation.from_euler(sequence, angles.numpy()).as_matrix())
    torch.testing.assert_close(matrix, expected, rtol=0, atol=1e-15)
    torch.testing.assert_close(rotations.matrix_to_euler(matrix, sequence), angles, rtol=0, atol=2e-15)

    def back(a: Tensor) -> Tensor:
        return rotations.matrix_to_euler(rotations.euler_to_matrix(a, sequence), sequence)

    torch.testing.assert_close(jacrev(back)(angles[0]), torch.eye(len(sequence)).double(), rtol=0, atol=1e-14)
    assert float(hessian(back)(angles[0]).abs().max()) < 1e-13


def test_every_short_spelling_and_no_other() -> None:
    letters = [a + b for a in "XYZ" for b in ("", "X", "Y", "Z") if a != b]
    for sequence in letters + [each.lower() for each in letters]:
        assert rotations.euler_to_matrix(torch.zeros(len(sequence)), sequence).equal(torch.eye(3))
    for wrong in ("XX", "zz", "Xy", "A", "", " z"):
        with pytest.raises(UnknownNameError, match="Euler sequence"):
            rotations.euler_to_matrix(torch.zeros(2), wrong)


def test_one_letter_takes_one_number() -> None:
    quarter = rotations.euler_to_matrix(math.pi / 2, "z")
    torch.testing.assert_close(quarter, torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]).double(), rtol=0, atol=1e-15)
    assert rotations.euler_to_matrix(torch.zeros(5, 1), "z").shape == (5, 3, 3)
    with pytest.raises(ShapeError, match=r"\(\*batch, 1\), got \(5,\)"):
        rotations.euler_to_matrix(torch.zeros(5), "z")
    with pytest.raises(ShapeError):
        rotations.euler_to_matrix(0.5, "zx")


def test_few_letters_describe_few_rotations() -> None:
    tilted = rotations.euler_to_matrix([0.3, 0.2, 0.1], "ZYX")
    for sequence in FEW:
        with pytest.raises(RotationError, match=rf"no turn '{sequence}'.*off by 0\.\d.*Three letters"):
            rotations.matrix_to_euler(tilted, sequence)
        assert bool(rotations.matrix_to_euler(tilted, sequence, check=False).isfinite().all())
    exact = rotations.euler_to_matrix([0.3, 0.2], "ZY")
    nearly = exact @ rotations.rotvec_to_matrix([2e-6, 0.0, 0.0])
    torch.testing.assert_close(
        rotations.matrix_to_euler(nearly, "ZY"), torch.tensor([0.3, 0.2]).double(), atol=1e-5, rtol=0
    )
    for single in (exact.float(), exact.float().expand(4, 3, 3)):
        assert rotations.matrix_to_euler(single, "ZY").dtype == torch.float32
    assert rotations.matrix_to_euler(torch.zeros(0, 3, 3), "ZY").shape == (0, 2)
    for rates in (rotations.euler_rate_matrix, rotations.body_rate_matrix, rotations.euler_rate_condition):
        with pytest.raises(UnknownNameError, match="three letters"):
            rates(torch.zeros(2), "ZY")


@pytest.mark.parametrize("sequence", ["ZYX", "xyz", "ZXZ", "zx", "Y"])
def test_degrees(sequence: str) -> None:
    angles = uniform(50, -85.0, 85.0)[:, : len(sequence)].abs()
    expected = torch.tensor(Rotation.from_euler(sequence, angles.numpy(), degrees=True).as_matrix())
    matrix = rotations.euler_to_matrix(angles, sequence, degrees=True)
    torch.testing.assert_close(matrix, expected, rtol=0, atol=2e-15)
    torch.testing.assert_close(rotations.matrix_to_euler(matrix, sequence, degrees=True), angles, rtol=0, atol=1e-10)
    slope = jacrev(lambda a: rotations.euler_to_matrix(a, sequence, degrees=True))(angles[0])
    radians = jacrev(lambda a: rotations.euler_to_matrix(a, sequence))(torch.deg2rad(angles[0]))
    torch.testing.assert_close(slope, radians * math.pi / 180.0, rtol=0, atol=1e-15)


@pytest.mark.parametrize("wrong", [None, 3, ["Z"], torch.ones(3), b"ZYX", ("Z", "Y", "X")], ids=str)
def test_a_sequence_is_text(wrong: object) -> None:
    for call in (
        lambda: rotations.euler_to_matrix(torch.zeros(3), wrong),
        lambda: rotations.matrix_to_euler(torch.eye(3), wrong),
        lambda: rotations.body_rate_matrix(torch.zeros(3), wrong),
        lambda: rotations.euler_closest_to(torch.zeros(3), torch.zeros(3), wrong),
    ):
        with pytest.raises(UnknownNameError, match="Euler sequence"):
            call()
