"""Blocks of problems in SIMD lanes: their width, arrays on the stack, and sine and cosine that vectorise.

A block of ``W`` problems lies in memory as ``[element][lane]``; every inner loop runs over the lanes with a constant
trip count and no branch, so that the compiler turns it into vector instructions. ``W`` fills 64 bytes:
``W32 = 16`` for float32, ``W64 = 8`` for float64.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from diffkin.kernels.compiled import exact, inline

__all__ = ["W32", "W64", "fma", "sincos", "sincos_lanes", "stack"]

W32 = 16
W64 = 8

f4 = np.float32
f8 = np.float64


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c, rounded once."""
    if not (isinstance(a, types.Float) and a == b == c):
        return None

    def codegen(context, builder, signature, args):
        return builder.fma(*args)

    return a(a, a, a), codegen


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


@intrinsic
def quadrant(typingctx, t, sine, cosine):
    """(sin, cos) of r + k pi/2 from those of r, where the low bits of the float ``t`` hold the integer k."""
    if not (isinstance(t, types.Float) and t == sine == cosine):
        return None
    pair = types.UniTuple(t, 2)

    def codegen(context, builder, signature, args):
        shifted, sine, cosine = args
        real = shifted.type
        word = ir.IntType(t.bitwidth)
        one, two, up = word(1), word(2), word(t.bitwidth - 2)
        bits = builder.bitcast(shifted, word)
        swap = builder.trunc(bits, ir.IntType(1))
        s = builder.bitcast(builder.select(swap, cosine, sine), word)
        c = builder.bitcast(builder.select(swap, sine, cosine), word)
        s = builder.xor(s, builder.shl(builder.and_(bits, two), up))
        c = builder.xor(c, builder.shl(builder.and_(builder.add(bits, one), two), up))
        values = [builder.bitcast(s, real), builder.bitcast(c, real)]
        return context.make_tuple(builder, pair, values)

    return pair(t, t, t), codegen


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


def sincos(x: Any) -> Any:
    """Sine and cosine of a scalar, branchless, within the fast range: 1e5 rad in float32, 1e6 in float64."""
    raise NotImplementedError("only inside kernels")


@overload(sincos, inline="never", jit_options={"forceinline": True})
def _sincos(x):
    if x == types.float32:
        return lambda x: _sincos32(x)
    if x == types.float64:
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
        slow |= not (abs(v) <= (LIMIT32 if x.itemsize == 4 else LIMIT64))
    if slow:
        for l in range(x.shape[0]):
            v = x[l]
            if not (abs(v) <= (LIMIT32 if x.itemsize == 4 else LIMIT64)):
                s[l] = math.sin(v)
                c[l] = math.cos(v)
