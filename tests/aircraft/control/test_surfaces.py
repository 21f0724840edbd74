"""Control surfaces: the torque is met where it can be, else as nearly as SciPy's bounded least squares."""

import numpy as np
import pytest
import torch
from scipy.optimize import lsq_linear

from diffkin import aircraft
from diffkin.errors import OptionError, ShapeError

F = torch.float64


def test_surfaces_meet_a_reachable_torque_and_share_it() -> None:
    B = torch.tensor([[-30.0, 30.0, 0.0, 2.0], [0.0, 0.0, -40.0, 0.0], [1.0, -1.0, 0.0, -20.0]], dtype=F)
    torque = torch.tensor([5.0, -8.0, 3.0], dtype=F)
    limit = torch.full((4,), 0.4, dtype=F)
    u = aircraft.allocate_surfaces(B, torque, -limit, limit)
    torch.testing.assert_close(B @ u, torque, rtol=1e-4, atol=0)
    torch.testing.assert_close(u[0], -u[1])
    huge = aircraft.allocate_surfaces(B, 100 * torque, -limit, limit)
    assert bool((huge.abs() <= limit).all())
    stacked = np.concatenate([B.numpy(), 1e-3 * np.linalg.norm(B.numpy(), 2) * np.eye(4)])
    expected = lsq_linear(stacked, np.concatenate([100 * torque.numpy(), np.zeros(4)]), (-0.4, 0.4), tol=1e-15).x
    np.testing.assert_allclose(huge.numpy(), expected, rtol=0, atol=1e-7)


def test_bad_input() -> None:
    B, t, limit = torch.ones(3, 4, dtype=F), torch.ones(3, dtype=F), torch.ones(4, dtype=F)
    with pytest.raises(ShapeError, match="effectiveness"):
        aircraft.allocate_surfaces(B.T, t, -limit, limit)
    with pytest.raises(OptionError, match="lower bound"):
        aircraft.allocate_surfaces(B, t, limit, -limit)
    with pytest.raises(OptionError, match="effort"):
        aircraft.allocate_surfaces(B, t, -limit, limit, effort=0.0)
    with pytest.raises(ShapeError, match="do not broadcast"):
        aircraft.allocate_surfaces(B.expand(2, 3, 4), t.expand(5, 3), -limit, limit)
    with pytest.raises(ShapeError, match="preferred"):
        aircraft.allocate_surfaces(B, t, -limit, limit, preferred=t)


def test_weights_and_preferences() -> None:
    """Against SciPy on the same stacked system, for a batch with weights of the axes and deflections to stay near."""
    rng = np.random.default_rng(2)
    B, t, wish = rng.normal(size=(20, 3, 5)), 2 * rng.normal(size=(20, 3)), 0.2 * rng.normal(size=(20, 5))
    weights, limit = np.array([3.0, 1.0, 0.2]), 0.5
    ends = torch.full((5,), limit, dtype=F)
    found = aircraft.allocate_surfaces(
        torch.tensor(B),
        torch.tensor(t),
        -ends,
        ends,
        preferred=torch.tensor(wish),
        torque_weights=torch.tensor(weights),
        effort=0.05,
    ).numpy()
    at_limits = 0
    for i in range(20):
        scaled = weights[:, None] * B[i]
        size = 0.05 * np.linalg.norm(scaled, 2)
        stacked, wanted = np.concatenate([scaled, size * np.eye(5)]), np.concatenate([weights * t[i], size * wish[i]])
        expected = lsq_linear(stacked, wanted, (-limit, limit), method="bvls", tol=1e-15).x
        np.testing.assert_allclose(found[i], expected, rtol=0, atol=1e-9)
        at_limits += int((np.abs(expected) == limit).sum())
    assert at_limits > 10
