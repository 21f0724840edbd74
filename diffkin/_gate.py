"""The one gate between torch and the compiled kernels: when a kernel may answer, and how tensors become arrays for it.

Kernels serve plain float32 and float64 tensors on the CPU, outside torch.func transforms, tracing, compilation and
forward mode. Everything else takes the torch formula, which the caller has at hand.
"""

from __future__ import annotations

import importlib
import logging
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad

from diffkin.kernels.forks import importing

__all__ = ["DTYPES", "array", "is_plain", "is_transformed", "is_watched", "kernel", "kernels_apply"]

DTYPES: dict[torch.dtype, type[np.floating[Any]]] = {torch.float32: np.float32, torch.float64: np.float64}
"""The dtypes that kernels are compiled for."""

_PLAIN = (Tensor, torch.nn.Parameter)
_is_compiling, _is_tracing = torch.compiler.is_compiling, torch._C._is_tracing
_transforms = torch._C._functorch.peek_interpreter_stack
_log = logging.getLogger("diffkin")


@cache
def _compiles() -> bool:
    """Whether Numba compiles; told not to, it leaves all to the torch formulas."""
    with importing:
        import numpy.ma  # noqa: F401 - Numba asks for it at the first call of any kernel, outside its own lock
        from numba import config
    if config.DISABLE_JIT:
        _log.warning(
            "NUMBA_DISABLE_JIT is set: no kernel is compiled, and the torch formulas answer, many times slower. "
            "Unset it for speed."
        )
    return not config.DISABLE_JIT


def is_transformed() -> bool:
    """Whether the caller runs inside a torch.func transform (grad, jacrev, jvp, vmap ...)."""
    return _transforms() is not None


def is_watched() -> bool:
    """Whether torch follows what is done to tensors in a way that a kernel would escape; gradients apart."""
    return bool(  # down to torch's own calls, since every call of one pose asks
        _is_compiling()
        or _transforms() is not None
        or _is_tracing()
        or forward_ad._current_level >= 0  # no public call tells whether forward mode is on
    )


def is_plain(tensor: Tensor) -> bool:
    """Whether these are numbers in the memory of the CPU, of a dtype that has kernels: no subclass, no device."""
    return type(tensor) in _PLAIN and tensor.dtype in DTYPES and _is_memory(tensor) and _compiles()


def _is_memory(tensor: Tensor) -> bool:
    """Whether NumPy may read the memory as it is: dense, on the CPU, neither to be negated nor zeros without memory."""
    return tensor.is_cpu and tensor.layout == torch.strided and not tensor.is_neg() and not tensor._is_zerotensor()


def kernels_apply(first: Tensor, *others: Tensor | None) -> bool:
    """Whether a kernel gives for these tensors what the torch formula would give.

    Args:
        first: Any of them.
        *others: The others; None for one that is not given.

    Returns:
        True if all are plain CPU tensors of one dtype that has kernels, and nothing is traced or transformed.
    """
    if is_watched() or not is_plain(first):
        return False
    dtype = first.dtype
    for tensor in others:  # a loop, for the same reason
        if tensor is not None and not (type(tensor) in _PLAIN and tensor.dtype == dtype and _is_memory(tensor)):
            return False
    return True


def array(tensor: Tensor) -> np.ndarray[Any, Any]:
    """The numbers of a tensor as a C-contiguous array, without its gradient."""
    return tensor.detach().contiguous().numpy()


@cache
def kernel(name: str) -> Any:
    """A function of ``diffkin.kernels`` by its dotted name there, imported when first asked for: Numba loads slowly.

    Kept, since asking Python for an import again takes a microsecond each time.
    """
    module, _, function = name.rpartition(".")
    with importing:
        return getattr(importlib.import_module(f"diffkin.kernels.{module}"), function)
