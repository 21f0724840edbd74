"""A vector of lanes as a type of Numba: one number of each of the few problems that are computed at once.

Code on vectors reads like code on scalars and becomes vector instructions as written, with no loop to vectorise:
``+ - *`` and ``fma`` among vectors and scalars, ``load``, ``store``, ``gather``, ``load_rows`` and ``store_rows``
between vectors and memory, which is an array or a pointer to its numbers.
``width(array)`` is the number of lanes: 8 float32 or 4 float64 (16 and 8 where the processor has AVX-512).
"""

from __future__ import annotations

import operator

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model

__all__ = [
    "VECTOR_BYTES",
    "all_within",
    "fma",
    "gather",
    "lane",
    "load",
    "load_rows",
    "pointer",
    "quadrant",
    "scatter",
    "scratch",
    "splat",
    "store",
    "store_rows",
    "width",
    "with_lane",
]

VECTOR_BYTES = 64 if llvm.get_host_cpu_features().get("avx512f") else 32


class Vector(types.Type):
    """The type of a vector of lanes with elements ``dtype``."""

    def __init__(self, dtype: types.Float) -> None:
        self.dtype = dtype
        self.lanes = VECTOR_BYTES * 8 // dtype.bitwidth
        super().__init__(f"Vector({dtype}, {self.lanes})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, ir.VectorType(dmm.lookup(fe_type.dtype).get_value_type(), fe_type.lanes))


def _spread(context, builder, vector_type, from_type, value):
    """The LLVM vector of a value of Numba type ``from_type``: itself, or a scalar in every lane."""
    if isinstance(from_type, Vector):
        return value
    value = context.cast(builder, value, from_type, vector_type.dtype)
    full = context.get_value_type(vector_type)
    one = builder.insert_element(ir.Constant(full, ir.Undefined), value, ir.IntType(32)(0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), vector_type.lanes), None))


def _vector_among(args) -> Vector | None:
    """The one vector type among argument types that are otherwise real scalars, else None."""
    found = {a for a in args if isinstance(a, Vector)}
    if len(found) != 1 or not all(isinstance(a, (Vector, types.Float, types.Integer)) for a in args):
        return None
    return found.pop()


def _register(operation, emit):
    @infer_global(operation)
    class Template(AbstractTemplate):
        def generic(self, args, kws):
            vector = _vector_among(args)
            return None if vector is None else signature(vector, *args)

    def lower(context, builder, sig, args):
        spread = [_spread(context, builder, sig.return_type, t, v) for t, v in zip(sig.args, args)]
        return emit(builder, *spread)

    if operation is operator.neg:
        lower_builtin(operation, Vector)(lower)
        return
    for pair in ((Vector, Vector), (Vector, types.Float), (types.Float, Vector)):
        lower_builtin(operation, *pair)(lower)


# "contract" alone: a product and a sum may become one fused multiply-add, always the same way in every lane
_CONTRACT = ("contract",)
_register(operator.add, lambda builder, a, b: builder.fadd(a, b, flags=_CONTRACT))
_register(operator.sub, lambda builder, a, b: builder.fsub(a, b, flags=_CONTRACT))
_register(operator.mul, lambda builder, a, b: builder.fmul(a, b, flags=_CONTRACT))
_register(operator.neg, lambda builder, a: builder.fneg(a))


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c, rounded once, of vectors and scalars; of scalars alone they must be of one type."""
    vector = _vector_among((a, b, c))
    if vector is None:
        if not (isinstance(a, types.Float) and a == b == c):
            return None
        return a(a, a, a), lambda context, builder, sig, args: builder.fma(*args)

    def codegen(context, builder, sig, args):
        spread = [_spread(context, builder, vector, t, v) for t, v in zip(sig.args, args)]
        full = context.get_value_type(vector)
        name = f"llvm.fma.v{vector.lanes}f{vector.dtype.bitwidth}"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(full, [full] * 3), name)
        return builder.call(function, spread)

    return vector(a, b, c), codegen


@intrinsic
def width(typingctx, array):
    """The number of lanes of a vector of the dtype of ``array``."""
    lanes = Vector(array.dtype).lanes
    return types.intp(array), lambda context, builder, sig, args: context.get_constant(types.intp, lanes)


@intrinsic
def splat(typingctx, array, value):
    """``value`` in every lane of a vector of the dtype of ``array``."""
    vector = Vector(array.dtype)

    def codegen(context, builder, sig, args):
        return _spread(context, builder, vector, value, args[1])

    return vector(array, value), codegen


def _address(context, builder, memory_type, memory, offset):
    if isinstance(memory_type, types.Array):
        memory = context.make_array(memory_type)(context, builder, memory).data
    return builder.gep(memory, [offset])


@intrinsic
def pointer(typingctx, array):
    """Where the numbers of a C-contiguous array begin; not counted as a reference, so the caller keeps the array."""
    result = types.CPointer(array.dtype)

    def codegen(context, builder, sig, args):
        return context.make_array(array)(context, builder, args[0]).data

    return result(array), codegen


@intrinsic
def scratch(typingctx, like, count):
    """A pointer to ``count`` uninitialised numbers of the dtype of ``like``, on the stack until the kernel returns.

    Not for use in a loop, nor in a function that is inlined into one.
    """
    result = types.CPointer(like.dtype)

    def codegen(context, builder, sig, args):
        space = builder.alloca(context.get_value_type(like.dtype), size=args[1])
        space.align = 64
        return space

    return result(like, types.intp), codegen


@intrinsic
def load(typingctx, array, offset):
    """The vector at ``array.ravel()[offset : offset + lanes]`` of a C-contiguous array."""
    vector = Vector(array.dtype)

    def codegen(context, builder, sig, args):
        pointer = _address(context, builder, array, args[0], args[1])
        full = context.get_value_type(vector)
        return builder.load(builder.bitcast(pointer, full.as_pointer()), align=array.dtype.bitwidth // 8)

    return vector(array, types.intp), codegen


@intrinsic
def store(typingctx, array, offset, value):
    """Write a vector to ``array.ravel()[offset : offset + lanes]`` of a C-contiguous array."""
    vector = Vector(array.dtype)

    def codegen(context, builder, sig, args):
        pointer = _address(context, builder, array, args[0], args[1])
        full = context.get_value_type(vector)
        spread = _spread(context, builder, vector, value, args[2])
        builder.store(spread, builder.bitcast(pointer, full.as_pointer()), align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, value), codegen


@intrinsic
def gather(typingctx, array, offset, stride):
    """The vector whose lane l is ``array.ravel()[offset + l * stride]``."""
    vector = Vector(array.dtype)

    def codegen(context, builder, sig, args):
        pointer = _address(context, builder, array, args[0], args[1])
        result = ir.Constant(context.get_value_type(vector), ir.Undefined)
        for lane in range(vector.lanes):
            result = builder.insert_element(result, builder.load(pointer), ir.IntType(32)(lane))
            pointer = builder.gep(pointer, [args[2]])
        return result

    return vector(array, types.intp, types.intp), codegen


def _shuffle(builder, a, b, mask):
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(mask)), list(mask)))


def _transpose(builder, rows, lanes):
    """The groups of four (a_l, b_l, c_l, d_l), one a lane, of four vectors, by shuffles within 128 or 256 bits."""
    a, b, c, d = rows
    groups = {}
    half = 4 if lanes * 4 == VECTOR_BYTES else 2  # elements in 128 bits: 4 float32 or 2 float64

    def pick(first, second, choose):
        """In every 128 bits take the elements that ``choose`` names: (vector, element)."""
        mask = [which * lanes + start + k for start in range(0, lanes, half) for which, k in choose]
        return _shuffle(builder, first, second, mask)

    if half == 4:
        low_ab, high_ab = (pick(a, b, ((0, k), (1, k), (0, k + 1), (1, k + 1))) for k in (0, 2))
        low_cd, high_cd = (pick(c, d, ((0, k), (1, k), (0, k + 1), (1, k + 1))) for k in (0, 2))
        for base, ab, cd in ((0, low_ab, low_cd), (2, high_ab, high_cd)):
            for k in (0, 1):
                both = pick(ab, cd, ((0, 2 * k), (0, 2 * k + 1), (1, 2 * k), (1, 2 * k + 1)))
                for start in range(0, lanes, 4):
                    groups[start + base + k] = _shuffle(builder, both, both, range(start, start + 4))
    else:
        for k in (0, 1):
            ab, cd = pick(a, b, ((0, k), (1, k))), pick(c, d, ((0, k), (1, k)))
            for start in range(0, lanes, 2):
                mask = [start, start + 1, lanes + start, lanes + start + 1]
                groups[start + k] = _shuffle(builder, ab, cd, mask)
    return [groups[lane] for lane in range(lanes)]


def _untranspose(builder, groups):
    """The four vectors of which ``groups`` are the lanes: the inverse of ``_transpose``."""
    # put the groups of lanes i, i + 4, i + 8 ... side by side, for i from 0 to 3
    while len(groups) > 4:
        pairs = [(start + i, start + i + 4) for start in range(0, len(groups), 8) for i in range(4)]
        size = groups[0].type.count
        groups = [_shuffle(builder, groups[i], groups[j], range(2 * size)) for i, j in pairs]
    # groups[i] holds, in its k-th four elements, the four numbers of lane i + 4 k
    size = groups[0].type.count
    fours = range(0, size, 4)
    g0, g1, g2, g3 = groups
    low_01, low_23 = (
        _shuffle(builder, a, b, [s + x for s in fours for x in (0, size, 1, size + 1)]) for a, b in ((g0, g1), (g2, g3))
    )
    high_01, high_23 = (
        _shuffle(builder, a, b, [s + x for s in fours for x in (2, size + 2, 3, size + 3)])
        for a, b in ((g0, g1), (g2, g3))
    )
    first = [s + x for s in fours for x in (0, 1, size, size + 1)]
    second = [s + x for s in fours for x in (2, 3, size + 2, size + 3)]
    return [
        _shuffle(builder, low, high, mask)
        for low, high in ((low_01, low_23), (high_01, high_23))
        for mask in (first, second)
    ]


@intrinsic
def store_rows(typingctx, array, offset, stride, a, b, c, d):
    """Write (a_l, b_l, c_l, d_l) to ``array.ravel()[offset + l * stride :][:4]`` for every lane l."""
    vector = Vector(array.dtype)

    def codegen(context, builder, sig, args):
        rows = [_spread(context, builder, vector, t, v) for t, v in zip(sig.args[3:], args[3:])]
        pointer = _address(context, builder, array, args[0], args[1])
        for group in _transpose(builder, rows, vector.lanes):
            builder.store(group, builder.bitcast(pointer, group.type.as_pointer()), align=array.dtype.bitwidth // 8)
            pointer = builder.gep(pointer, [args[2]])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, a, b, c, d), codegen


@intrinsic
def load_rows(typingctx, array, offset, stride):
    """The four vectors of what ``store_rows`` would write: lane l of the k-th is ``[offset + l * stride + k]``."""
    vector = Vector(array.dtype)
    four = types.UniTuple(vector, 4)

    def codegen(context, builder, sig, args):
        pointer = _address(context, builder, array, args[0], args[1])
        full = context.get_value_type(vector)
        quad = ir.VectorType(full.element, 4)
        groups = []
        for _ in range(vector.lanes):
            groups.append(builder.load(builder.bitcast(pointer, quad.as_pointer()), align=array.dtype.bitwidth // 8))
            pointer = builder.gep(pointer, [args[2]])
        return context.make_tuple(builder, four, _untranspose(builder, groups))

    return four(array, types.intp, types.intp), codegen


@intrinsic
def scatter(typingctx, array, offset, stride, value):
    """Write lane l of a vector to ``array.ravel()[offset + l * stride]``."""
    vector = Vector(array.dtype)

    def codegen(context, builder, sig, args):
        pointer = _address(context, builder, array, args[0], args[1])
        spread = _spread(context, builder, vector, value, args[3])
        for lane in range(vector.lanes):
            builder.store(builder.extract_element(spread, ir.IntType(32)(lane)), pointer)
            pointer = builder.gep(pointer, [args[2]])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, value), codegen


@intrinsic
def lane(typingctx, x, index):
    """The number in one lane of a vector."""
    return x.dtype(x, types.intp), lambda context, builder, sig, args: builder.extract_element(*args)


@intrinsic
def with_lane(typingctx, x, index, value):
    """The vector with the number in one lane replaced."""

    def codegen(context, builder, sig, args):
        number = context.cast(builder, args[2], value, x.dtype)
        return builder.insert_element(args[0], number, args[1])

    return x(x, types.intp, value), codegen


@intrinsic
def quadrant(typingctx, t, sine, cosine):
    """(sin, cos) of r + k pi/2 from those of r, where the low bits of the float or vector ``t`` hold the integer k."""
    if not (isinstance(t, (Vector, types.Float)) and t == sine == cosine):
        return None
    pair = types.UniTuple(t, 2)
    bits_each = t.dtype.bitwidth if isinstance(t, Vector) else t.bitwidth

    def codegen(context, builder, sig, args):
        shifted, sine, cosine = args
        real = context.get_value_type(t)
        word = ir.IntType(bits_each)
        if isinstance(t, Vector):
            word = ir.VectorType(word, t.lanes)
        one, two, up = (ir.Constant(word, [k] * t.lanes if isinstance(t, Vector) else k) for k in (1, 2, bits_each - 2))
        bits = builder.bitcast(shifted, word)
        odd = builder.icmp_signed("!=", builder.and_(bits, one), ir.Constant(word, None))
        s = builder.bitcast(builder.select(odd, cosine, sine), word)
        c = builder.bitcast(builder.select(odd, sine, cosine), word)
        s = builder.xor(s, builder.shl(builder.and_(bits, two), up))
        c = builder.xor(c, builder.shl(builder.and_(builder.add(bits, one), two), up))
        return context.make_tuple(builder, pair, [builder.bitcast(s, real), builder.bitcast(c, real)])

    return pair(t, t, t), codegen


@intrinsic
def all_within(typingctx, x, limit):
    """Whether the absolute value of every lane is at most ``limit``; false if any is NaN."""
    if not isinstance(x, Vector):
        return None

    def codegen(context, builder, sig, args):
        high = _spread(context, builder, x, sig.args[1], args[1])
        inside = builder.and_(
            builder.fcmp_ordered("<=", args[0], high), builder.fcmp_ordered(">=", args[0], builder.fneg(high))
        )
        mask = builder.bitcast(inside, ir.IntType(x.lanes))
        return builder.icmp_unsigned("==", mask, ir.IntType(x.lanes)(-1))

    return types.boolean(x, limit), codegen
