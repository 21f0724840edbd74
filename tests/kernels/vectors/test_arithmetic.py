"""Arithmetic on the vectors of every family beside NumPy, NaN and infinity among the numbers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from diffkin.kernels.compiled import exact
from diffkin.kernels.vectors import lanes, strict, wide
from diffkin.kernels.vectors.arithmetic import (
    all_,
    any_,
    fma,
    lane,
    maximum,
    minimum,
    quadrant,
    select,
    sqrt,
    with_lane,
)

FAMILIES = [
    *((lanes, dtype, lanes.VECTOR_BYTES // np.dtype(dtype).itemsize) for dtype in (np.float32, np.float64)),
    *((wide, dtype, 2 * lanes.VECTOR_BYTES // np.dtype(dtype).itemsize) for dtype in (np.float32, np.float64)),
    (strict, np.float64, strict.W),
]
NAMES = [f"{family.__name__.rsplit('.')[-1]}-{dtype.__name__}" for family, dtype, _ in FAMILIES]
every_family = pytest.mark.parametrize(("family", "dtype", "count"), FAMILIES, ids=NAMES)


def numbers(dtype, count, seed=0):
    """Two rows of lanes with equal numbers, zeros, NaN and infinities in some of the lanes."""
    x, y = np.random.default_rng(seed).normal(size=(2, count)).astype(dtype)
    y[0] = x[0]
    special = np.array([[np.nan, 1.0, np.inf, 0.0], [1.0, np.nan, -np.inf, -0.0]], dtype)
    if count > 4:
        x[1:5], y[1:5] = special
    else:
        x[1:4], y[1:4] = special[:, seed % 2 :][:, :3]
    return x, y


def computed(family, dtype, count, rows, formula):
    """What ``formula(a, b)`` of the rows ``a`` and ``b``, a tuple of ``rows`` vectors, writes."""
    load, store = family.load, family.store

    @exact
    def run(x, y, out):
        for k, result in enumerate(formula(load(x, 0), load(y, 0))):
            store(out, k, result)

    def at(seed):
        x, y = numbers(dtype, count, seed)
        out = np.empty((rows, count), dtype)
        run(x[None], y[None], out)
        return x, y, out

    return at


@every_family
def test_operators(family, dtype, count):
    @exact
    def formula(a, b):
        return a + b, a - b, a * b, a / b, -a, 2.0 * a, a - 1, 1.5 / b, sqrt(a), a * b + a

    at = computed(family, dtype, count, 10, formula)
    for seed in (0, 1):
        x, y, out = at(seed)
        with np.errstate(all="ignore"):
            want = [x + y, x - y, x * y, x / y, -x, 2 * x, x - 1, dtype(1.5) / y, np.sqrt(x)]
            last = x * y + x
        for got, one in zip(out[:9], want, strict=True):
            assert np.array_equal(got, one, equal_nan=True)
        if family is strict:  # nothing is fused that is not written so
            assert np.array_equal(out[9], last, equal_nan=True)
        else:
            np.testing.assert_allclose(out[9], last, rtol=1e-3)


@every_family
def test_comparisons_masks_and_choice(family, dtype, count):
    @exact
    def formula(a, b):
        return (
            select(a < b, 1.0, 0.0),
            select(a <= b, 1, 0),
            select(a > b, a, 0.0),
            select(a >= b, a, b),
            select((a < b) & (a > 0.0), 1.0, 0.0),
            select((a < b) | (b < 0.5), 1.0, 0.0),
            minimum(a, b),
            maximum(a, b),
            maximum(a, 0.25),
        )

    at = computed(family, dtype, count, 9, formula)
    for seed in (0, 1):
        x, y, out = at(seed)
        want = [x < y, x <= y, np.where(x > y, x, 0), np.where(x >= y, x, y), (x < y) & (x > 0), (x < y) | (y < 0.5)]
        want += [np.where(x < y, x, y), np.where(x > y, x, y), np.where(x > 0.25, x, dtype(0.25))]
        for got, one in zip(out, want, strict=True):
            assert np.array_equal(got, one.astype(dtype), equal_nan=True)


@every_family
def test_any_and_all(family, dtype, count):
    load = family.load

    @exact
    def run(x):
        a = load(x, 0)
        return any_(a > 0.0), all_(a > 0.0), any_(a < 0.0), all_(a <= 0.0)

    x = np.ones((1, count), dtype)
    assert run(x) == (True, True, False, False)
    for k in range(count):
        x[:] = 1.0
        x[0, k] = -1.0
        assert run(x) == (True, False, True, False)
        x[0, k] = np.nan
        assert run(x) == (True, False, False, False)
    assert run(-np.ones((1, count), dtype)) == (False, False, True, True)


@every_family
def test_fma_rounds_once(family, dtype, count):
    @exact
    def formula(a, b):
        return (fma(a, b, a), fma(a, a, -1.0), fma(a, 2.0, b))

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 1, count)).astype(dtype)
    x[:, ::2] = 1 + np.finfo(dtype).eps * rng.integers(1, 9, x[:, ::2].shape)  # a^2 - 1 loses all but the last bits
    load, store = family.load, family.store

    @exact
    def run(x, y, out):
        first, second, third = formula(load(x, 0), load(y, 0))
        store(out, 0, first)
        store(out, 1, second)
        store(out, 2, third)

    out = np.empty((3, count), dtype)
    run(x, y, out)
    for k in range(count):
        a, b = Fraction(float(x[0, k])), Fraction(float(y[0, k]))
        for got, value in zip(out[:, k], (a * b + a, a * a - 1, 2 * a + b), strict=True):
            spacing = Fraction(float(np.spacing(np.abs(got))))
            assert abs(Fraction(float(got)) - value) <= spacing / 2


def test_fma_of_numbers_alone():
    @exact
    def run(a, b, c):
        return fma(a, b, c)

    a = 1 + 2.0**-30
    assert run(a, a, -1.0) == 2.0**-29 + 2.0**-60
    assert run(np.float32(2), np.float32(3), np.float32(1)) == 7


@every_family
def test_single_lanes(family, dtype, count):
    load, store = family.load, family.store

    @exact
    def run(x, place, out):
        a = load(x, 0)
        store(out, 0, with_lane(a, place, 7.0))
        return lane(a, place)

    x, out = np.arange(count, dtype=dtype)[None], np.empty((1, count), dtype)
    for place in range(count):
        assert run(x, place, out) == place
        want = x.copy()
        want[0, place] = 7
        assert np.array_equal(out, want)


@every_family
def test_quadrant_turns_by_quarters(family, dtype, count):
    magic = 1.5 * 2.0 ** (23 if dtype == np.float32 else 52)
    load, store = family.load, family.store

    @exact
    def run(x, out):
        s, c = quadrant(load(x, 0), load(x, 1), load(x, 2))
        store(out, 0, s)
        store(out, 1, c)

    s, c = dtype(math.sin(0.3)), dtype(math.cos(0.3))
    quarters = np.arange(count) - count // 2
    x = np.stack([dtype(magic) + quarters.astype(dtype), np.full(count, s), np.full(count, c)]).astype(dtype)
    out = np.empty((2, count), dtype)
    run(x, out)
    for k, quarter in enumerate(quarters % 4):
        assert tuple(out[:, k]) == [(s, c), (c, -s), (-s, -c), (-c, s)][quarter]


def test_what_makes_no_sense_is_refused():
    from numba.core.errors import TypingError

    narrow, broad = lanes.load, wide.load

    @exact
    def mixed(x):
        return lane(narrow(x, 0) + broad(x, 0), 0)

    @exact
    def number(x):
        return any_(x[0, 0])

    for function in (mixed, number):
        with pytest.raises(TypingError):
            function(np.zeros((1, 64), np.float32))
