"""Vectors that fill one register: the vocabulary of kernels that compute a block of problems at once.

``width(array)`` is the number of lanes: 8 float32 or 4 float64, twice as many where the processor has AVX-512.
"""

from __future__ import annotations

from typing import Any

from diffkin.kernels.vectors.arithmetic import (
    all_,
    any_,
    fma,
    lane,
    maximum,
    minimum,
    quadrant,
    select,
    sqrt,
    with_lane,
)
from diffkin.kernels.vectors.memory import memory_of, pointer, scratch, shifted
from diffkin.kernels.vectors.vector import VECTOR_BYTES, Vector

__all__ = [
    "VECTOR_BYTES",
    "all_",
    "any_",
    "fma",
    "gather",
    "gather4",
    "lane",
    "load",
    "maximum",
    "minimum",
    "pointer",
    "quadrant",
    "scatter",
    "scatter4",
    "scratch",
    "select",
    "shifted",
    "splat",
    "sqrt",
    "store",
    "vector_of",
    "width",
    "with_lane",
]


def vector_of(dtype: Any) -> Vector:
    """The vector type of a dtype of Numba."""
    return Vector(dtype, VECTOR_BYTES * 8 // dtype.bitwidth)


width, splat, load, store, gather, scatter, gather4, scatter4 = memory_of(vector_of)
