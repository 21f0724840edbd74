"""The comparison with closed forms, small: the figures are there and say that nothing is missed."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("eaik")

from benchmarks.solutions import ARMS, measure  # noqa: E402


@pytest.mark.parametrize("arm", sorted(ARMS))
def test_figures_of_an_arm(arm: str) -> None:
    row = measure(arm, 2.0 * math.pi, count=5)
    assert row["of_these_found"] == row["solutions_of_eaik"] >= 5 * 4 * 64
    assert row["nearest_right"] == row["poses"] == 5
    assert all(row[name] > 0.0 for name in row if name.startswith("seconds"))
