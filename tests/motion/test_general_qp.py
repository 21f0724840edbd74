"""Least squares within bounds and inequalities against SciPy's sequential quadratic programs."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from scipy.optimize import linprog, minimize

from diffkin.errors import MissingDependencyError
from diffkin.motion.box_qp import solve_box_least_squares
from diffkin.motion.general_qp import solve_general_least_squares

pytest.importorskip("daqp")
DOUBLE = torch.float64


def program(n: int, rows: int, share: float, seed: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=DOUBLE)

    weight = torch.full((n, 7), share, dtype=DOUBLE)
    low, high = (
        -torch.rand(n, 7, generator=generator, dtype=DOUBLE),
        torch.rand(n, 7, generator=generator, dtype=DOUBLE),
    )
    return (
        normal(n, 6, 7),
        normal(n, 6),
        weight,
        0.3 * normal(n, 7),
        low,
        high,
        normal(n, rows, 7),
        0.2 * normal(n, rows).abs(),
    )


@pytest.mark.parametrize("rows", [1, 3])
def test_equal_to_scipy(rows: int) -> None:
    parts = program(15, rows, 0.1, seed=rows)
    x = solve_general_least_squares(*parts)
    held = 0
    for row in range(15):
        matrix, given, weight, wanted, low, high, left, right = (part[row].numpy() for part in parts)

        def cost(y: np.ndarray) -> float:
            return float(np.square(matrix @ y + given).sum() + (weight * np.square(y - wanted)).sum())  # noqa: B023

        peer = minimize(
            cost, np.zeros(7), method="SLSQP", bounds=list(zip(low, high, strict=True)), tol=1e-14,
            constraints={"type": "ineq", "fun": lambda y: right - left @ y}, options={"maxiter": 500},  # noqa: B023
        )  # fmt: skip
        ours = x[row].numpy()
        assert ((ours >= low) & (ours <= high)).all() and (left @ ours <= right + 1e-9).all()
        assert cost(ours) <= peer.fun + 1e-9
        np.testing.assert_allclose(ours, peer.x, atol=2e-5)
        held += bool((left @ ours > right - 1e-9).any())
    assert held > 5  # inequalities counted


def test_rows_that_do_not_count_leave_the_box_program() -> None:
    parts = program(30, 2, 1e-8, seed=9)
    right = torch.full_like(parts[-1], torch.inf)
    for left, h in ((parts[-2], right), (parts[-2][:, :0], right[:, :0])):
        x = solve_general_least_squares(*parts[:-2], left, h)
        torch.testing.assert_close(x, solve_box_least_squares(*parts[:-2]), atol=1e-6, rtol=0.0)
    assert solve_general_least_squares(*(part[:0] for part in parts)).shape == (0, 7)


@pytest.mark.parametrize("share", [1e-6, 1e-10])
def test_inequalities_hold_where_weights_are_small(share: float) -> None:
    parts = program(50, 3, share, seed=4)
    x = solve_general_least_squares(*parts)
    broken = (parts[-2] @ x[..., None]).squeeze(-1) - parts[-1]
    assert float(broken.max()) <= 1e-9


def test_what_cannot_be_kept_is_broken_least() -> None:
    parts = list(program(20, 3, 1e-3, seed=7))
    parts[-1] = -2.0 - parts[-1]
    x = solve_general_least_squares(*parts)
    infeasible = 0
    for row in range(20):
        low, high, left, right = (part[row].numpy() for part in parts[-4:])
        box = list(zip(low, high, strict=True))
        if linprog(np.zeros(7), left, right, bounds=box).status != 2:
            assert (left @ x[row].numpy() <= right + 1e-9).all()
            continue
        infeasible += 1

        def broken(y: np.ndarray) -> float:
            return float(np.square(np.maximum(left @ y - right, 0.0)).sum())  # noqa: B023

        best = min(
            minimize(broken, start, bounds=box, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-10}).fun
            for start in (low, high, 0.5 * (low + high))
        )
        assert broken(x[row].numpy()) <= best + 1e-6
        assert ((x[row].numpy() >= low) & (x[row].numpy() <= high)).all()
    assert infeasible > 5


def test_the_extra_is_named_where_daqp_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "daqp", None)
    with pytest.raises(MissingDependencyError, match=r"diffkin\[servo\]"):
        solve_general_least_squares(*program(1, 1, 0.1, seed=1))
