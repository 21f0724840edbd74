"""Bounded least squares: against SciPy, its gradients, and the conditions of optimality."""

import numpy as np
import pytest
import torch
from scipy.optimize import lsq_linear
from torch.autograd import gradcheck

from diffkin import aircraft
from diffkin.errors import NonFiniteError, OptionError, ShapeError

F = torch.float64


@pytest.mark.parametrize(("rows", "columns"), [(4, 3), (6, 6), (9, 7)])
def test_bounded_least_squares_agrees_with_scipy(rows: int, columns: int) -> None:
    rng = np.random.default_rng(rows)
    A, b = rng.normal(size=(60, rows, columns)), 3 * rng.normal(size=(60, rows))
    low = -rng.random((60, columns))
    high = rng.random((60, columns))
    x = aircraft.bounded_least_squares(*(torch.tensor(a) for a in (A, b, low, high))).numpy()
    ends = 0
    for i in range(60):
        expected = lsq_linear(A[i], b[i], (low[i], high[i]), method="bvls", tol=1e-15).x
        np.testing.assert_allclose(x[i], expected, rtol=0, atol=1e-9)
        ends += int(((expected == low[i]) | (expected == high[i])).sum())
    assert ends > 60


def test_bounded_least_squares_gradients_and_transforms() -> None:
    rng = np.random.default_rng(5)
    A, b = torch.tensor(rng.normal(size=(4, 5, 3))), torch.tensor(3 * rng.normal(size=(4, 5)))
    low, high = torch.full((3,), -0.5, dtype=F), torch.full((3,), 0.6, dtype=F)
    args = tuple(a.requires_grad_() for a in (A, b, low, high))
    assert gradcheck(aircraft.bounded_least_squares, args)
    one = torch.func.vmap(lambda A, b: aircraft.bounded_least_squares(A, b, low, high))(A, b)
    torch.testing.assert_close(one, aircraft.bounded_least_squares(A, b, low, high))
    rows = torch.func.vmap(torch.func.jacrev(lambda b, A: aircraft.bounded_least_squares(A, b, low, high)))(b, A)
    (whole,) = torch.autograd.grad(aircraft.bounded_least_squares(A, b, low, high).sum(), b)
    torch.testing.assert_close(rows.sum(1), whole)


def test_conditions_of_optimality() -> None:
    """Karush, Kuhn and Tucker: the gradient vanishes among the free and pushes outwards at the bounds."""
    rng = np.random.default_rng(7)
    A, b = torch.tensor(rng.normal(size=(200, 8, 6))), torch.tensor(3 * rng.normal(size=(200, 8)))
    high = torch.tensor(0.2 + rng.random((200, 6)))
    x = aircraft.bounded_least_squares(A, b, -high, high)
    slope = (A.mT @ ((A @ x.unsqueeze(-1)).squeeze(-1) - b).unsqueeze(-1)).squeeze(-1)
    free, top, bottom = (x.abs() < high), x == high, x == -high
    assert min(int(part.sum()) for part in (free, top, bottom)) > 50
    assert float(slope[free].abs().max()) < 1e-11
    assert float(slope[top].max()) < 1e-11
    assert float(slope[bottom].min()) > -1e-11


def test_equal_bounds_hold_a_variable() -> None:
    A = torch.tensor([[1.0, 0.3], [0.2, 1.0], [0.5, 0.5]], dtype=F)
    b, held = torch.tensor([1.0, 2.0, 0.5], dtype=F), torch.tensor([0.25, -9.0], dtype=F)
    x = aircraft.bounded_least_squares(A, b, held, torch.tensor([0.25, 9.0], dtype=F))
    rest = b - 0.25 * A[:, 0]
    torch.testing.assert_close(x, torch.stack([held[0], (A[:, 1] @ rest) / (A[:, 1] @ A[:, 1])]))


def test_bad_input() -> None:
    A, b, bound = torch.eye(4, 3, dtype=F), torch.ones(4, dtype=F), torch.ones(3, dtype=F)
    with pytest.raises(ShapeError, match="matrix"):
        aircraft.bounded_least_squares(b, b, -bound, bound)
    with pytest.raises(ShapeError, match="target"):
        aircraft.bounded_least_squares(A, bound, -bound, bound)
    with pytest.raises(ShapeError, match="upper"):
        aircraft.bounded_least_squares(A, b, -bound, b)
    with pytest.raises(ShapeError, match="do not broadcast"):
        aircraft.bounded_least_squares(A.expand(2, 4, 3), b.expand(3, 4), -bound, bound)
    with pytest.raises(NonFiniteError, match="target"):
        aircraft.bounded_least_squares(A, b / 0.0, -bound, bound)
    with pytest.raises(OptionError, match="lower bound"):
        aircraft.bounded_least_squares(A, b, bound, -bound)
