"""The types of Numba that stand for one number, or one truth value, in each lane of a vector.

Code on vectors reads like code on scalars and becomes vector instructions as written, with no loop to vectorise. There
are three families, and a kernel takes its whole vocabulary from the module of one of them: ``lanes`` (one register),
``wide`` (two registers) and ``strict`` (four float64 with the rounding of IEEE 754).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.extending import models, register_model

__all__ = ["VECTOR_BYTES", "Mask", "Vector", "only_vector", "shuffle", "spread"]

VECTOR_BYTES = 64 if llvm.get_host_cpu_features().get("avx512f") else 32
"""Size of a vector register of this processor: 8 float32 or 4 float64, or twice as many with AVX-512."""


class Vector(types.Type):
    """The type of a vector.

    Args:
        dtype: float32 or float64.
        lanes: How many.
        strict: Whether every operation rounds by itself, in functions marked ``exact``. Otherwise a product and a sum
            may become one fused multiply-add, in the same way in every lane.
    """

    def __init__(self, dtype: types.Float, lanes: int, strict: bool = False) -> None:
        self.dtype = dtype
        self.lanes = lanes
        self.flags = () if strict else ("contract",)
        self.strict = strict
        super().__init__(f"Vector({dtype}, {lanes}{', strict' if strict else ''})")


class Mask(types.Type):
    """The type of a truth value a lane, as comparisons of a vector type give it."""

    def __init__(self, vector: Vector) -> None:
        self.vector = vector
        super().__init__(f"Mask({vector})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, ir.VectorType(manager.lookup(kind.dtype).get_value_type(), kind.lanes))


@register_model(Mask)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, ir.VectorType(ir.IntType(1), kind.vector.lanes))


def only_vector(kinds: Iterable[Any]) -> Vector | None:
    """The one vector type among argument types that are otherwise real numbers, else None."""
    kinds = tuple(kinds)
    found = {kind for kind in kinds if isinstance(kind, Vector)}
    if len(found) != 1 or not all(isinstance(kind, (Vector, types.Float, types.Integer)) for kind in kinds):
        return None
    return found.pop()


def spread(context: Any, builder: Any, vector: Vector, kind: Any, value: Any) -> Any:
    """The LLVM vector of a value of type ``kind``: a vector as it is, a number in every lane."""
    if isinstance(kind, Vector):
        return value
    nothing = ir.Constant(context.get_value_type(vector), ir.Undefined)
    first = builder.insert_element(nothing, context.cast(builder, value, kind, vector.dtype), ir.IntType(32)(0))
    return shuffle(builder, first, first, [0] * vector.lanes)


def shuffle(builder: Any, a: Any, b: Any, places: Iterable[int]) -> Any:
    """The elements at ``places`` of ``a`` followed by ``b``."""
    places = list(places)
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(places)), places))
