"""Wide vectors: two registers each."""

from __future__ import annotations

import numpy as np
import pytest

from diffkin.kernels.compiled import exact
from diffkin.kernels.vectors import lanes, wide


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_twice_as_many_lanes_as_a_register(dtype):
    broad, narrow, store, splat = wide.width, lanes.width, wide.store, wide.splat

    @exact
    def run(x):
        store(x, 0, splat(x, 2.5))
        return broad(x), narrow(x)

    x = np.zeros(200, dtype)
    count, single = run(x)
    assert count == 2 * single == 2 * lanes.VECTOR_BYTES // np.dtype(dtype).itemsize
    assert (x[:count] == 2.5).all()
    assert (x[count:] == 0).all()
