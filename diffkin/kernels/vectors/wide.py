"""Vectors of twice as many lanes as a register holds: the vocabulary of long chains of dependent steps.

Each operation becomes two independent instructions, so one hides the latency of the other.
"""

from __future__ import annotations

from typing import Any

from diffkin.kernels.vectors.arithmetic import all_, any_, fma, maximum, minimum, select, sqrt
from diffkin.kernels.vectors.memory import memory_of
from diffkin.kernels.vectors.vector import VECTOR_BYTES, Vector

__all__ = [
    "all_",
    "any_",
    "fma",
    "gather",
    "gather4",
    "load",
    "maximum",
    "minimum",
    "scatter",
    "scatter4",
    "select",
    "splat",
    "sqrt",
    "store",
    "width",
]


def _vector_of(dtype: Any) -> Vector:
    return Vector(dtype, 2 * VECTOR_BYTES * 8 // dtype.bitwidth)


width, splat, load, store, gather, scatter, gather4, scatter4 = memory_of(_vector_of)
