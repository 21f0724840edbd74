"""Sine and cosine in lanes beside extended precision."""

from __future__ import annotations

import math

import numpy as np
import pytest

from diffkin.kernels.compiled import kernel
from diffkin.kernels.vectors import strict
from diffkin.kernels.vectors.lanes import load, store, width
from diffkin.kernels.vectors.sines import sincos, sincos_table, sincos_vector

DTYPES = [np.float32, np.float64]


@kernel
def sines(x, quarters, s, c):
    table = sincos_table(x)
    for row in range(x.size // width(x)):
        a, b = sincos_vector(load(x, row), quarters[0], table)
        store(s, row, a)
        store(c, row, b)


@kernel
def short_sines(x, s, c):
    for row in range(x.shape[0]):
        a, b = sincos(strict.load(x, row))
        strict.store(s, row, a)
        strict.store(c, row, b)


def _run(x, quarters=0):
    s, c = np.empty_like(x), np.empty_like(x)
    sines(x, np.array([quarters], x.dtype), s, c)
    return s, c


def _ulps(got, want):
    return (np.abs(got.astype(np.longdouble) - want) / np.spacing(np.abs(want).astype(got.dtype))).max()


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 60, reason="no extended precision to compare with")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 10.0, 1e3, 1e4, 1e5, 1e6, 1e9])
def test_error_below_two_units_in_the_last_place(scale, dtype):
    x = np.random.default_rng(0).uniform(-scale, scale, 1 << 16).astype(dtype)
    near = np.round(x[:4096] / (np.pi / 2)) * np.longdouble(np.pi / 2)  # where one of the two all but vanishes
    x[:4096] = near.astype(dtype)
    s, c = _run(x)
    exact = x.astype(np.longdouble)
    assert _ulps(s, np.sin(exact)) < 1.6
    assert _ulps(c, np.cos(exact)) < 1.6


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 60, reason="no extended precision to compare with")
@pytest.mark.parametrize("scale", [1e-3, 1.0, 10.0, 1e3, 1e6])
def test_without_table_and_quarters(scale):
    x = np.random.default_rng(0).uniform(-scale, scale, (1 << 14, strict.W))
    s, c = np.empty_like(x), np.empty_like(x)
    short_sines(x, s, c)
    exact = x.astype(np.longdouble)
    assert _ulps(s, np.sin(exact)) < 1.6
    assert _ulps(c, np.cos(exact)) < 1.6


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_values(dtype):
    x = np.zeros(32, dtype)
    x[:6] = 0.0, -0.0, np.nan, np.inf, -np.inf, np.finfo(dtype).tiny
    x[6:8] = 1e30, -1e30
    s, c = _run(x)
    assert s[0] == 0 and c[0] == 1 and s[1] == 0 and c[1] == 1
    assert np.isnan(s[2:5]).all() and np.isnan(c[2:5]).all()
    assert s[5] == x[5] and c[5] == 1
    assert s[6] == pytest.approx(math.sin(float(x[6])), rel=1e-6) and c[7] == pytest.approx(
        math.cos(float(x[7])), rel=1e-6
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_quarter_turns_are_exact(dtype):
    x = np.random.default_rng(0).uniform(-10, 10, 64).astype(dtype)
    x[5] = 1e9
    s, c = _run(x)
    for quarters, (want_s, want_c) in enumerate([(s, c), (c, -s), (-s, -c), (-c, s)]):
        got_s, got_c = _run(x, quarters)
        assert np.array_equal(got_s, want_s) and np.array_equal(got_c, want_c)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_huge_neighbour_changes_nothing(dtype):
    x = np.random.default_rng(0).uniform(-10, 10, 64).astype(dtype)
    s, c = _run(x)
    x[17] = 1e20
    other_s, other_c = _run(x)
    keep = np.arange(64) != 17
    assert np.array_equal(other_s[keep], s[keep]) and np.array_equal(other_c[keep], c[keep])
