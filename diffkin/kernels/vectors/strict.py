"""A number type for kernels that stands for one float64 in each of ``W`` lanes, written like a scalar.

``a * b + c`` on ``Lanes`` is one vector instruction an operator, with the rounding of IEEE 754 in every lane and no
liberty for the compiler: the value of a lane depends on that lane alone, wherever the code is inlined. ``fma`` fuses
where the processor can. ``Mask`` holds one truth value a lane. Both live in registers; ``load`` and ``store`` move them
between registers and rows of a C-contiguous float64 array (rows, W).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

from diffkin.kernels.compiled import exact

__all__ = ["W", "any_", "fma", "load", "maximum", "minimum", "select", "sincos", "splat", "sqrt", "store"]

W = 4
"""Lanes in a block: one AVX register, so that the sixteen there are hold what a formula needs."""

_VECTOR = ir.VectorType(ir.DoubleType(), W)
_BITS = ir.VectorType(ir.IntType(1), W)
_INDEX = ir.IntType(32)
_MAGIC = 1.5 * 2.0**52


class LanesType(types.Type):
    """One float64 a lane."""

    def __init__(self) -> None:
        super().__init__(name=f"Lanes{W}")


class MaskType(types.Type):
    """One truth value a lane."""

    def __init__(self) -> None:
        super().__init__(name=f"Mask{W}")


lanes = LanesType()
mask = MaskType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


@register_model(MaskType)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _BITS)


def _row(context: Any, builder: Any, array_type: Any, array: Any, row: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    pointer = builder.gep(data, [builder.mul(row, row.type(W))])
    return builder.bitcast(pointer, _VECTOR.as_pointer())


def _is_rows(array: Any) -> bool:
    return isinstance(array, types.Array) and array.dtype == types.float64 and array.ndim == 2 and array.layout == "C"


@intrinsic
def load(typingctx, array, row):
    """Row ``row`` of a C-contiguous float64 array (rows, W)."""
    if not (_is_rows(array) and isinstance(row, types.Integer)):
        return None

    def codegen(context, builder, signature, args):
        return builder.load(_row(context, builder, array, *args), align=8)

    return lanes(array, types.intp), codegen


@intrinsic
def store(typingctx, array, row, value):
    """Write ``value`` into row ``row`` of a C-contiguous float64 array (rows, W)."""
    if not (_is_rows(array) and isinstance(row, types.Integer) and value == lanes):
        return None

    def codegen(context, builder, signature, args):
        builder.store(args[2], _row(context, builder, array, *args[:2]), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), codegen


def _spread(builder: Any, value: Any) -> Any:
    """A vector with the scalar ``value`` in every lane; a vector as it is."""
    if isinstance(value.type, ir.VectorType):
        return value
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(nothing, value, _INDEX(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_INDEX, W), [0] * W))


def _as_lanes(*kinds: Any) -> Any:
    """Argument types in which lanes stay lanes and numbers become float64; None if nothing is lanes."""
    if lanes not in kinds or not all(kind == lanes or isinstance(kind, types.Number) for kind in kinds):
        return None
    return tuple(lanes if kind == lanes else types.float64 for kind in kinds)


def _operator(symbol: Any, result: Any, emit: Callable[[Any, Any, Any], Any]) -> None:
    """Give ``symbol`` its meaning between lanes, or lanes and a number, which goes to every lane."""

    @type_callable(symbol)
    def _typer(context: Any) -> Any:
        def typer(a: Any, b: Any) -> Any:
            kinds = _as_lanes(a, b)
            return None if kinds is None else result(*kinds)

        return typer

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit(builder, _spread(builder, args[0]), _spread(builder, args[1]))

    for kinds in ((LanesType, LanesType), (LanesType, types.float64), (types.float64, LanesType)):
        lower_builtin(symbol, *kinds)(lower)


_operator(operator.add, lanes, lambda builder, a, b: builder.fadd(a, b))
_operator(operator.sub, lanes, lambda builder, a, b: builder.fsub(a, b))
_operator(operator.mul, lanes, lambda builder, a, b: builder.fmul(a, b))
_operator(operator.truediv, lanes, lambda builder, a, b: builder.fdiv(a, b))
_operator(operator.lt, mask, lambda builder, a, b: builder.fcmp_ordered("<", a, b))
_operator(operator.le, mask, lambda builder, a, b: builder.fcmp_ordered("<=", a, b))
_operator(operator.gt, mask, lambda builder, a, b: builder.fcmp_ordered(">", a, b))
_operator(operator.ge, mask, lambda builder, a, b: builder.fcmp_ordered(">=", a, b))


def _logic(symbol: Any, emit: Callable[[Any, Any, Any], Any]) -> None:
    """Give ``symbol`` its meaning between masks."""

    @type_callable(symbol)
    def _typer(context: Any) -> Any:
        return lambda a, b: mask(mask, mask) if a == mask and b == mask else None

    @lower_builtin(symbol, MaskType, MaskType)
    def _lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit(builder, *args)


_logic(operator.and_, lambda builder, a, b: builder.and_(a, b))
_logic(operator.or_, lambda builder, a, b: builder.or_(a, b))


def _vector_call(builder: Any, name: str, args: Any) -> Any:
    """Call an LLVM intrinsic on vectors."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(args))
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{W}f64"), args)


@intrinsic
def splat(typingctx, value):
    """The same number in every lane."""
    return lanes(types.float64), lambda context, builder, signature, args: _spread(builder, args[0])


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c, fused where the processor fuses; numbers go to every lane."""
    kinds = _as_lanes(a, b, c)

    def codegen(context, builder, signature, args):
        return _vector_call(builder, "fmuladd", [_spread(builder, value) for value in args])

    return None if kinds is None else (lanes(*kinds), codegen)


@intrinsic
def sqrt(typingctx, a):
    """Square root of every lane."""
    return lanes(lanes), lambda context, builder, signature, args: _vector_call(builder, "sqrt", args)


@intrinsic
def minimum(typingctx, a, b):
    """The smaller of ``a`` and ``b`` in every lane; ``b`` where either is NaN. Numbers go to every lane."""
    return _extreme("<", a, b)


@intrinsic
def maximum(typingctx, a, b):
    """The larger of ``a`` and ``b`` in every lane; ``b`` where either is NaN. Numbers go to every lane."""
    return _extreme(">", a, b)


def _extreme(symbol: str, a: Any, b: Any) -> Any:
    kinds = _as_lanes(a, b)

    def codegen(context, builder, signature, args):
        one, two = _spread(builder, args[0]), _spread(builder, args[1])
        return builder.select(builder.fcmp_ordered(symbol, one, two), one, two)

    return None if kinds is None else (lanes(*kinds), codegen)


@intrinsic
def select(typingctx, condition, a, b):
    """``a`` in the lanes where ``condition`` holds, ``b`` in the others; numbers go to every lane."""
    kinds = [lanes if kind == lanes else types.float64 for kind in (a, b)]

    def codegen(context, builder, signature, args):
        return builder.select(args[0], _spread(builder, args[1]), _spread(builder, args[2]))

    return lanes(mask, *kinds), codegen


@intrinsic
def any_(typingctx, condition):
    """Whether ``condition`` holds in any lane."""

    def codegen(context, builder, signature, args):
        word = ir.IntType(W)
        return builder.icmp_unsigned("!=", builder.bitcast(args[0], word), word(0))

    return types.boolean(mask), codegen


@intrinsic
def _quadrant(typingctx, t, sine, cosine):
    """(sin, cos) of r + k pi/2 from those of r, where the low bits of ``t`` hold the integer k."""
    pair = types.UniTuple(lanes, 2)

    def codegen(context, builder, signature, args):
        words = ir.VectorType(ir.IntType(64), W)
        one, two, up, low = (ir.Constant(words, [k] * W) for k in (1, 2, 62, 0))
        bits = builder.bitcast(args[0], words)
        swap = builder.icmp_unsigned("!=", builder.and_(bits, one), low)
        s = builder.bitcast(builder.select(swap, args[2], args[1]), words)
        c = builder.bitcast(builder.select(swap, args[1], args[2]), words)
        s = builder.xor(s, builder.shl(builder.and_(bits, two), up))
        c = builder.xor(c, builder.shl(builder.and_(builder.add(bits, one), two), up))
        return context.make_tuple(builder, pair, [builder.bitcast(s, _VECTOR), builder.bitcast(c, _VECTOR)])

    return pair(lanes, lanes, lanes), codegen


@exact
def sincos(x):
    """Sine and cosine of every lane, to 1.5 units in the last place up to 1e6 rad."""
    t = fma(x, 0.6366197723675814, _MAGIC)  # rounds to the nearest multiple of pi/2, its number in the low bits
    k = t - _MAGIC
    r = fma(k, -1.5707963267948966, x)
    r = fma(k, -6.123233995736766e-17, r)
    z = r * r
    # minimax polynomials on [-pi/4, pi/4], from Sun's fdlibm (k_sin.c, k_cos.c)
    p = fma(z, 1.58969099521155010221e-10, -2.50507602534068634195e-08)
    p = fma(z, p, 2.75573137070700676789e-06)
    p = fma(z, p, -1.98412698298579493134e-04)
    p = fma(z, p, 8.33333333332248946124e-03)
    p = fma(z, p, -1.66666666666666324348e-01)
    sine = fma(r * z, p, r)
    p = fma(z, -1.13596475577881948265e-11, 2.08757232129817482790e-09)
    p = fma(z, p, -2.75573143513906633035e-07)
    p = fma(z, p, 2.48015872894767294178e-05)
    p = fma(z, p, -1.38888888888741095749e-03)
    p = fma(z, p, 4.16666666666666019037e-02)
    cosine = fma(z * z, p, fma(z, -0.5, 1.0))
    return _quadrant(t, sine, cosine)
