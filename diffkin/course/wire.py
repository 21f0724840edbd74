"""Arguments and observations as JSON text: numbers, tensors and small functions, and nothing that can run code by itself.

Read on both sides of the pipe between the grader and a submission. What comes back from a submission is only ever data;
functions go the other way alone. Knows torch and not diffkin.
"""

from __future__ import annotations

import base64
import functools
import inspect
import math
from typing import Any

import numpy as np
import torch

__all__ = ["decode", "encode"]

_DTYPES = {"float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"}
_MOST_NUMBERS = 4_000_000


def encode(value: Any) -> Any:
    """A value as what JSON can hold.

    Args:
        value: None, bool, int, float, str, tensor, array, list or tuple of them, module-level function that uses torch and
            math alone, ``functools.partial`` of one.

    Returns:
        Dictionaries, lists, strings and numbers. A value of another type becomes its type's name.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return {"int": str(value)} if abs(value) < 10**18 else {"type": "int too large"}
    if isinstance(value, float):
        return {"float": value.hex()}
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
        return _encode_array(value)
    if isinstance(value, (list, tuple)):
        return {"tuple" if isinstance(value, tuple) else "list": [encode(each) for each in value]}
    if isinstance(value, functools.partial):
        return {
            "partial": encode(value.func),
            "args": encode(value.args),
            "keywords": [*map(list, _encode_items(value))],
        }
    if inspect.isfunction(value) and value.__closure__ is None:
        return {"function": value.__name__, "source": inspect.getsource(value)}
    return {"type": type(value).__name__}


def _encode_items(value: functools.partial[Any]) -> list[tuple[str, Any]]:
    return [(name, encode(each)) for name, each in value.keywords.items()]


def _encode_array(value: Any) -> Any:
    is_tensor = isinstance(value, torch.Tensor)
    if is_tensor and value.dtype is torch.bfloat16:
        return {"type": "bfloat16 tensor"}
    array = np.ascontiguousarray(value.detach().resolve_conj().cpu().numpy() if is_tensor else value)
    if array.dtype.name not in _DTYPES or array.size > _MOST_NUMBERS:
        return {"type": f"array of {array.size} numbers of type {array.dtype.name}"}
    data = base64.b64encode(array.tobytes()).decode("ascii")
    return {"array": data, "shape": list(np.shape(value)), "dtype": array.dtype.name, "tensor": is_tensor}


def decode(coded: Any, functions: bool = False) -> Any:
    """What ``encode`` was given.

    Args:
        coded: What it gave.
        functions: Whether functions are made from their source. Only the side of the submission asks for that.

    Returns:
        The value; for a type that cannot travel an ``Unknown`` with its name.

    Raises:
        ValueError: This did not come from ``encode``.
    """
    if coded is None or isinstance(coded, (bool, str)):
        return coded
    if not isinstance(coded, dict):
        raise ValueError(f"Not a coded value: {type(coded).__name__}.")
    if "int" in coded:
        return int(coded["int"][:20])
    if "float" in coded:
        return float.fromhex(coded["float"])
    if "array" in coded:
        return _decode_array(coded)
    if "tuple" in coded:
        return tuple(decode(each, functions) for each in coded["tuple"])
    if "list" in coded:
        return [decode(each, functions) for each in coded["list"]]
    if "type" in coded:
        return Unknown(str(coded["type"])[:80])
    if functions and "partial" in coded:
        keywords = {name: decode(each, True) for name, each in coded["keywords"]}
        return functools.partial(decode(coded["partial"], True), *decode(coded["args"], True), **keywords)
    if functions and "function" in coded:
        names: dict[str, Any] = {"torch": torch, "math": math, "Tensor": torch.Tensor}
        exec("from __future__ import annotations\n" + coded["source"], names)
        return names[coded["function"]]
    raise ValueError(f"Not a coded value: keys {sorted(map(str, coded))[:5]}.")


def _decode_array(coded: dict[str, Any]) -> Any:
    if coded["dtype"] not in _DTYPES:
        raise ValueError("Unknown dtype.")
    shape = [int(length) for length in coded["shape"]]
    if min(shape, default=0) < 0:
        raise ValueError("A negative length.")
    array = np.frombuffer(base64.b64decode(coded["array"]), dtype=coded["dtype"]).reshape(shape).copy()
    return torch.from_numpy(array) if coded["tensor"] else array


class Unknown:
    """A value of a type that does not travel; it is only good for being named in a hint."""

    def __init__(self, name: str) -> None:
        self.name = name
