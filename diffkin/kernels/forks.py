"""A fork waits until no other thread imports modules or compiles kernels.

A child has the memory of its parent and only the thread that forked. A lock that another thread held stays held in the
child for ever: Python's lock on a module that is being imported, Numba's lock around the compiler, llvmlite's around
LLVM. So a fork waits for the imports of other threads, takes the locks, and gives them back on both sides of it.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from contextlib import AbstractContextManager
from typing import Any

__all__ = ["importing"]

importing = threading.RLock()
"""Held by whoever imports kernels for the first time, in ``diffkin._gate``."""

_taken = threading.local()
_TRIES = 20  # more only where other threads never stop importing, or wait for this one


def _imported_by_others() -> list[str]:
    """The modules that other threads are importing now.

    Python has no public call for it; its own table of locks holds a lock for as long as somebody uses it.
    """
    table = importlib._bootstrap._module_locks  # type: ignore[attr-defined]
    locks = [(name, reference()) for name, reference in list(table.items())]
    return [name for name, lock in locks if lock is not None and lock.owner not in (None, threading.get_ident())]


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
    for _ in range(_TRIES):
        for name in _imported_by_others():
            # waits, unless that import waits for one of this thread's own; holding nothing, since it may want a kernel
            importlib._bootstrap._lock_unlock_module(name)  # type: ignore[attr-defined]
        _take()
        if not _imported_by_others():
            return
        _go_on()
    _take()


def _take() -> None:
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
