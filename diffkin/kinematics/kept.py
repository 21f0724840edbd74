"""What is kept with a mechanism: tensors that nobody may change, and what was made from them."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from diffkin._algebra import is_autocast
from diffkin._gate import is_plain, is_transformed

__all__ = ["Cache", "Watch", "keep", "outside_modes", "rebuilt"]

_ALIGNMENT = 64


class Cache(dict[Any, Any]):
    """What was made from a mechanism and is kept with it: the newest ``most`` entries. A copy starts empty.

    Reading is that of a dictionary, so that it takes no time of its own.
    """

    def __init__(self, most: int = 64) -> None:
        super().__init__()
        self.most = most

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        while len(self) > self.most:
            self.pop(next(iter(self), None), None)  # the oldest; another thread may have been faster

    def __reduce__(self) -> tuple[Any, ...]:
        return Cache, (self.most,)


class Watch:
    """Whether tensors were changed in place since they were kept; asked on every call, so it takes no time.

    ``owns`` tells whether they lie in the CPU's memory, in a block of their own.
    """

    __slots__ = ("block", "owns", "seen", "tensors")

    def __init__(self, block: bytearray, tensors: tuple[Tensor, ...]) -> None:
        self.block, self.owns = block, len(block) > 0
        self.tensors = tensors
        self.seen: Any = bytes(block) if self.owns else self._versions()

    def _versions(self) -> tuple[int, ...]:
        return tuple(tensor._version for tensor in self.tensors)

    def changed(self) -> bool:
        """Whether one of them was."""
        if torch.compiler.is_compiling():  # it is taken as constant then
            return False
        if self.owns:
            return bool(self.block != self.seen)
        return bool(self.tensors) and self._versions() != self.seen


def keep(*tensors: Tensor) -> tuple[tuple[Tensor, ...], Watch]:
    """Tensors with the same numbers that are watched from now on.

    On the CPU they are copied into memory of their own, which no array of the caller shares, and compared byte by byte
    with what they were; so changes through ``.data`` and NumPy views are noticed as well. Elsewhere torch's version
    counters are compared. Left as they are: tensors that gradients flow to, which an optimiser may step in place and
    from which nothing is kept, and those inside a transform or a trace.

    Args:
        *tensors: Any.

    Returns:
        The tensors, in the same order, and their watch.
    """
    if is_transformed() or torch.compiler.is_compiling() or any(tensor.requires_grad for tensor in tensors):
        return tensors, Watch(bytearray(), ())
    with outside_modes("cpu"):
        if not all(is_plain(tensor) for tensor in tensors):
            normal = tuple(tensor.clone() if tensor.is_inference() else tensor for tensor in tensors)
            return normal, Watch(bytearray(), normal)
        sizes = [tensor.numel() * tensor.element_size() for tensor in tensors]
        starts = [0]
        for size in sizes:
            starts.append(starts[-1] + -(-size // _ALIGNMENT) * _ALIGNMENT)
        block = bytearray(starts[-1])
        kept = []
        for tensor, start in zip(tensors, starts):
            if tensor.numel():
                copy = torch.frombuffer(block, dtype=tensor.dtype, count=tensor.numel(), offset=start)
                copy = copy.view(tensor.shape).copy_(tensor)
            else:
                copy = tensor.clone()
            kept.append(copy)
        return tuple(kept), Watch(block, ())


@contextlib.contextmanager
def outside_modes(device: str) -> Iterator[None]:
    """Tensors made here are ordinary ones in full precision, whatever modes the caller is in.

    Inference mode would make tensors that gradients can never go through, and autocast would round products.

    Args:
        device: The type of device on which work is done.
    """
    with contextlib.ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.no_grad())
        if is_autocast(device):
            stack.enter_context(torch.autocast(device, enabled=False))
        yield


def rebuilt(thing: Any) -> tuple[Any, ...]:
    """How ``copy`` and ``pickle`` make a dataclass anew: from what it was made of, without what was derived.

    Args:
        thing: A dataclass.

    Returns:
        What ``__reduce__`` returns.
    """
    given = {field.name: getattr(thing, field.name) for field in dataclasses.fields(thing) if field.init}
    return _make, (type(thing), given)


def _make(cls: type[Any], given: dict[str, Any]) -> Any:
    return cls(**given)
