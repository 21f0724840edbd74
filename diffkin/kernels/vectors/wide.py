"""A vector of twice as many lanes as a register holds, for long chains of dependent steps.

Each operation becomes two independent instructions, so one hides the latency of the other. Arithmetic, ``fma`` and
scalars beside vectors work as for ``Vector``; this file adds division, square root and choice by comparison. ``load``
and ``store`` take the row of a C-contiguous array (rows, lanes).
"""

from __future__ import annotations

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, register_model

from diffkin.kernels.vectors.lanes import VECTOR_BYTES, Vector, _register, _spread, _VectorModel

__all__ = ["Wide", "any_above", "load", "select_above", "splat", "sqrt", "store", "width"]


class Wide(Vector):
    """The type of a wide vector with elements ``dtype``."""

    def __init__(self, dtype: types.Float) -> None:
        super().__init__(dtype)
        self.lanes = 2 * VECTOR_BYTES * 8 // dtype.bitwidth
        types.Type.__init__(self, f"Wide({dtype}, {self.lanes})")


register_model(Wide)(_VectorModel)
_register(operator.truediv, lambda builder, a, b: builder.fdiv(a, b))


@intrinsic
def width(typingctx, array):
    """The number of lanes of a wide vector of the dtype of ``array``."""
    lanes = Wide(array.dtype).lanes
    return types.intp(array), lambda context, builder, sig, args: context.get_constant(types.intp, lanes)


@intrinsic
def splat(typingctx, array, value):
    """``value`` in every lane of a wide vector of the dtype of ``array``."""
    wide = Wide(array.dtype)
    return wide(array, value), lambda context, builder, sig, args: _spread(context, builder, wide, value, args[1])


def _row(context, builder, array_type, array, row, wide):
    data = context.make_array(array_type)(context, builder, array).data
    place = builder.gep(data, [builder.mul(row, ir.Constant(row.type, wide.lanes))])
    return builder.bitcast(place, context.get_value_type(wide).as_pointer())


@intrinsic
def load(typingctx, array, row):
    """Row ``row`` of an array (rows, lanes)."""
    wide = Wide(array.dtype)

    def codegen(context, builder, sig, args):
        return builder.load(_row(context, builder, array, *args, wide), align=array.dtype.bitwidth // 8)

    return wide(array, types.intp), codegen


@intrinsic
def store(typingctx, array, row, value):
    """Write a wide vector, or one number for all lanes, into row ``row`` of an array (rows, lanes)."""
    wide = Wide(array.dtype)

    def codegen(context, builder, sig, args):
        spread = _spread(context, builder, wide, value, args[2])
        builder.store(spread, _row(context, builder, array, *args[:2], wide), align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, value), codegen


@intrinsic
def sqrt(typingctx, x):
    """Square root of every lane."""

    def codegen(context, builder, sig, args):
        full = context.get_value_type(x)
        name = f"llvm.sqrt.v{x.lanes}f{x.dtype.bitwidth}"
        return builder.call(cgutils.get_or_insert_function(builder.module, ir.FunctionType(full, [full]), name), args)

    return x(x), codegen


@intrinsic
def select_above(typingctx, x, bound, above, otherwise):
    """``above`` in the lanes where ``x > bound``, ``otherwise`` in the others (NaN among them)."""

    def codegen(context, builder, sig, args):
        spread = [_spread(context, builder, x, t, v) for t, v in zip(sig.args, args)]
        return builder.select(builder.fcmp_ordered(">", spread[0], spread[1]), spread[2], spread[3])

    return x(x, bound, above, otherwise), codegen


@intrinsic
def any_above(typingctx, x, bound):
    """Whether ``x > bound`` in any lane."""

    def codegen(context, builder, sig, args):
        high = builder.fcmp_ordered(">", args[0], _spread(context, builder, x, bound, args[1]))
        mask = ir.IntType(x.lanes)
        return builder.icmp_unsigned("!=", builder.bitcast(high, mask), mask(0))

    return types.boolean(x, bound), codegen
