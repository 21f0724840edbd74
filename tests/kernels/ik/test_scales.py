"""How far whole turns may lead, and the numbers that go with it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from diffkin.kernels.ik.scales import NEAR2, ROUNDING, farthest_turn


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-6), (np.float32, 1e-4)])
@pytest.mark.parametrize("count", [1, 6])
def test_the_spacing_of_numbers_there_is_within_the_tolerance(dtype, tolerance, count):
    farthest = farthest_turn(tolerance, count, dtype is np.float32)
    rounding = 0.5 * float(np.spacing(dtype(farthest)))
    assert tolerance / 130.0 < count * rounding <= tolerance


def test_one_turn_either_way_is_always_allowed():
    assert farthest_turn(1e-300, 3, False) == 2 * math.pi


def test_rounding_is_that_of_float64():
    assert np.finfo(np.float64).eps / 2 == ROUNDING


def test_no_target_within_reach_is_far():
    assert 2.0**2 + math.pi**2 < NEAR2
