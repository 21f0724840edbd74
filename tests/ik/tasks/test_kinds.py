"""Kinds of targets: what is refused, what rounded ones stand for, how they look from a base."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import polar

from diffkin import rotations, transforms
from diffkin.errors import NonFiniteError, RotationError, ShapeError
from diffkin.ik.tasks.kinds import DIRECTION, NUMBER, NUMBERS, POINT, POSE, ROTATION

R = rotations.random_rotation(4, seed=1, dtype=torch.float64)
P = torch.randn(4, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
T = transforms.pose(R, P)
BASE = transforms.pose(rotations.random_rotation(4, seed=3, dtype=torch.float64), P.flip(0))


@pytest.mark.parametrize(
    ("kind", "bad", "error"),
    [
        (POSE, T[:, :3], ShapeError),
        (POSE, 2.0 * T, RotationError),
        (ROTATION, -R, RotationError),
        (POINT, P[:, :2], ShapeError),
        (POINT, P / 0.0, NonFiniteError),
        (DIRECTION, 0.0 * P, RotationError),
        (NUMBERS, P / 0.0, NonFiniteError),
        (NUMBERS, P[0, 0], ShapeError),
        (NUMBER, P / 0.0, NonFiniteError),
    ],
)
def test_what_is_refused(kind, bad, error):
    with pytest.raises(error, match="goal"):
        kind.check(bad, "goal")


def test_what_is_accepted():
    for kind, target in ((POSE, T), (ROTATION, R), (POINT, 0.0 * P), (DIRECTION, P), (NUMBERS, P), (NUMBER, P[0, 0])):
        kind.check(target, "goal")


def test_rounded_rotations_stand_for_the_polar_factor():
    rough = R + 1e-6 * torch.randn(4, 3, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    nearest = np.stack([polar(matrix)[0] for matrix in rough.numpy()])
    np.testing.assert_allclose(ROTATION.exact(rough).numpy(), nearest, atol=1e-14)
    exact = POSE.exact(transforms.pose(rough, P))
    np.testing.assert_allclose(exact[:, :3, :3].numpy(), nearest, atol=1e-14)
    assert torch.equal(exact[:, :3, 3], P)
    assert POINT.exact(P) is P
    assert DIRECTION.exact(P) is P
    assert NUMBERS.exact(P) is NUMBER.exact(P) is NUMBERS.seen_from(P, BASE) is NUMBER.seen_from(P, BASE) is P
    assert POSE.exact(T[:0]).shape == (0, 4, 4)


def test_seen_from_a_base():
    inverse = torch.linalg.inv(BASE)
    torch.testing.assert_close(POSE.seen_from(T, BASE), inverse @ T, rtol=0, atol=1e-14)
    torch.testing.assert_close(ROTATION.seen_from(R, BASE), inverse[:, :3, :3] @ R, rtol=0, atol=1e-14)
    point = torch.cat((P, torch.ones(4, 1)), dim=-1)
    torch.testing.assert_close(POINT.seen_from(P, BASE), (inverse @ point[..., None])[:, :3, 0], rtol=0, atol=1e-14)
    along = (inverse[:, :3, :3] @ P[..., None])[..., 0]
    torch.testing.assert_close(DIRECTION.seen_from(P, BASE), along, rtol=0, atol=1e-14)
