"""The types of vectors: which are the same, and what a mixture of arguments means."""

from __future__ import annotations

import llvmlite.binding as llvm
import pytest
from llvmlite import ir
from numba import types

from diffkin.kernels.vectors.vector import VECTOR_BYTES, Mask, Vector, only_vector, shuffle


def test_register_size_is_that_of_the_processor():
    assert (64 if llvm.get_host_cpu_features().get("avx512f") else 32) == VECTOR_BYTES


def test_types_are_told_apart_by_all_that_matters():
    kinds = [Vector(dtype, lanes, strict) for dtype in (types.float32, types.float64) for lanes in (4, 8)
             for strict in (False, True)]  # fmt: skip
    assert len(set(kinds)) == len(kinds) == 8
    assert Vector(types.float32, 8) == Vector(types.float32, 8)
    assert len({Mask(kind) for kind in kinds}) == 8
    assert Vector(types.float32, 8).flags == ("contract",)
    assert Vector(types.float32, 8, strict=True).flags == ()


def test_one_vector_among_numbers():
    one, other = Vector(types.float32, 8), Vector(types.float32, 16)
    assert only_vector((one, types.float64, types.int64, one)) == one
    for kinds in ((types.float64,), (one, other), (one, types.complex128), (one, types.unicode_type), (one, Mask(one))):
        assert only_vector(kinds) is None


@pytest.mark.parametrize("places", [[0, 5], [3, 2, 1, 0], [7, 0, 4, 4, 1, 2, 3, 6]])
def test_shuffle_names_elements_of_both(places):
    four = ir.VectorType(ir.FloatType(), 4)
    function = ir.Function(ir.Module(), ir.FunctionType(ir.VectorType(ir.FloatType(), len(places)), [four, four]), "f")
    builder = ir.IRBuilder(function.append_basic_block())
    result = shuffle(builder, *function.args, places)
    assert result.type.count == len(places)
    assert ", ".join(f"i32 {place}" for place in places) in str(function)
