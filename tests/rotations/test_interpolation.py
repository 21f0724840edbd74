"""Slerp and squad."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation, Slerp
from torch import Tensor
from torch.func import hessian, jacfwd

from diffkin import rotations
from diffkin.errors import DtypeError, RotationError


def test_slerp_matches_scipy() -> None:
    keys = rotations.random_rotation(2, seed=3)
    times = torch.linspace(0, 1, 21, dtype=torch.float64)
    expected = torch.tensor(Slerp([0, 1], Rotation.from_matrix(keys.numpy()))(times.numpy()).as_matrix())
    torch.testing.assert_close(rotations.slerp(keys[0], keys[1], times), expected, rtol=0, atol=2e-15)


def test_slerp_turns_at_constant_rate() -> None:
    start, end = rotations.random_rotation(2, seed=4)
    angle = rotations.angle_between(start, end)
    for t in (0.0, 0.25, 0.5, 1.0):
        torch.testing.assert_close(rotations.angle_between(start, rotations.slerp(start, end, t)), t * angle)
    assert rotations.slerp(start.expand(4, 1, 3, 3), end, torch.rand(5, dtype=torch.float64)).shape == (4, 5, 3, 3)


def test_slerp_between_equal_attitudes_is_right_to_second_order() -> None:
    """slerp(I, exp(v), t) = exp(t v): the derivatives in v at v = 0 are those of the exponential."""
    eye = torch.eye(3, dtype=torch.float64)
    zero = torch.zeros(3, dtype=torch.float64)

    def path(v: Tensor) -> Tensor:
        return rotations.slerp(eye, rotations.rotvec_to_matrix(v), 0.3)

    def expected(v: Tensor) -> Tensor:
        return rotations.rotvec_to_matrix(0.3 * v)

    for function in (jacfwd, hessian):
        torch.testing.assert_close(function(path)(zero), function(expected)(zero), rtol=0, atol=1e-14)


def test_slerp_at_half_a_turn_goes_one_way() -> None:
    eye = torch.eye(3, dtype=torch.float64)
    end = rotations.rotvec_to_matrix(torch.tensor([0.0, pi, 0.0], dtype=torch.float64))
    middle = rotations.slerp(eye, end, 0.5)
    torch.testing.assert_close(rotations.angle_between(eye, middle), torch.tensor(pi / 2, dtype=torch.float64))


def test_squad_passes_the_keys_with_one_velocity() -> None:
    steps = 0.6 * torch.randn(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    keys = [torch.eye(3, dtype=torch.float64)]
    for step in steps:
        keys.append(keys[-1] @ rotations.rotvec_to_matrix(step))
    torch.testing.assert_close(rotations.squad(*keys[:4], 0.0), keys[1], rtol=0, atol=1e-15)
    torch.testing.assert_close(rotations.squad(*keys[:4], 1.0), keys[2], rtol=0, atol=2e-15)

    def velocity(four: list[Tensor], t: float) -> Tensor:
        place, slope = torch.func.jvp(
            lambda s: rotations.squad(*four, s), (torch.tensor(t, dtype=torch.float64),), (torch.ones(()).double(),)
        )
        return rotations.vee(place.T @ slope)

    torch.testing.assert_close(velocity(keys[:4], 1.0), velocity(keys[1:5], 0.0), rtol=0, atol=1e-13)


def test_squad_about_one_axis_is_the_scalar_spline() -> None:
    """Shoemake's construction on a line: nested linear interpolation of angles."""
    angles = [0.1, 0.4, 1.1, 1.3]
    axis = torch.tensor([0.0, 0.6, 0.8], dtype=torch.float64)
    keys = [rotations.rotvec_to_matrix(a * axis) for a in angles]
    inner = [
        angles[1] - 0.25 * (angles[2] + angles[0] - 2 * angles[1]),
        angles[2] - 0.25 * (angles[3] + angles[1] - 2 * angles[2]),
    ]
    for t in (0.2, 0.5, 0.9):
        straight = (1 - t) * angles[1] + t * angles[2]
        bent = (1 - t) * inner[0] + t * inner[1]
        expected = straight + 2 * t * (1 - t) * (bent - straight)
        torch.testing.assert_close(
            rotations.matrix_to_rotvec(rotations.squad(*keys, t)), expected * axis, rtol=0, atol=1e-14
        )


def test_bad_input() -> None:
    eye = torch.eye(3)
    with pytest.raises(RotationError, match="end"):
        rotations.slerp(eye, 2.0 * eye, 0.5)
    with pytest.raises(DtypeError, match="t must be floating"):
        rotations.slerp(eye, eye, torch.tensor(1))
    with pytest.raises(RotationError, match="after"):
        rotations.squad(eye, eye, eye, 3.0 * eye, 0.5)


def test_one_number_does_not_widen_the_dtype() -> None:
    """As in torch, where a tensor without axes plays no part in the dtype."""
    keys = rotations.random_rotation(4, seed=3, dtype=torch.float32)
    numbers = (0.3, np.float64(0.3), torch.tensor(0.3), torch.tensor(0.3, dtype=torch.float64))
    for t in numbers:
        assert torch.result_type(keys, torch.as_tensor(t)) == torch.float32
        assert rotations.slerp(keys[0], keys[1], t).dtype == torch.float32
        assert rotations.slerp(keys[0], keys[1].double(), t).dtype == torch.float64
        assert rotations.squad(*keys, t).dtype == torch.float32
    several = torch.tensor([0.3, 0.6], dtype=torch.float64)
    assert rotations.slerp(keys[0], keys[1], several).dtype == torch.float64
    assert rotations.slerp(keys[0], keys[1], several.float()).dtype == torch.float32
    assert rotations.slerp(keys[0].tolist(), keys[1].numpy(), [0.3, 1]).shape == (2, 3, 3)
