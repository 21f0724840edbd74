"""How vectors move between registers and memory, for every family of vectors.

Memory is a C-contiguous array, or a pointer to the numbers of one. It is used in two ways:

- as rows of lanes, (rows, lanes): ``load`` and ``store`` count rows, one number of every problem of a block;
- problem after problem, as callers see it: ``gather`` and ``scatter`` count numbers, from ``offset`` in steps of
  ``stride`` from one lane to the next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic

from diffkin.kernels.compiled import inline
from diffkin.kernels.vectors.transpose import columns_of, rows_of
from diffkin.kernels.vectors.vector import Vector, spread

__all__ = ["Memory", "memory_of", "pointer", "scratch", "shifted", "uncounted"]


@intrinsic
def pointer(typingctx, array):
    """Where the numbers of a C-contiguous array begin; not counted as a reference, so the caller keeps the array."""
    if not isinstance(array, types.Array):
        return None
    result = types.CPointer(array.dtype)
    return result(array), lambda context, builder, signature, args: _start(context, builder, array, args[0])


@inline
def uncounted(array):
    """The same C-contiguous array, whose uses are not counted: counting costs an atomic operation each time that a part
    is taken out of a tuple. The caller keeps the array.
    """
    return carray(pointer(array), array.shape)


@intrinsic
def shifted(typingctx, memory, offset):
    """The pointer ``offset`` numbers further on."""
    if not isinstance(memory, types.CPointer):
        return None
    return memory(memory, types.intp), lambda context, builder, signature, args: builder.gep(args[0], [args[1]])


@intrinsic
def scratch(typingctx, like, count):
    """A pointer to ``count`` uninitialised numbers of the dtype of ``like``, on the stack until the kernel returns.

    Not for use in a loop, nor in a function that is inlined into one.
    """
    result = types.CPointer(like.dtype)

    def codegen(context, builder, signature, args):
        space = builder.alloca(context.get_value_type(like.dtype), size=args[1])
        space.align = 64
        return space

    return result(like, types.intp), codegen


def _start(context: Any, builder: Any, kind: Any, memory: Any) -> Any:
    """The address of the first number."""
    if isinstance(kind, types.Array):
        return context.make_array(kind)(context, builder, memory).data
    return memory


class Memory(NamedTuple):
    """What moves the vectors of one family, in kernels.

    Attributes:
        width: ``width(like)``: the number of lanes of a vector of the dtype of ``like``.
        splat: ``splat(like, value)``: ``value`` in every lane of a vector of the dtype of ``like``.
        load: ``load(memory, row)``: a row of lanes.
        store: ``store(memory, row, value)``: writes a vector, or one number for all lanes, into a row of lanes.
        gather: ``gather(memory, offset, stride)``: lane l is number ``offset + l * stride``.
        scatter: ``scatter(memory, offset, stride, value)``: its inverse.
        gather4: ``gather4(memory, offset, stride)``: four vectors, of the four numbers from ``offset + l * stride`` on.
        scatter4: ``scatter4(memory, offset, stride, a, b, c, d)``: its inverse.
    """

    width: Any
    splat: Any
    load: Any
    store: Any
    gather: Any
    scatter: Any
    gather4: Any
    scatter4: Any


def memory_of(vector_of: Callable[[Any], Vector | None]) -> Memory:
    """The functions for the family whose vector of a dtype is ``vector_of(dtype)``; None if there is none."""

    def family(memory: Any) -> Vector | None:
        if isinstance(memory, types.Array) and memory.layout != "C":
            return None
        dtype = getattr(memory, "dtype", None)
        return vector_of(dtype) if isinstance(dtype, types.Float) else None

    def at_row(context: Any, builder: Any, vector: Vector, kind: Any, memory: Any, row: Any) -> Any:
        place = builder.gep(_start(context, builder, kind, memory), [builder.mul(row, row.type(vector.lanes))])
        return builder.bitcast(place, context.get_value_type(vector).as_pointer())

    @intrinsic
    def width(typingctx, like):
        vector = family(like)
        if vector is None:
            return None
        lanes = vector.lanes
        return types.intp(like), lambda context, builder, signature, args: context.get_constant(types.intp, lanes)

    @intrinsic
    def splat(typingctx, like, value):
        vector = family(like)
        if vector is None or not isinstance(value, types.Number):
            return None

        def codegen(context, builder, signature, args):
            return spread(context, builder, vector, value, args[1])

        return vector(like, value), codegen

    @intrinsic
    def load(typingctx, memory, row):
        vector = family(memory)
        if vector is None or not isinstance(row, types.Integer):
            return None

        def codegen(context, builder, signature, args):
            return builder.load(at_row(context, builder, vector, memory, *args), align=vector.dtype.bitwidth // 8)

        return vector(memory, types.intp), codegen

    @intrinsic
    def store(typingctx, memory, row, value):
        vector = family(memory)
        if vector is None or not isinstance(row, types.Integer) or not _fits(vector, value):
            return None

        def codegen(context, builder, signature, args):
            place = at_row(context, builder, vector, memory, *args[:2])
            builder.store(spread(context, builder, vector, value, args[2]), place, align=vector.dtype.bitwidth // 8)
            return context.get_dummy_value()

        return types.void(memory, types.intp, value), codegen

    @intrinsic
    def gather(typingctx, memory, offset, stride):
        vector = family(memory)
        if vector is None:
            return None

        def codegen(context, builder, signature, args):
            place = builder.gep(_start(context, builder, memory, args[0]), [args[1]])
            result = ir.Constant(context.get_value_type(vector), ir.Undefined)
            for lane in range(vector.lanes):
                result = builder.insert_element(result, builder.load(place), ir.IntType(32)(lane))
                place = builder.gep(place, [args[2]])
            return result

        return vector(memory, types.intp, types.intp), codegen

    @intrinsic
    def scatter(typingctx, memory, offset, stride, value):
        vector = family(memory)
        if vector is None or not _fits(vector, value):
            return None

        def codegen(context, builder, signature, args):
            place = builder.gep(_start(context, builder, memory, args[0]), [args[1]])
            full = spread(context, builder, vector, value, args[3])
            for lane in range(vector.lanes):
                builder.store(builder.extract_element(full, ir.IntType(32)(lane)), place)
                place = builder.gep(place, [args[2]])
            return context.get_dummy_value()

        return types.void(memory, types.intp, types.intp, value), codegen

    @intrinsic
    def gather4(typingctx, memory, offset, stride):
        vector = family(memory)
        if vector is None:
            return None
        four = types.UniTuple(vector, 4)

        def codegen(context, builder, signature, args):
            place = builder.gep(_start(context, builder, memory, args[0]), [args[1]])
            quad = ir.VectorType(context.get_value_type(vector.dtype), 4)
            rows = []
            for _ in range(vector.lanes):
                here = builder.bitcast(place, quad.as_pointer())
                rows.append(builder.load(here, align=vector.dtype.bitwidth // 8))
                place = builder.gep(place, [args[2]])
            return context.make_tuple(builder, four, columns_of(builder, rows))

        return four(memory, types.intp, types.intp), codegen

    @intrinsic
    def scatter4(typingctx, memory, offset, stride, a, b, c, d):
        vector = family(memory)
        if vector is None or not all(_fits(vector, value) for value in (a, b, c, d)):
            return None

        def codegen(context, builder, signature, args):
            values = zip(signature.args[3:], args[3:])
            columns = [spread(context, builder, vector, kind, value) for kind, value in values]
            place = builder.gep(_start(context, builder, memory, args[0]), [args[1]])
            for row in rows_of(builder, columns, vector.dtype.bitwidth):
                here = builder.bitcast(place, row.type.as_pointer())
                builder.store(row, here, align=vector.dtype.bitwidth // 8)
                place = builder.gep(place, [args[2]])
            return context.get_dummy_value()

        return types.void(memory, types.intp, types.intp, a, b, c, d), codegen

    return Memory(width, splat, load, store, gather, scatter, gather4, scatter4)


def _fits(vector: Vector, kind: Any) -> bool:
    """Whether a value of this type can be written where the family's vectors lie."""
    return kind == vector or isinstance(kind, (types.Float, types.Integer))
