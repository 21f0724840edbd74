"""Arithmetic on vectors of every family, among themselves and with numbers, which go to every lane.

``+ - * /`` and ``-x``; ``< <= > >=`` give masks, false where a NaN takes part, and ``& |`` join masks.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, type_callable

from diffkin.kernels.vectors.vector import Mask, Vector, only_vector, spread

__all__ = ["all_", "any_", "fma", "lane", "maximum", "minimum", "quadrant", "select", "sqrt", "with_lane"]


def _binary(symbol: Any, result: Callable[[Vector], Any], emit: Callable[[Any, Vector, Any, Any], Any]) -> None:
    """Give ``symbol`` its meaning between two vectors, or a vector and a number."""

    @type_callable(symbol)
    def _type(context: Any) -> Any:
        def typer(a: Any, b: Any) -> Any:
            vector = only_vector((a, b))
            return None if vector is None else result(vector)(a, b)

        return typer

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = only_vector(signature.args)
        assert vector is not None  # what the typer let through
        a, b = (spread(context, builder, vector, kind, value) for kind, value in zip(signature.args, args, strict=True))
        return emit(builder, vector, a, b)

    for kinds in ((Vector, Vector), (Vector, types.Number), (types.Number, Vector)):
        lower_builtin(symbol, *kinds)(lower)


def _same(vector: Vector) -> Vector:
    return vector


_binary(operator.add, _same, lambda builder, vector, a, b: builder.fadd(a, b, flags=vector.flags))
_binary(operator.sub, _same, lambda builder, vector, a, b: builder.fsub(a, b, flags=vector.flags))
_binary(operator.mul, _same, lambda builder, vector, a, b: builder.fmul(a, b, flags=vector.flags))
_binary(operator.truediv, _same, lambda builder, vector, a, b: builder.fdiv(a, b))
_binary(operator.lt, Mask, lambda builder, vector, a, b: builder.fcmp_ordered("<", a, b))
_binary(operator.le, Mask, lambda builder, vector, a, b: builder.fcmp_ordered("<=", a, b))
_binary(operator.gt, Mask, lambda builder, vector, a, b: builder.fcmp_ordered(">", a, b))
_binary(operator.ge, Mask, lambda builder, vector, a, b: builder.fcmp_ordered(">=", a, b))


@type_callable(operator.neg)
def _type_negative(context: Any) -> Any:
    return lambda a: a(a) if isinstance(a, Vector) else None


@lower_builtin(operator.neg, Vector)
def _negative(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return builder.fneg(args[0])


def _logic(symbol: Any, emit: Callable[[Any, Any, Any], Any]) -> None:
    """Give ``symbol`` its meaning between two masks."""

    @type_callable(symbol)
    def _type(context: Any) -> Any:
        return lambda a, b: a(a, b) if isinstance(a, Mask) and a == b else None

    @lower_builtin(symbol, Mask, Mask)
    def _lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit(builder, *args)


_logic(operator.and_, lambda builder, a, b: builder.and_(a, b))
_logic(operator.or_, lambda builder, a, b: builder.or_(a, b))


def _call(context: Any, builder: Any, name: str, vector: Vector, args: list[Any]) -> Any:
    """Call an intrinsic function of LLVM that maps vectors to a vector."""
    full = context.get_value_type(vector)
    kind = ir.FunctionType(full, [full] * len(args))
    name = f"llvm.{name}.v{vector.lanes}f{vector.dtype.bitwidth}"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c, rounded once; strict vectors round twice on a processor that cannot. Numbers alone: of one type."""
    vector = only_vector((a, b, c))
    if vector is None:
        if not (isinstance(a, types.Float) and a == b == c):
            return None
        return a(a, a, a), lambda context, builder, signature, args: builder.fma(*args)

    def codegen(context, builder, signature, args):
        values = [spread(context, builder, vector, kind, value) for kind, value in zip(signature.args, args)]
        return _call(context, builder, "fmuladd" if vector.strict else "fma", vector, values)

    return vector(a, b, c), codegen


@intrinsic
def sqrt(typingctx, x):
    """Square root of every lane."""
    if not isinstance(x, Vector):
        return None
    return x(x), lambda context, builder, signature, args: _call(context, builder, "sqrt", x, args)


@intrinsic
def minimum(typingctx, a, b):
    """The smaller of ``a`` and ``b`` in every lane; ``b`` where either is NaN."""
    return _extreme("<", a, b)


@intrinsic
def maximum(typingctx, a, b):
    """The larger of ``a`` and ``b`` in every lane; ``b`` where either is NaN."""
    return _extreme(">", a, b)


def _extreme(symbol: str, a: Any, b: Any) -> Any:
    vector = only_vector((a, b))
    if vector is None:
        return None

    def codegen(context, builder, signature, args):
        one, two = (spread(context, builder, vector, kind, value) for kind, value in zip(signature.args, args))
        return builder.select(builder.fcmp_ordered(symbol, one, two), one, two)

    return vector(a, b), codegen


@intrinsic
def select(typingctx, condition, a, b):
    """``a`` in the lanes where ``condition`` holds, ``b`` in the others."""
    if not isinstance(condition, Mask) or only_vector((condition.vector, a, b)) is None:
        return None
    vector = condition.vector

    def codegen(context, builder, signature, args):
        one, two = (spread(context, builder, vector, kind, value) for kind, value in zip(signature.args[1:], args[1:]))
        return builder.select(args[0], one, two)

    return vector(condition, a, b), codegen


@intrinsic
def any_(typingctx, condition):
    """Whether ``condition`` holds in any lane."""
    return _reduce("!=", 0, condition)


@intrinsic
def all_(typingctx, condition):
    """Whether ``condition`` holds in every lane."""
    return _reduce("==", -1, condition)


def _reduce(symbol: str, bits: int, condition: Any) -> Any:
    """Compare the lanes of a mask, as the bits of one integer, with ``bits``."""
    if not isinstance(condition, Mask):
        return None

    def codegen(context, builder, signature, args):
        word = ir.IntType(condition.vector.lanes)
        return builder.icmp_unsigned(symbol, builder.bitcast(args[0], word), word(bits))

    return types.boolean(condition), codegen


@intrinsic
def lane(typingctx, x, index):
    """The number in one lane of a vector."""
    if not isinstance(x, Vector):
        return None
    return x.dtype(x, types.intp), lambda context, builder, signature, args: builder.extract_element(*args)


@intrinsic
def with_lane(typingctx, x, index, value):
    """The vector with the number in one lane replaced."""
    if not isinstance(x, Vector):
        return None

    def codegen(context, builder, signature, args):
        number = context.cast(builder, args[2], value, x.dtype)
        return builder.insert_element(args[0], number, args[1])

    return x(x, types.intp, value), codegen


@intrinsic
def quadrant(typingctx, t, sine, cosine):
    """(sin, cos) of r + k pi/2 from those of r, where the low bits of the float or vector ``t`` hold the integer k."""
    if not (isinstance(t, (Vector, types.Float)) and t == sine == cosine):
        return None
    pair = types.UniTuple(t, 2)
    width = t.dtype.bitwidth if isinstance(t, Vector) else t.bitwidth
    word = ir.VectorType(ir.IntType(width), t.lanes) if isinstance(t, Vector) else ir.IntType(width)
    low, one, two, up = (ir.Constant(word, [k] * t.lanes if isinstance(t, Vector) else k) for k in (0, 1, 2, width - 2))

    def codegen(context, builder, signature, args):
        shifted, sine, cosine = args
        real = context.get_value_type(t)
        bits = builder.bitcast(shifted, word)
        odd = builder.icmp_unsigned("!=", builder.and_(bits, one), low)
        s = builder.bitcast(builder.select(odd, cosine, sine), word)
        c = builder.bitcast(builder.select(odd, sine, cosine), word)
        s = builder.xor(s, builder.shl(builder.and_(bits, two), up))
        c = builder.xor(c, builder.shl(builder.and_(builder.add(bits, one), two), up))
        return context.make_tuple(builder, pair, [builder.bitcast(s, real), builder.bitcast(c, real)])

    return pair(t, t, t), codegen
