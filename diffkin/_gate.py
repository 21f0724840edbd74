"""The one gate between torch and the compiled kernels: when a kernel may answer, and how tensors become arrays for it.

Kernels serve plain float32 and float64 tensors on the CPU, outside torch.func transforms, tracing, compilation and
forward mode. Everything else takes the torch formula, which the caller has at hand.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad

__all__ = ["DTYPES", "array", "is_plain", "is_transformed", "is_watched", "kernel", "kernels_apply"]

DTYPES: dict[torch.dtype, type[np.floating[Any]]] = {torch.float32: np.float32, torch.float64: np.float64}
"""The dtypes that kernels are compiled for."""

_PLAIN = (Tensor, torch.nn.Parameter)


def is_transformed() -> bool:
    """Whether the caller runs inside a torch.func transform (grad, jacrev, jvp, vmap ...)."""
    return torch._C._functorch.peek_interpreter_stack() is not None


def is_watched() -> bool:
    """Whether torch follows what is done to tensors in a way that a kernel would escape: gradients apart."""
    return bool(
        torch.compiler.is_compiling()
        or is_transformed()
        or torch.jit.is_tracing()
        or forward_ad._current_level >= 0  # no public call tells whether forward mode is on
    )


def is_plain(tensor: Tensor) -> bool:
    """Whether these are numbers in the memory of the CPU, of a dtype that has kernels: no subclass, no device."""
    return type(tensor) in _PLAIN and tensor.is_cpu and tensor.dtype in DTYPES and not tensor.is_neg()


def kernels_apply(*tensors: Tensor) -> bool:
    """Whether a kernel gives for these tensors what the torch formula would give."""
    if is_watched():
        return False
    for tensor in tensors:  # noqa: SIM110 - a generator costs as much as the rest
        if not is_plain(tensor):
            return False
    return True


def array(tensor: Tensor) -> np.ndarray[Any, Any]:
    """The numbers of a tensor as a C-contiguous array, without its gradient."""
    return tensor.detach().contiguous().numpy()


@cache
def kernel(name: str) -> Any:
    """A function of ``diffkin.kernels`` by its dotted name there, imported when first asked for, since Numba is slow to import.

    Kept, since asking Python for an import again takes a microsecond each time.
    """
    module, _, function = name.rpartition(".")
    return getattr(importlib.import_module(f"diffkin.kernels.{module}"), function)
