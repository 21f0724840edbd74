"""Blocks of problems: what is read and written for any number of problems, and nothing beside it."""

from __future__ import annotations

import numpy as np
import pytest

from diffkin.kernels.compiled import kernel
from diffkin.kernels.tree.block import MATRIX, clipped, in_lanes, out_of_lanes, padded, spare, strided, unpad
from diffkin.kernels.vectors.lanes import VECTOR_BYTES, load, pointer, scratch, store, width

DTYPES = [np.float32, np.float64]


@kernel
def _add_one(x, y, y_stride, out, start, stop):
    """out = x + y + 1, by blocks."""
    lanes, count = width(x), stop - start
    length = x.shape[1]
    rows, more = scratch(x, length * lanes), scratch(x, length * lanes)
    fill = spare(count, lanes)
    x_from = padded(pointer(x), start, count, length, lanes, scratch(x, fill * length))
    y_from = padded(pointer(y), start, count, y_stride, lanes, scratch(x, fill * length))
    short = scratch(x, fill * length)
    out_to = clipped(pointer(out), start, count, length, short)
    end = max(count, lanes)
    for block in range(0, end, lanes):
        b = min(block, end - lanes)
        in_lanes(x_from, b * length, length, rows)
        for k in range(length):
            store(rows, k, load(rows, k) + 1.0)
        if y_stride > 0:
            in_lanes(y_from, b * length, length, more)
            for k in range(length):
                store(rows, k, load(rows, k) + load(more, k))
        elif y_stride == 0:
            for k in range(length):
                store(rows, k, load(rows, k) + y_from[k])
        out_of_lanes(rows, length, out_to, b * length)
    unpad(pointer(out), start, count, length, short)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("length", [1, 3, 4, 5, 7, 16])
@pytest.mark.parametrize("kind", ["none", "shared", "each"])
def test_every_problem_is_computed_and_no_other_touched(length, dtype, kind):
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    rng = np.random.default_rng(0)
    total = 5 * lanes
    x = rng.normal(size=(total, length)).astype(dtype)
    y = {"none": None, "shared": x[0] * 3, "each": rng.normal(size=(total, length)).astype(dtype)}[kind]
    array, stride = strided(y, 1, np.zeros((1, 1), dtype))
    assert stride == {"none": -1, "shared": 0, "each": length}[kind]
    want = x + 1 if y is None else (x + 1) + y
    for start, stop in ((0, 1), (3, 5), (2, 2 + lanes), (1, 2 * lanes), (lanes, 4 * lanes + 3), (total - 2, total)):
        out = np.full_like(x, np.nan)
        _add_one(x, array, stride, out, start, stop)
        assert np.array_equal(out[start:stop], want[start:stop])
        assert np.isnan(out[:start]).all()
        assert np.isnan(out[stop:]).all()


def test_what_is_handed_to_kernels():
    none = np.zeros((1, 4, 4))
    one, many = np.ones((4, 4)), np.ones((7, 4, 4))
    array, stride = strided(None, 2, none)
    assert array is none
    assert stride == -1
    array, stride = strided(one, 2, none)
    assert array.shape == (1, 4, 4)
    assert stride == 0
    array, stride = strided(many, 2, none)
    assert array is many
    assert stride == MATRIX
    assert strided(np.ones((0, 4, 4)), 2, none)[1] == MATRIX  # an empty batch
