"""Sine and cosine of vectors, without branches but for huge angles.

Range reduction: x = n pi/2 + r. Adding 1.5 * 2^23 (2^52 in float64) to ``2 x / pi`` rounds it to the nearest integer n
and leaves n in the low bits. pi/2 is the sum of numbers of the dtype, each taken off by one fused multiply-add, exact
but for the last. Then minimax polynomials on [-pi/4, pi/4]: in float32 those of S. Moshier's Cephes library (sinf,
cosf), in float64 those of Sun's fdlibm (k_sin.c, k_cos.c)::

    sin r = r + r z (S_0 z^k + ... + S_k),    cos r = 1 - z/2 + z^2 (C_0 z^k + ... + C_k),    z = r^2
"""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from diffkin.kernels.compiled import exact, inline
from diffkin.kernels.vectors.lanes import all_, fma, lane, load, quadrant, vector_of, width, with_lane

__all__ = ["sincos", "sincos_table", "sincos_vector"]

TWO_OVER_PI = 2 / math.pi
LIMIT32, LIMIT64 = 1e5, 1e6  # beyond, and for NaN and infinity, the slow path
MAGIC32, MAGIC64 = 1.5 * 2.0**23, 1.5 * 2.0**52
HALF_PI32 = (1.5707963705062866, -4.371139000186241e-08, -1.7151245100059935e-15)  # their sum is pi/2
HALF_PI64 = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591833e-33)
# coefficients from the highest power of z on; those of the cosine with the two of 1 - z/2 after them
SINE32 = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
COSINE32 = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2, -0.5, 1.0)
SINE64 = (
    *(1.58969099521155010221e-10, -2.50507602534068634195e-08, 2.75573137070700676789e-06),
    *(-1.98412698298579493134e-04, 8.33333333332248946124e-03, -1.66666666666666324348e-01),
)
COSINE64 = (
    *(-1.13596475577881948265e-11, 2.08757232129817482790e-09, -2.75573143513906633035e-07),
    *(2.48015872894767294178e-05, -1.38888888888741095749e-03, 4.16666666666666019037e-02, -0.5, 1.0),
)
_MINUS_FIRST64, _MINUS_SECOND64 = -HALF_PI64[0], -HALF_PI64[1]
# rows of the table
_TABLE32 = (TWO_OVER_PI, MAGIC32, *(-part for part in HALF_PI32), *SINE32, *COSINE32)
_TABLE64 = (TWO_OVER_PI, MAGIC64, *(-part for part in HALF_PI64), *SINE64, *COSINE64)
_POLYNOMIALS = 5  # the first row of the polynomials


@intrinsic
def sincos_table(typingctx, like):
    """A pointer to the constants that ``sincos_vector`` needs, for the dtype of ``like``, each in a row of lanes.

    Read from there they are operands of the multiply-adds; known to the compiler they would be rebuilt each time.
    """
    dtype = like.dtype
    vector = vector_of(dtype)
    constants = _TABLE32 if dtype == types.float32 else _TABLE64
    result = types.CPointer(dtype)

    def codegen(context, builder, signature, args):
        full = context.get_value_type(vector)
        space = cgutils.alloca_once(builder, full, size=len(constants))
        space.align = vector.lanes * dtype.bitwidth // 8
        for k, value in enumerate(constants):
            builder.store(ir.Constant(full, [value] * vector.lanes), builder.gep(space, [ir.IntType(32)(k)]))
        hide = ir.FunctionType(space.type, [space.type])  # an empty instruction that might have changed them
        space = builder.asm(hide, "", "=r,0,~{memory}", [space], True)
        return builder.bitcast(space, context.get_value_type(result))

    return result(like), codegen


@exact
def _reduce(x, table):
    """The remainder r of ``x``, and the number n of quarter turns in the low bits of a float."""
    magic = load(table, 1)
    t = fma(x, load(table, 0), magic)
    n = t - magic
    r = fma(n, load(table, 2), x)
    r = fma(n, load(table, 3), r)
    return fma(n, load(table, 4), r), t


@exact
def _polynomials32(r, sine, cosine):
    """Sine and cosine of ``r`` in [-pi/4, pi/4]."""
    z = r * r
    p = fma(z, sine[0], sine[1])
    p = fma(z, p, sine[2])
    s = fma(r * z, p, r)
    p = fma(z, cosine[0], cosine[1])
    p = fma(z, p, cosine[2])
    return s, fma(z * z, p, fma(z, cosine[3], cosine[4]))


@exact
def _polynomials64(r, sine, cosine):
    """Sine and cosine of ``r`` in [-pi/4, pi/4]."""
    z = r * r
    p = fma(z, sine[0], sine[1])
    p = fma(z, p, sine[2])
    p = fma(z, p, sine[3])
    p = fma(z, p, sine[4])
    p = fma(z, p, sine[5])
    s = fma(r * z, p, r)
    p = fma(z, cosine[0], cosine[1])
    p = fma(z, p, cosine[2])
    p = fma(z, p, cosine[3])
    p = fma(z, p, cosine[4])
    p = fma(z, p, cosine[5])
    return s, fma(z * z, p, fma(z, cosine[6], cosine[7]))


@exact
def _sincos32(x, quarters, table):
    r, t = _reduce(x, table)
    k = _POLYNOMIALS
    sine = load(table, k), load(table, k + 1), load(table, k + 2)
    k += len(SINE32)
    cosine = load(table, k), load(table, k + 1), load(table, k + 2), load(table, k + 3), load(table, k + 4)
    s, c = _polynomials32(r, sine, cosine)
    return quadrant(t + quarters, s, c)


@exact
def _sincos64(x, quarters, table):
    r, t = _reduce(x, table)
    k = _POLYNOMIALS
    sine = (
        *(load(table, k), load(table, k + 1), load(table, k + 2)),
        *(load(table, k + 3), load(table, k + 4), load(table, k + 5)),
    )
    k += len(SINE64)
    cosine = (
        *(load(table, k), load(table, k + 1), load(table, k + 2), load(table, k + 3)),
        *(load(table, k + 4), load(table, k + 5), load(table, k + 6), load(table, k + 7)),
    )
    s, c = _polynomials64(r, sine, cosine)
    return quadrant(t + quarters, s, c)


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
    return x.dtype(x), lambda context, builder, signature, args: context.get_constant(x.dtype, value)


@inline
def sincos_vector(x, quarters, table):
    """Sine and cosine of ``x + quarters * pi/2``.

    The error is below 1.6 units in the last place for every finite ``x``; NaN and infinity give NaN.

    Args:
        x: A vector of ``lanes``: angles [rad].
        quarters: 0, 1, 2 or 3, as a real scalar.
        table: From ``sincos_table``.
    """
    s, c = _fast(x, quarters, table)
    limit = _limit(x)
    if not all_((x <= limit) & (x >= -limit)):
        for l in range(width(table)):
            v = lane(x, l)
            if not (abs(v) <= limit):
                sine, cosine = math.sin(v), math.cos(v)
                for _ in range(int(quarters)):
                    sine, cosine = cosine, -sine
                s, c = with_lane(s, l, sine), with_lane(c, l, cosine)
    return s, c


@exact
def sincos(x):
    """Sine and cosine of a float64 vector of any family, to 1.5 units in the last place up to 1e6 rad.

    Two parts of pi/2 are enough for that. Beyond, and for NaN, the values mean nothing.
    """
    t = fma(x, TWO_OVER_PI, MAGIC64)
    n = t - MAGIC64
    r = fma(n, _MINUS_FIRST64, x)
    r = fma(n, _MINUS_SECOND64, r)
    s, c = _polynomials64(r, SINE64, COSINE64)
    return quadrant(t, s, c)
