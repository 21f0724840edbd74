"""Bodies that policies fly."""

import math

import pytest
import torch

from diffkin.errors import OptionError, ShapeError
from diffkin.learning.policy.craft import Craft, trial_craft


def test_scaled_limits_give_the_same_accelerations():
    inertia = torch.tensor([[0.8, 0.0, 0.1], [0.0, 1.1, 0.0], [0.1, 0.0, 1.7]], dtype=torch.float64)
    body = trial_craft().to(inertia)
    other = body.scaled_to(inertia)
    assert torch.allclose(other.limit / inertia.diagonal(), body.limit / body.moments)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"limit": torch.tensor([1.0, -1.0, 1.0])}, OptionError),
        ({"limit": torch.ones(2)}, ShapeError),
        ({"inertia": torch.ones(3)}, ShapeError),
        ({"dt": 0.0}, OptionError),
    ],
)
def test_bodies_that_cannot_be(change, error):
    with pytest.raises(error):
        Craft(**{"inertia": torch.eye(3), "limit": torch.ones(3), **change})


def test_the_trial_body():
    body = trial_craft()
    assert math.isclose(body.dt, 0.02)
    assert torch.equal(body.moments, torch.tensor([0.010, 0.012, 0.020]))
    assert body.to(torch.zeros(1, dtype=torch.float64)).limit.dtype == torch.float64
