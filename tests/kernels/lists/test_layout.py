"""Arrays are cut into parts that do not overlap and leave nothing over."""

from __future__ import annotations

import numpy as np
import pytest

from diffkin.kernels.ik import layout as ik_layout
from diffkin.kernels.lists import layout
from diffkin.kernels.lists.layout import new_books, new_integers, new_reals, new_rows, open_block, open_call, open_desk

SIZES = np.array([5, 7, 3, 6, 4, 2, 3, 15, 9, 1])


def fill(parts):
    """Number all entries of all parts through."""
    at = 0
    for part in parts:
        part[...] = np.arange(at, at + part.size).reshape(part.shape)
        at += part.size
    return at


@pytest.mark.parametrize("sizes", [SIZES, np.array([2, 0, 1, 3, 0, 0, 0, 3, 4, 0])])
def test_parts_fill_their_memory(sizes):
    reals, integers = new_reals(sizes), new_integers(sizes)
    assert np.array_equal(integers[: layout.SIZES], sizes)
    call = open_call(reals, integers)
    assert fill([part for part in call if part.dtype == np.float64]) == reals.size
    assert np.array_equal(reals, np.arange(reals.size))
    integers[: layout.SIZES] = sizes
    call = open_call(reals, integers)
    rest = [part for part in call if part.dtype == np.int64][1:]
    assert fill(rest) == integers.size - layout.SIZES
    assert np.array_equal(integers[layout.SIZES :], np.arange(integers.size - layout.SIZES))
    rows = new_rows(sizes)
    assert rows.ctypes.data % (8 * layout.W) == 0
    assert fill(open_block(rows, sizes)) == rows.size


def test_books():
    books = new_books()
    desk = open_desk(books, np.zeros((layout.W, 3), np.int32), np.zeros((layout.W, 2, 5)))
    assert fill(desk[:3]) == books.size
    assert desk.lanes.shape == (layout.W, ik_layout.LANE_COLUMNS)
    assert desk.slots.shape == (layout.W, ik_layout.SLOT_COLUMNS)
