"""A fork waits until no other thread imports or compiles kernels.

A child has the memory of its parent and only the thread that forked. A lock that another thread held stays held in the
child for ever: Python's lock on a module that is being imported, Numba's lock around the compiler, llvmlite's around
LLVM. So these are taken before a fork, and given back on both sides of it.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import AbstractContextManager
from typing import Any

__all__ = ["importing"]

importing = threading.RLock()
"""Held by whoever imports kernels for the first time, in ``diffkin._gate``."""

_taken = threading.local()


def _locks() -> list[AbstractContextManager[Any]]:
    """Numba's locks in the order in which a compilation takes them; none where Numba is not loaded."""
    modules = [("numba.core.compiler_lock", "global_compiler_lock"), ("llvmlite.binding.ffi", "lib")]
    found = [getattr(sys.modules.get(module), name, None) for module, name in modules]
    compiler, llvm = found[0], getattr(found[1], "_lock", None)
    return [lock for lock in (compiler, llvm) if lock is not None]


def _held() -> list[AbstractContextManager[Any]]:
    """What this thread has taken for a fork, in order; what an interrupt kept it from taking is not in it."""
    held: list[AbstractContextManager[Any]] = vars(_taken).setdefault("locks", [])
    return held


def _wait() -> None:
    importing.acquire()  # first: an import takes the compiler's lock too
    _held().append(importing)
    for lock in _locks():
        lock.__enter__()
        _held().append(lock)


def _go_on() -> None:
    while _held():
        _held().pop().__exit__(None, None, None)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_wait, after_in_parent=_go_on, after_in_child=_go_on)
