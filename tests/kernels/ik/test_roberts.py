"""The steps of Roberts' sequence."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats.qmc import discrepancy

from diffkin.kernels.ik.roberts import roberts_steps


@pytest.mark.parametrize("dimension", [1, 2, 7, 60])
def test_steps_are_powers_of_the_generalised_golden_ratio(dimension):
    steps = roberts_steps(dimension)
    g = np.roots([1.0, *[0.0] * (dimension - 1), -1.0, -1.0])
    ratio = float(g[np.abs(g.imag) < 1e-9].real.max())
    np.testing.assert_allclose(steps, ratio ** -np.arange(1.0, dimension + 1.0), rtol=1e-12)


def test_points_are_more_even_than_chance():
    points = (0.5 + np.arange(1, 513)[:, None] * roberts_steps(3)) % 1
    chance = np.random.default_rng(0).random((512, 3))
    assert discrepancy(points) < 0.2 * discrepancy(chance)
