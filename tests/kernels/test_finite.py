"""Whether all numbers are finite, against NumPy."""

import numpy as np
import pytest

from diffkin.kernels.finite import GRAIN, all_finite


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("size", [1, 7, GRAIN + 1, 5 * GRAIN + 3])
def test_one_bad_number_is_found_wherever_it_is(dtype, bad, size):
    values = np.random.default_rng(0).standard_normal(size).astype(dtype)
    assert all_finite(values)
    for place in {0, size // 2, size - 1}:
        spoilt = values.copy()
        spoilt[place] = bad
        assert not all_finite(spoilt)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_whose_sum_overflows_are_finite(dtype):
    top = np.finfo(dtype).max
    assert all_finite(np.full((3, 5), top, dtype))
    assert all_finite(np.array([top, -top, np.finfo(dtype).tiny, 0.0], dtype))


def test_nothing_is_finite():
    assert all_finite(np.zeros((0, 7)))
