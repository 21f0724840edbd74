"""Vectors of lanes: what is written is what was read, and it is done in vector registers."""

from __future__ import annotations

import platform
import re

import numpy as np
import pytest

from diffkin.kernels.backward import gradients
from diffkin.kernels.compiled import inline, kernel
from diffkin.kernels.forward import poses
from diffkin.kernels.jacobian import jacobians
from diffkin.kernels.lanes import (
    VECTOR_BYTES,
    fma,
    gather,
    lane,
    load,
    load_rows,
    pointer,
    scatter,
    splat,
    store,
    store_rows,
    width,
    with_lane,
)
from diffkin.kernels.mechanism import make_plan
from tests.kernels.mechanisms import from_urdf

DTYPES = [np.float32, np.float64]


@kernel
def arithmetic(x, y, out):
    w = width(x)
    a, b = load(x, 0), load(y, 0)
    store(out, 0, a + b)
    store(out, w, a - b)
    store(out, 2 * w, a * b)
    store(out, 3 * w, -a)
    store(out, 4 * w, fma(a, b, a))
    store(out, 5 * w, 2.0 * a - 1.0)
    store(out, 6 * w, splat(x, lane(a, 1)))
    store(out, 7 * w, with_lane(a, 2, 7.0))


@kernel
def moves(x, out):
    memory, target = pointer(x), pointer(out)
    a, b, c, d = load_rows(memory, 1, 5)
    store_rows(target, 2, 6, a, b, c, d)
    w = width(x)
    scatter(target, 100, 3, gather(memory, 3, 2))
    return w


@pytest.mark.parametrize("dtype", DTYPES)
def test_arithmetic(dtype):
    w = VECTOR_BYTES // np.dtype(dtype).itemsize
    rng = np.random.default_rng(0)
    x, y, out = rng.normal(size=w).astype(dtype), rng.normal(size=w).astype(dtype), np.empty((8, w), dtype)
    arithmetic(x, y, out)
    exact = x.astype(np.longdouble) * y + x
    seven = x.copy()
    seven[2] = 7
    for got, want in zip(out, (x + y, x - y, x * y, -x, exact.astype(dtype), 2 * x - 1, np.full(w, x[1]), seven)):
        np.testing.assert_allclose(got, want, rtol=2 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_and_strides(dtype):
    x, out = np.arange(200, dtype=dtype), np.full(200, -1, dtype)
    w = moves(x, out)
    assert w == VECTOR_BYTES // np.dtype(dtype).itemsize
    want = np.full(200, -1, dtype)
    for l in range(w):
        want[2 + 6 * l : 6 + 6 * l] = x[1 + 5 * l : 5 + 5 * l]
        want[100 + 3 * l] = x[3 + 2 * l]
    assert np.array_equal(out, want)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86 assembly")
@pytest.mark.parametrize("kernel_", [poses, jacobians, gradients], ids=lambda k: k.py_func.__name__)
def test_kernels_compile_to_vector_instructions(kernel_):
    plan = make_plan(from_urdf("iiwa"), [7], np.float32)
    q, grad = np.zeros((8, 7), np.float32), np.ones((8, 1, 4, 4), np.float32)
    base, point = plan.no_base, plan.no_base[0]
    arguments = {
        poses: (plan.integers, plan.reals, plan.slots, q, base, -1, np.empty((8, 1, 4, 4), np.float32), 0, 8),
        jacobians: (plan.integers, plan.reals, q, base, -1, point, -1, 0, np.empty((8, 6, 7), np.float32), 0, 8),
        gradients: (plan.integers, plan.reals, plan.slots, q, base, -1, grad, q.copy(), 0, 8),
    }[kernel_]
    fresh = inline(kernel_.py_func)  # what comes from the disk cannot be inspected
    fresh(*arguments)
    (assembly,) = fresh.inspect_asm().values()
    if "vfmadd" not in assembly:
        pytest.skip("no fused multiply-add on this processor")
    wide = len(re.findall(r"\tv\w*ps\t.*%[yz]mm", assembly))
    scalar = len(re.findall(r"\tv(?:fn?m\w+|mul|add|sub)ss\t", assembly))
    assert wide > 200
    assert scalar == 0
