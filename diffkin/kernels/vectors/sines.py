"""Sine and cosine of a vector of lanes, without branches but for huge angles.

Range reduction: x = n pi/2 + r in three steps, each one fused multiply-add and exact until the last; pi/2 is the sum of
three numbers of the dtype. Adding 1.5 * 2^23 (2^52 in float64) rounds to the nearest integer n and leaves it in the low
bits. Then minimax polynomials on [-pi/4, pi/4]: in float32 those of S. Moshier's Cephes library (sinf, cosf), in
float64 those of Sun's fdlibm (k_sin.c, k_cos.c).
"""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from diffkin.kernels.compiled import exact, inline
from diffkin.kernels.vectors.lanes import Vector, all_within, fma, lane, load, quadrant, width, with_lane

__all__ = ["sincos_table", "sincos_vector"]

LIMIT32, LIMIT64 = 1e5, 1e6  # beyond, and for NaN and infinity, the slow path
_CONSTANTS32 = (
    (2 / math.pi, 1.5 * 2**23, -1.5707963705062866, 4.371139000186241e-08, 1.7151245100059935e-15)
    + (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
    + (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2, -0.5, 1.0)
)
_CONSTANTS64 = (
    (2 / math.pi, 1.5 * 2**52, -1.5707963267948966, -6.123233995736766e-17, 1.4973849048591833e-33)
    + (1.58969099521155010221e-10, -2.50507602534068634195e-08, 2.75573137070700676789e-06)
    + (-1.98412698298579493134e-04, 8.33333333332248946124e-03, -1.66666666666666324348e-01)
    + (-1.13596475577881948265e-11, 2.08757232129817482790e-09, -2.75573143513906633035e-07)
    + (2.48015872894767294178e-05, -1.38888888888741095749e-03, 4.16666666666666019037e-02, -0.5, 1.0)
)


@intrinsic
def sincos_table(typingctx, like):
    """A pointer to the constants that ``sincos_vector`` needs, for the dtype of ``like``, each in every lane.

    Read from there they are operands of the multiply-adds; known to the compiler they would be rebuilt each time.
    """
    dtype = like.dtype
    result = types.CPointer(dtype)

    def codegen(context, builder, sig, args):
        constants = _CONSTANTS32 if dtype == types.float32 else _CONSTANTS64
        lanes = Vector(dtype).lanes
        full = context.get_value_type(Vector(dtype))
        space = cgutils.alloca_once(builder, full, size=len(constants))
        space.align = lanes * dtype.bitwidth // 8
        for k, value in enumerate(constants):
            builder.store(ir.Constant(full, [value] * lanes), builder.gep(space, [ir.IntType(32)(k)]))
        hide = ir.FunctionType(space.type, [space.type])  # an empty instruction that might have changed them
        space = builder.asm(hide, "", "=r,0,~{memory}", [space], True)
        return builder.bitcast(space, context.get_value_type(result))

    return result(like), codegen


@exact
def _sincos32(x, quarters, k):
    w = width(k)
    magic = load(k, w)
    t = fma(x, load(k, 0), magic)
    n = t - magic
    r = fma(n, load(k, 2 * w), x)
    r = fma(n, load(k, 3 * w), r)
    r = fma(n, load(k, 4 * w), r)
    z = r * r
    p = fma(z, load(k, 5 * w), load(k, 6 * w))
    p = fma(z, p, load(k, 7 * w))
    sine = fma(r * z, p, r)
    p = fma(z, load(k, 8 * w), load(k, 9 * w))
    p = fma(z, p, load(k, 10 * w))
    cosine = fma(z * z, p, fma(z, load(k, 11 * w), load(k, 12 * w)))
    return quadrant(t + quarters, sine, cosine)


@exact
def _sincos64(x, quarters, k):
    w = width(k)
    magic = load(k, w)
    t = fma(x, load(k, 0), magic)
    n = t - magic
    r = fma(n, load(k, 2 * w), x)
    r = fma(n, load(k, 3 * w), r)
    r = fma(n, load(k, 4 * w), r)
    z = r * r
    p = fma(z, load(k, 5 * w), load(k, 6 * w))
    p = fma(z, p, load(k, 7 * w))
    p = fma(z, p, load(k, 8 * w))
    p = fma(z, p, load(k, 9 * w))
    p = fma(z, p, load(k, 10 * w))
    sine = fma(r * z, p, r)
    p = fma(z, load(k, 11 * w), load(k, 12 * w))
    p = fma(z, p, load(k, 13 * w))
    p = fma(z, p, load(k, 14 * w))
    p = fma(z, p, load(k, 15 * w))
    p = fma(z, p, load(k, 16 * w))
    cosine = fma(z * z, p, fma(z, load(k, 17 * w), load(k, 18 * w)))
    return quadrant(t + quarters, sine, cosine)


def _fast(x: Any, quarters: Any, table: Any) -> Any:
    raise NotImplementedError("only inside kernels")


@overload(_fast, inline="never", jit_options={"forceinline": True})
def _fast_of(x, quarters, table):
    if x.dtype == types.float32:
        return lambda x, quarters, table: _sincos32(x, quarters, table)
    return lambda x, quarters, table: _sincos64(x, quarters, table)


@intrinsic
def _limit(typingctx, x):
    value = LIMIT32 if x.dtype == types.float32 else LIMIT64
    return x.dtype(x), lambda context, builder, sig, args: context.get_constant(x.dtype, value)


@inline
def sincos_vector(x, quarters, table):
    """Sine and cosine of ``x + quarters * pi/2``.

    The error is below 1.6 units in the last place for every finite ``x``; NaN and infinity give NaN.

    Args:
        x: A vector of angles [rad].
        quarters: 0, 1, 2 or 3, as a real scalar.
        table: From ``sincos_table``.
    """
    s, c = _fast(x, quarters, table)
    limit = _limit(x)
    if not all_within(x, limit):
        for l in range(width(table)):
            v = lane(x, l)
            if not (abs(v) <= limit):
                sine, cosine = math.sin(v), math.cos(v)
                for _ in range(int(quarters)):
                    sine, cosine = cosine, -sine
                s, c = with_lane(s, l, sine), with_lane(c, l, cosine)
    return s, c
