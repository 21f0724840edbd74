"""Vectors of ``W`` float64 with the rounding of IEEE 754: the vocabulary of searches that compare what they compute.

``a * b + c`` is one instruction an operator. In functions marked ``exact`` the compiler has no liberty: their values do
not depend on where they are inlined. ``fma`` fuses where the processor can.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic

from diffkin.kernels.vectors.arithmetic import all_, any_, fma, maximum, minimum, select, sqrt
from diffkin.kernels.vectors.memory import memory_of
from diffkin.kernels.vectors.sines import sincos
from diffkin.kernels.vectors.vector import Vector, spread

__all__ = [
    "W",
    "all_",
    "any_",
    "fma",
    "load",
    "maximum",
    "minimum",
    "select",
    "sincos",
    "splat",
    "sqrt",
    "store",
]

W = 4
"""Lanes in a block: one AVX register, so that the sixteen there are hold what a formula needs."""

_VECTOR = Vector(types.float64, W, strict=True)


def _vector_of(dtype: Any) -> Vector | None:
    return _VECTOR if dtype == types.float64 else None


_memory = memory_of(_vector_of)
load, store = _memory.load, _memory.store


@intrinsic
def splat(typingctx, value):
    """The same number in every lane."""
    if not isinstance(value, types.Number):
        return None

    def codegen(context, builder, signature, args):
        return spread(context, builder, _VECTOR, value, args[0])

    return _VECTOR(value), codegen
