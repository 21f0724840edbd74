"""Vectors of lanes: what is written is what was read, and it is done in vector registers."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys

import numpy as np
import pytest

from diffkin.kernels.compiled import inline, kernel
from diffkin.kernels.tree.backward import gradients
from diffkin.kernels.tree.forward import poses
from diffkin.kernels.tree.jacobian import jacobians
from diffkin.kernels.tree.plan import make_plan
from diffkin.kernels.vectors.lanes import (
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


def moved(x, w):
    """What ``moves`` should write with ``w`` lanes."""
    want = np.full(200, -1, x.dtype)
    for l in range(w):
        want[2 + 6 * l : 6 + 6 * l] = x[1 + 5 * l : 5 + 5 * l]
        want[100 + 3 * l] = x[3 + 2 * l]
    return want


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
    assert np.array_equal(out, moved(x, w))


OTHER_WIDTH = """
import numba, torch, llvmlite.binding as llvm
numba.njit(lambda: 0)()  # Numba has asked for the processor by now
host = llvm.get_host_cpu_features
llvm.get_host_cpu_features = lambda: {"avx512f": not host().get("avx512f")}
import diffkin as dk
from diffkin.kernels.vectors import lanes
llvm.get_host_cpu_features = host
assert (lanes.VECTOR_BYTES == 64) == (not host().get("avx512f"))
arm = dk.load_robot("franka_panda")
for dtype, tolerance in ((torch.float32, 2e-6), (torch.float64, 1e-14)):
    robot = arm.to(dtype)
    for count in (1, 5, 37):
        q = arm.sample(count, seed=count).to(dtype).requires_grad_()
        T, want = robot.forward_kinematics(q), robot.forward_kinematics(q, backend="reference")
        seeds = torch.randn(T.shape, dtype=dtype, generator=torch.Generator().manual_seed(0))
        pairs = [(T, want), tuple(torch.autograd.grad((pose * seeds).sum(), q)[0] for pose in (T, want))]
        pairs.append(tuple(robot.jacobian(q.detach(), backend=backend) for backend in (None, "reference")))
        for got, expected in pairs:
            assert (got - expected).abs().max() <= 10 * tolerance, (dtype, count, got, expected)
"""


def test_kernels_at_the_width_of_other_processors(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", OTHER_WIDTH]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86 assembly")
@pytest.mark.parametrize("kernel_", [poses, jacobians, gradients], ids=lambda k: k.py_func.__name__)
def test_kernels_compile_to_vector_instructions(kernel_):
    plan = make_plan(from_urdf("iiwa"), [7], np.float32)
    q, grad = np.zeros((8, 7), np.float32), np.ones((8, 1, 4, 4), np.float32)
    base, point = plan.no_base, plan.no_base[0]
    arguments = {
        poses: (plan.integers, plan.reals, plan.slots, q, base, -1, np.empty((8, 1, 4, 4), np.float32), 0, 8),
        jacobians: (plan.integers, plan.reals, q, base, -1, point, -1, 0, np.empty((8, 6, 7), np.float32), 0, 8),
        gradients: (plan.integers, plan.reals, plan.slots, q, base, -1, grad, 16, q.copy(), 0, 8),
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
