"""Memory: rows of lanes, strides from problem to problem, arrays and pointers alike, for every family."""

from __future__ import annotations

import numpy as np
import pytest
from numba.core.errors import TypingError

from diffkin.kernels.compiled import exact
from diffkin.kernels.vectors.memory import pointer, scratch, shifted
from tests.kernels.vectors.test_arithmetic import FAMILIES, NAMES, every_family


@every_family
def test_load_and_store_count_rows(family, dtype, count):
    load, store = family.load, family.store

    @exact
    def run(x, out):
        for row in range(x.shape[0]):
            store(out, x.shape[0] - 1 - row, load(x, row))
        memory, target = pointer(x), pointer(out)
        store(target, 0, load(memory, 1))
        store(target, 1, 3)
        store(shifted(target, 2), 2, 0.5)

    x = np.arange(5 * count, dtype=dtype).reshape(5, count)
    out = np.full((5, count), -1, dtype)
    run(x, out)
    want = x[::-1].copy()
    want[0], want[1] = x[1], 3
    want.reshape(-1)[2 * count + 2 : 3 * count + 2] = 0.5
    assert np.array_equal(out, want)


@pytest.mark.parametrize(("family", "dtype", "count"), FAMILIES[:4], ids=NAMES[:4])  # strict ones need no strides
def test_strides_from_problem_to_problem(family, dtype, count):
    gather, scatter, gather4, scatter4 = family.gather, family.scatter, family.gather4, family.scatter4

    @exact
    def run(x, out):
        memory, target = pointer(x), pointer(out)
        scatter(out, 500, 3, gather(memory, 3, 2))
        a, b, c, d = gather4(x, 1, 5)
        scatter4(target, 2, 6, a, b, c, d)

    x, out = np.arange(200, dtype=dtype), np.full(700, -1, dtype)
    run(x, out)
    want = np.full(700, -1, dtype)
    for l in range(count):
        want[2 + 6 * l : 6 + 6 * l] = x[1 + 5 * l : 5 + 5 * l]
        want[500 + 3 * l] = x[3 + 2 * l]
    assert np.array_equal(out, want)


@every_family
def test_scratch_holds_what_is_written(family, dtype, count):
    load, store = family.load, family.store

    @exact
    def run(x, out):
        space = scratch(x, 3 * count)
        store(space, 0, load(x, 1))
        store(space, 2, load(x, 0))
        space[count] = 5.0
        store(out, 0, load(space, 0) + load(space, 2))
        return space[count]

    x, out = np.random.default_rng(0).normal(size=(2, count)).astype(dtype), np.empty((1, count), dtype)
    assert run(x, out) == 5
    assert np.array_equal(out[0], x[0] + x[1])


@every_family
def test_what_is_not_contiguous_or_of_another_dtype_is_refused(family, dtype, count):
    load, store = family.load, family.store

    @exact
    def copy(x, out):
        store(out, 0, load(x, 0))

    good = np.zeros((2, count), dtype)
    copy(good, good)
    for bad in (np.zeros((2, 2 * count), dtype)[:, ::2], np.zeros((2, count), np.int64), 1.0):
        with pytest.raises(TypingError):
            copy(bad, good)
