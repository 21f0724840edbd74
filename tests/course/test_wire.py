"""Values go over the pipe unchanged; nothing that comes back can run."""

from __future__ import annotations

import functools
import json
import math

import numpy as np
import pytest
import torch

from diffkin.course.wire import Unknown, decode, encode


def wave(x, a):
    return (a * x).sin() + math.pi


def there(value, functions: bool = False):
    return decode(json.loads(json.dumps(encode(value))), functions)


@pytest.mark.parametrize("value", [None, True, 3, -(10**17), 0.1, float("inf"), "种子", [1, [2.0, "a"]], (1, 2), []])
def test_plain_values(value) -> None:
    arrived = there(value)
    assert arrived == value and type(arrived) is type(value)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.int64, torch.bool, torch.float16])
def test_tensors_keep_dtype_and_shape(dtype: torch.dtype) -> None:
    for shape in ((), (3,), (2, 0, 3), (2, 3)):
        tensor = torch.arange(math.prod(shape)).reshape(shape).to(dtype)
        arrived = there(tensor)
        assert arrived.dtype == dtype and arrived.shape == tensor.shape and torch.equal(arrived, tensor)
    assert isinstance(there(np.ones((2, 2))), np.ndarray)
    assert torch.isnan(there(torch.tensor([math.nan]))).all()


def test_functions_travel_one_way() -> None:
    f = functools.partial(wave, a=torch.tensor([2.0]))
    arrived = there(f, functions=True)
    x = torch.tensor([0.3])
    assert torch.equal(arrived(x), f(x))
    with pytest.raises(ValueError, match="Not a coded value"):
        there(f)


def test_other_types_become_their_name() -> None:
    inner = 1
    for value, name in (({1: 2}, "dict"), (object(), "object"), (lambda: inner, "function"), (10**30, "int too large")):
        arrived = there(value)
        assert isinstance(arrived, Unknown) and arrived.name == name
    assert "bfloat16" in there(torch.ones(1, dtype=torch.bfloat16)).name
    assert "complex" in there(torch.ones(1, dtype=torch.complex64)).name


@pytest.mark.parametrize(
    "coded",
    [
        [],
        1,
        {},
        {"function": "f", "source": "def f(): pass"},
        {"partial": {"function": "f", "source": ""}, "args": {"tuple": []}, "keywords": []},
        {"array": "AAAA", "shape": [1], "dtype": "object", "tensor": True},
        {"array": "AAAA", "shape": [10**12], "dtype": "float64", "tensor": True},
        {"array": "AAAA", "shape": [-7], "dtype": "int8", "tensor": False},
    ],
)
def test_garbage_is_refused(coded) -> None:
    with pytest.raises(ValueError):
        decode(coded)
