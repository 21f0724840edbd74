"""A number type for kernels that stands for one float64 in each of ``W`` lanes, written like a scalar.

``a * b + c`` on ``Lanes`` is one vector instruction an operator, with the rounding of IEEE 754 in every lane and no
liberty for the compiler: the value of a lane depends on that lane alone, wherever the code is inlined. ``fma`` fuses
where the processor can. ``Mask`` holds one truth value a lane. Both live in registers; ``load`` and ``store`` move them
between registers and rows of a C-contiguous float64 array (rows, W).
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

from diffkin.kernels.compiled import exact

__all__ = ["W", "abs_", "any_", "fma", "load", "maximum", "minimum", "select", "sincos", "splat", "sqrt", "store"]

W = 4
"""Lanes in a block: two AVX registers, one AVX-512 register, four of NEON."""

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


@intrinsic
def splat(typingctx, value):
    """The same float64 in every lane."""

    def codegen(context, builder, signature, args):
        vector = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), args[0], _INDEX(0))
        zeros = ir.Constant(ir.VectorType(_INDEX, W), [0] * W)
        return builder.shuffle_vector(vector, ir.Constant(_VECTOR, ir.Undefined), zeros)

    return lanes(types.float64), codegen


def _binary(name: str) -> Any:
    @intrinsic
    def operation(typingctx, a, b):
        return lanes(lanes, lanes), lambda context, builder, signature, args: getattr(builder, name)(*args)

    return operation


def _compare(symbol: str) -> Any:
    @intrinsic
    def operation(typingctx, a, b):
        return mask(lanes, lanes), lambda context, builder, signature, args: builder.fcmp_ordered(symbol, *args)

    return operation


def _logic(name: str) -> Any:
    @intrinsic
    def operation(typingctx, a, b):
        return mask(mask, mask), lambda context, builder, signature, args: getattr(builder, name)(*args)

    return operation


def _intrinsic(name: str, count: int) -> Any:
    """An LLVM intrinsic on vectors, by its overloaded name."""

    def call(builder: Any, args: Any) -> Any:
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * count)
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{W}f64"), args)

    return call


_add, _sub, _mul, _div = _binary("fadd"), _binary("fsub"), _binary("fmul"), _binary("fdiv")
_lt, _le, _gt, _ge = _compare("<"), _compare("<="), _compare(">"), _compare(">=")
_and, _or = _logic("and_"), _logic("or_")


def _operator(symbol: Any, operation: Any, kind: Any) -> None:
    """Give ``symbol`` its meaning between two values of ``kind``; a scalar beside Lanes goes to every lane."""

    @overload(symbol, inline="never", jit_options={"forceinline": True})
    def implementation(a, b):
        if a == kind and b == kind:
            return lambda a, b: operation(a, b)
        if kind == lanes and a == lanes and isinstance(b, types.Number):
            return lambda a, b: operation(a, splat(b))
        if kind == lanes and b == lanes and isinstance(a, types.Number):
            return lambda a, b: operation(splat(a), b)
        return None


for _symbol, _operation in (
    (operator.add, _add),
    (operator.sub, _sub),
    (operator.mul, _mul),
    (operator.truediv, _div),
    (operator.lt, _lt),
    (operator.le, _le),
    (operator.gt, _gt),
    (operator.ge, _ge),
):
    _operator(_symbol, _operation, lanes)
_operator(operator.and_, _and, mask)
_operator(operator.or_, _or, mask)


@intrinsic
def _fma(typingctx, a, b, c):
    """a * b + c, fused where the processor fuses."""
    call = _intrinsic("fmuladd", 3)
    return lanes(lanes, lanes, lanes), lambda context, builder, signature, args: call(builder, args)


@intrinsic
def sqrt(typingctx, a):
    """Square root of every lane."""
    call = _intrinsic("sqrt", 1)
    return lanes(lanes), lambda context, builder, signature, args: call(builder, args)


@intrinsic
def abs_(typingctx, a):
    """Absolute value of every lane."""
    call = _intrinsic("fabs", 1)
    return lanes(lanes), lambda context, builder, signature, args: call(builder, args)


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


@intrinsic
def select(typingctx, condition, a, b):
    """``a`` in the lanes where ``condition`` holds, ``b`` in the others."""
    return lanes(mask, lanes, lanes), lambda context, builder, signature, args: builder.select(*args)


@intrinsic
def any_(typingctx, condition):
    """Whether ``condition`` holds in any lane."""

    def codegen(context, builder, signature, args):
        word = ir.IntType(W)
        return builder.icmp_unsigned("!=", builder.bitcast(args[0], word), word(0))

    return types.boolean(mask), codegen


def fma(a: Any, b: Any, c: Any) -> Any:
    """a * b + c of lanes (any of them may be a scalar), fused where the processor fuses."""
    raise NotImplementedError("only inside kernels")


@overload(fma, inline="never", jit_options={"forceinline": True})
def _fma_any(a, b, c):
    if lanes not in (a, b, c):
        return None
    if a != lanes:
        return lambda a, b, c: fma(splat(a), b, c)
    if b != lanes:
        return lambda a, b, c: fma(a, splat(b), c)
    if c != lanes:
        return lambda a, b, c: fma(a, b, splat(c))
    return lambda a, b, c: _fma(a, b, c)


def minimum(a: Any, b: Any) -> Any:
    """The smaller of ``a`` and ``b`` in every lane; ``b`` where either is NaN."""
    raise NotImplementedError("only inside kernels")


def maximum(a: Any, b: Any) -> Any:
    """The larger of ``a`` and ``b`` in every lane; ``b`` where either is NaN."""
    raise NotImplementedError("only inside kernels")


@overload(minimum, inline="never", jit_options={"forceinline": True})
def _minimum(a, b):
    if a == lanes and b == lanes:
        return lambda a, b: select(_lt(a, b), a, b)
    return None


@overload(maximum, inline="never", jit_options={"forceinline": True})
def _maximum(a, b):
    if a == lanes and b == lanes:
        return lambda a, b: select(_gt(a, b), a, b)
    return None


@exact
def sincos(x):
    """Sine and cosine of every lane, to 1.5 units in the last place up to 1e6 rad."""
    t = fma(x, 0.6366197723675814, _MAGIC)  # rounds to the nearest multiple of pi/2, its number in the low bits
    k = t - _MAGIC
    r = fma(k, -1.5707963267948966, x)
    r = fma(k, -6.123233995736766e-17, r)
    z = r * r
    # minimax polynomials on [-pi/4, pi/4], from Sun's fdlibm (k_sin.c, k_cos.c)
    p = fma(z, 1.58969099521155010221e-10, splat(-2.50507602534068634195e-08))
    p = fma(z, p, 2.75573137070700676789e-06)
    p = fma(z, p, -1.98412698298579493134e-04)
    p = fma(z, p, 8.33333333332248946124e-03)
    p = fma(z, p, -1.66666666666666324348e-01)
    sine = fma(r * z, p, r)
    p = fma(z, -1.13596475577881948265e-11, splat(2.08757232129817482790e-09))
    p = fma(z, p, -2.75573143513906633035e-07)
    p = fma(z, p, 2.48015872894767294178e-05)
    p = fma(z, p, -1.38888888888741095749e-03)
    p = fma(z, p, 4.16666666666666019037e-02)
    cosine = fma(z * z, p, fma(z, -0.5, splat(1.0)))
    return _quadrant(t, sine, cosine)
