"""Blocks of problems in SIMD lanes: their width, arrays on the stack, and sine and cosine that vectorise.

A block of ``W`` problems lies in memory as ``[element][lane]``; every inner loop runs over the lanes with a constant
trip count and no branch, so that the compiler turns it into vector instructions. ``W`` fills 64 bytes:
``W32 = 16`` for float32, ``W64 = 8`` for float64.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from diffkin.kernels.compiled import exact, inline
from diffkin.kernels.vectors import Vector, all_within, fma, lane, quadrant, with_lane

__all__ = ["W32", "W64", "fma", "sincos", "sincos_lanes", "sincos_vector", "stack"]

W32 = 16
W64 = 8

f4 = np.float32
f8 = np.float64


@intrinsic
def stack(typingctx, shape, like):
    """An uninitialised array of constant shape on the stack, with the dtype of the array ``like``.

    It lives until the kernel that asked for it returns. The compiler knows that nothing else points to it: it needs no
    overlap checks and may keep it in registers. ``shape`` is an int or a tuple of ints known at compilation.
    """
    if isinstance(shape, types.IntegerLiteral):
        lengths: tuple[int, ...] = (shape.literal_value,)
    elif isinstance(shape, types.BaseTuple) and all(isinstance(n, types.IntegerLiteral) for n in shape):
        lengths = tuple(n.literal_value for n in shape)
    else:
        return None
    array_type = types.Array(like.dtype, len(lengths), "C")

    def codegen(context, builder, signature, args):
        element = context.get_data_type(like.dtype)
        size = context.get_abi_sizeof(element)
        total = math.prod(lengths)
        space = cgutils.alloca_once(builder, ir.ArrayType(element, total))
        space.align = 64
        array = context.make_array(array_type)(context, builder)
        strides = [math.prod(lengths[i + 1 :]) * size for i in range(len(lengths))]
        context.populate_array(
            array,
            data=builder.bitcast(space, array.data.type),
            shape=cgutils.pack_array(builder, [context.get_constant(types.intp, n) for n in lengths]),
            strides=cgutils.pack_array(builder, [context.get_constant(types.intp, n) for n in strides]),
            itemsize=context.get_constant(types.intp, size),
            meminfo=None,
            parent=None,
        )
        return array._getvalue()

    return array_type(shape, like), codegen


# Range reduction: x = k pi/2 + r in three steps, each one fused multiply-add, exact until the last. pi/2 as a sum of
# three numbers of the dtype. Adding MAGIC rounds to the nearest integer and leaves k in the low bits.
MAGIC32, MAGIC64 = f4(1.5 * 2**23), f8(1.5 * 2**52)
LIMIT32, LIMIT64 = f4(1e5), f8(1e6)  # beyond, and for NaN and infinity, the slow path


@exact
def _sincos32(x):
    t = fma(x, f4(0.6366197723675814), MAGIC32)
    k = t - MAGIC32
    r = fma(k, f4(-1.5707963705062866), x)
    r = fma(k, f4(4.371139000186241e-08), r)
    r = fma(k, f4(1.7151245100059935e-15), r)
    z = r * r
    # minimax polynomials on [-pi/4, pi/4], from S. Moshier's Cephes library (sinf, cosf)
    p = fma(z, f4(-1.9515295891e-4), f4(8.3321608736e-3))
    p = fma(z, p, f4(-1.6666654611e-1))
    sine = fma(r * z, p, r)
    p = fma(z, f4(2.443315711809948e-5), f4(-1.388731625493765e-3))
    p = fma(z, p, f4(4.166664568298827e-2))
    cosine = fma(z * z, p, fma(z, f4(-0.5), f4(1)))
    return quadrant(t, sine, cosine)


@exact
def _sincos64(x):
    t = fma(x, 0.6366197723675814, MAGIC64)
    k = t - MAGIC64
    r = fma(k, -1.5707963267948966, x)
    r = fma(k, -6.123233995736766e-17, r)
    r = fma(k, 1.4973849048591833e-33, r)
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
    return quadrant(t, sine, cosine)


@intrinsic
def _limit(typingctx, x):
    dtype = getattr(x, "dtype", x)
    value = float(LIMIT32 if dtype == types.float32 else LIMIT64)
    return dtype(x), lambda context, builder, sig, args: context.get_constant(dtype, value)


@intrinsic
def _count(typingctx, x):
    return types.intp(x), lambda context, builder, sig, args: context.get_constant(types.intp, x.lanes)


def sincos(x: Any) -> Any:
    """Sine and cosine of a scalar or a vector, without branches, to 1e5 rad in float32 and 1e6 in float64."""
    raise NotImplementedError("only inside kernels")


@overload(sincos, inline="never", jit_options={"forceinline": True})
def _sincos(x):
    if x == types.float32 or x == Vector(types.float32):
        return lambda x: _sincos32(x)
    if x == types.float64 or x == Vector(types.float64):
        return lambda x: _sincos64(x)
    return None


@inline
def sincos_lanes(x, s, c):
    """Sine ``s`` and cosine ``c`` of the block of lanes ``x``, all of one length known at compilation or not.

    Error below 1.6 units in the last place for every finite ``x``; NaN for NaN and infinity.
    """
    slow = 0
    for l in range(x.shape[0]):
        v = x[l]
        s[l], c[l] = sincos(v)
        slow |= not (abs(v) <= _limit(x))
    if slow:
        for l in range(x.shape[0]):
            v = x[l]
            if not (abs(v) <= _limit(x)):
                s[l] = math.sin(v)
                c[l] = math.cos(v)


@inline
def sincos_vector(x):
    """Sine and cosine of a vector of lanes, with the accuracy and range of ``sincos_lanes``."""
    s, c = sincos(x)
    limit = _limit(x)
    if not all_within(x, limit):
        for l in range(_count(x)):
            v = lane(x, l)
            if not (abs(v) <= limit):
                s = with_lane(s, l, math.sin(v))
                c = with_lane(c, l, math.cos(v))
    return s, c
