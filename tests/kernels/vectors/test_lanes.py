"""Vectors that fill one register, and that kernels on them become vector instructions."""

from __future__ import annotations

import platform
import re

import numpy as np
import pytest

from diffkin.kernels.compiled import inline, kernel
from diffkin.kernels.tree.backward import gradients
from diffkin.kernels.tree.forward import poses
from diffkin.kernels.tree.jacobian import jacobians
from diffkin.kernels.tree.plan import make_plan
from diffkin.kernels.vectors.lanes import VECTOR_BYTES, load, splat, store, width
from tests.kernels.mechanisms import from_urdf
from tests.kernels.widths import run_at_other_width

DTYPES = [np.float32, np.float64]


@kernel
def _doubled(x, out):
    for row in range(x.size // width(x)):
        store(out, row, load(x, row) + load(x, row))
    store(out, 0, splat(x, 7))
    return width(x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_register_of_lanes(dtype):
    count = VECTOR_BYTES // np.dtype(dtype).itemsize
    x, out = np.arange(3 * count, dtype=dtype), np.empty(3 * count, dtype)
    assert _doubled(x, out) == count
    assert np.array_equal(out, [*[7] * count, *(2 * x[count:])])


OTHER_WIDTH = """
import diffkin as dk
import numpy as np
import torch
from tests.kernels.tree import test_backward, test_forward, test_jacobian
arm = dk.load_robot("franka_panda")
dtype, rounding = torch.DTYPE, {torch.float32: 2e-6, torch.float64: 1e-14}[torch.DTYPE]
robot = arm.to(dtype)
for count in (1, 5, 37):
    q = arm.sample(count, seed=count).to(dtype).requires_grad_()
    T, want = robot.forward_kinematics(q), robot.forward_kinematics(q, backend="reference")
    seeds = torch.randn(T.shape, dtype=dtype, generator=torch.Generator().manual_seed(0))
    pairs = [(T, want), tuple(torch.autograd.grad((pose * seeds).sum(), q)[0] for pose in (T, want))]
    pairs.append(tuple(robot.jacobian(q.detach(), backend=backend) for backend in (None, "reference")))
    for got, expected in pairs:
        assert (got - expected).abs().max() <= 10 * rounding, (count, got, expected)
test_forward.test_bits_do_not_depend_on_batch_place_or_threads(1, np.DTYPE)
test_jacobian.test_bits_do_not_depend_on_batch_place_or_threads(np.DTYPE)
test_backward.test_bits_do_not_depend_on_batch_place_or_threads(np.DTYPE)
"""


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
def test_kernels_at_the_width_of_other_processors(dtype, tmp_path):
    run_at_other_width(OTHER_WIDTH.replace("DTYPE", dtype), tmp_path)


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
