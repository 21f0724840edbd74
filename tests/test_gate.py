"""The gate to the kernels: what may pass, who is watching, and what comes out on the other side."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad

from diffkin import _gate
from diffkin._gate import array, is_plain, is_transformed, is_watched, kernel, kernels_apply
from tests.fresh import run_code


class Tagged(Tensor):
    """A subclass, which may see every operation on it."""


def under_jvp(call: Callable[[], bool]) -> bool:
    found = []
    torch.func.jvp(lambda x: (found.append(call()), x)[1], (torch.ones(1),), (torch.ones(1),))
    return found[0]


def under_vmap(call: Callable[[], bool]) -> bool:
    found = []
    torch.func.vmap(lambda x: (found.append(call()), x)[1])(torch.ones(1))
    return found[0]


def under_grad(call: Callable[[], bool]) -> bool:
    found = []
    torch.func.grad(lambda x: (found.append(call()), x)[1])(torch.tensor(1.0))
    return found[0]


def under_dual_numbers(call: Callable[[], bool]) -> bool:
    with forward_ad.dual_level():
        return call()


def under_tracing(call: Callable[[], bool]) -> bool:
    found = []
    torch.jit.trace(lambda x: (found.append(call()), x + 1)[1], torch.ones(1), check_trace=False)
    return found[0]


def under_compile(call: Callable[[], bool]) -> bool:
    torch._dynamo.reset()
    compiled = torch.compile(lambda x: x + 1 if call() else x, fullgraph=True, backend="eager")
    return compiled(torch.zeros(1)).item() == 1.0


WATCHERS = [under_jvp, under_vmap, under_grad, under_dual_numbers, under_tracing, under_compile]


@pytest.mark.filterwarnings("ignore")  # torch.jit.trace is deprecated
@pytest.mark.parametrize("watcher", WATCHERS)
def test_kernels_stay_out_while_torch_watches(watcher: Callable[[Callable[[], bool]], bool]) -> None:
    q = torch.ones(2)
    assert not is_watched()
    assert kernels_apply(q)
    assert watcher(is_watched)
    assert not watcher(lambda: kernels_apply(q))
    assert not is_watched()


def test_transforms_are_told_apart() -> None:
    assert not is_transformed()
    assert under_vmap(is_transformed)
    assert under_grad(is_transformed)
    assert not under_dual_numbers(is_transformed)


def test_gradients_are_no_watchers() -> None:
    """Who calls a kernel on a leaf takes care of its backward pass."""
    leaf = torch.ones(2, requires_grad=True)
    assert kernels_apply(leaf, leaf * 2.0, torch.nn.Parameter(torch.ones(1)))
    with torch.no_grad():
        assert kernels_apply(leaf)


@pytest.mark.parametrize(
    ("tensor", "plain"),
    [
        (torch.ones(2), True),
        (torch.ones(2, dtype=torch.float64), True),
        (torch.nn.Parameter(torch.ones(2)), True),
        (torch.ones(2, 3).T, True),
        (torch.ones(2, dtype=torch.float16), False),
        (torch.ones(2, dtype=torch.bfloat16), False),
        (torch.ones(2, dtype=torch.int64), False),
        (torch.ones(2, device="meta"), False),
        (torch.ones(2).as_subclass(Tagged), False),
        (torch.ones(2, dtype=torch.complex64).conj().imag, False),  # to be negated when read
        (torch._efficientzerotensor(2), False),
        (torch.ones(2).to_sparse(), False),
        (torch.ones(2, 2).to_mkldnn(), False),
    ],
)
def test_plain_tensors(tensor: Tensor, plain: bool) -> None:
    assert is_plain(tensor) == plain
    assert kernels_apply(tensor) == plain
    assert kernels_apply(tensor, tensor) == plain
    assert kernels_apply(torch.ones(1), tensor) == (plain and tensor.dtype == torch.float32)


def test_all_are_of_one_dtype() -> None:
    single, double = torch.ones(2), torch.ones(2, dtype=torch.float64)
    assert kernels_apply(single, None, single)
    assert kernels_apply(double, double, None)
    assert not kernels_apply(single, None, double)
    assert not kernels_apply(double, single)


def test_arrays_are_contiguous_and_without_gradient() -> None:
    tensor = torch.arange(6.0).reshape(2, 3)
    assert array(tensor).ctypes.data == tensor.data_ptr()  # the same memory where it can be
    for odd in (tensor.T, tensor[:, ::2], tensor[:1].expand(4, 3), tensor.clone().requires_grad_()):
        made = array(odd)
        assert made.flags["C_CONTIGUOUS"]
        assert made.dtype == np.float32
        assert np.array_equal(made, odd.detach().numpy())


def test_kernels_by_name() -> None:
    from diffkin.kernels.finite import all_finite

    assert kernel("finite.all_finite") is all_finite
    assert kernel("finite.all_finite") is kernel("finite.all_finite")
    with pytest.raises(ModuleNotFoundError, match=r"diffkin\.kernels\.nothing"):
        kernel("nothing.at_all")
    with pytest.raises(AttributeError, match="at_all"):
        kernel("finite.at_all")


def test_numba_is_imported_with_the_first_kernel() -> None:
    code = (
        "import sys; from diffkin._gate import kernel; before = 'numba' in sys.modules; kernel('finite.all_finite');"
        "print(before, 'numba' in sys.modules)"
    )
    done = run_code(code)
    assert done.stdout.split() == ["False", "True"]


def test_dtypes_of_kernels() -> None:
    for ours, theirs in _gate.DTYPES.items():
        assert torch.ones(1, dtype=ours).numpy().dtype == theirs
