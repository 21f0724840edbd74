"""Strict vectors: in exact code every operation rounds as Python's own."""

from __future__ import annotations

import numpy as np

from diffkin.kernels.compiled import exact, kernel
from diffkin.kernels.vectors.strict import W, load, sincos, splat, store


def formula(a, b, c):
    return (a * b + c) * (a - b * c) / (c + 2.0)


_formula = exact(formula)


@exact
def _run(x, out):
    store(out, 0, _formula(load(x, 0), load(x, 1), load(x, 2)))


@kernel
def _run_in_lax_code(x, out):
    store(out, 0, _formula(load(x, 0), load(x, 1), load(x, 2)))


def test_exact_code_fuses_nothing_wherever_it_is_inlined():
    for seed in range(50):
        x = np.random.default_rng(seed).normal(size=(3, W))
        for run in (_run, _run_in_lax_code):
            out = np.empty((1, W))
            run(x, out)
            assert out[0].tolist() == [formula(*column) for column in x.T.tolist()]


def test_four_lanes_of_a_number():
    @exact
    def run(out):
        store(out, 0, splat(1.5))
        store(out, 1, splat(3))

    out = np.zeros((3, W))
    run(out)
    assert W == 4
    assert out.tolist() == [[1.5] * W, [3.0] * W, [0.0] * W]


def test_sine_and_cosine_are_those_of_this_family():
    @exact
    def run(x, out):
        s, c = sincos(load(x, 0))
        store(out, 0, s)
        store(out, 1, c)

    x, out = np.array([[-700.0, -1.0, 0.0, 2.0]]), np.empty((2, W))
    run(x, out)
    np.testing.assert_allclose(out, [np.sin(x[0]), np.cos(x[0])], rtol=0, atol=2e-16)
