"""Compilation of kernels: the flags, and the line that announces a long first call."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from numba import config, njit
from numba.core import event

from diffkin.errors import OptionError
from diffkin.kernels.cache import KernelCache

__all__ = ["exact", "inline", "kernel"]

_log = logging.getLogger("diffkin")

# Only flags under which NaN and infinity keep their meaning. "reassoc" is left out on purpose: no loop here needs it,
# and without it the value of a lane cannot depend on how the compiler arranged the loop around it.
FLAGS = {"contract", "nsz", "arcp"}


class _Announcer(event.Listener):
    """Says on stderr when the compilation of a kernel of this package takes over a second."""

    def __init__(self) -> None:
        self._running: dict[int, tuple[threading.Timer, float]] = {}

    def on_start(self, event: Any) -> None:
        dispatcher = event.data["dispatcher"]
        if id(dispatcher) not in _kernels:
            return
        name = dispatcher.py_func.__name__
        line = f"diffkin: compiling kernel '{name}' (first use; kept on disk if it can be)"
        timer = threading.Timer(1.0, _say, (line,))
        timer.daemon = True
        timer.start()
        self._running[id(dispatcher)] = (timer, time.perf_counter())

    def on_end(self, event: Any) -> None:
        running = self._running.pop(id(event.data["dispatcher"]), None)
        if running is not None:
            running[0].cancel()
            seconds = time.perf_counter() - running[1]
            _log.info("compiled kernel %s in %.1f s", event.data["dispatcher"].py_func.__name__, seconds)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


_kernels: dict[int, Any] = {}
event.register("numba:compile", _Announcer())


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call for each set of argument types; keep the result on disk where possible.

    The compiled code releases the GIL and checks no bounds: callers hand over C-contiguous arrays of the right shape.
    The cache folder is NUMBA_CACHE_DIR if set, else ``__pycache__`` of this package, else the user's cache folder;
    where none can be written, the kernel is compiled in memory, once per process.

    Raises:
        OptionError: If NUMBA_DISABLE_JIT is set: vector types have no meaning in plain Python.
    """
    if config.DISABLE_JIT:
        raise OptionError(
            "NUMBA_DISABLE_JIT is set, and the kernels of diffkin do not run uncompiled. Unset it; "
            "or leave diffkin.kernels alone: the functions outside it answer by torch then."
        )
    dispatcher = njit(nogil=True, fastmath=FLAGS, error_model="numpy", boundscheck=False)(function)
    try:
        dispatcher._cache = KernelCache(function)
    except RuntimeError as error:  # Numba: "no locator available", no folder is writable
        _log.info("kernel %s is compiled in memory only: %s", function.__name__, error)
    _kernels[id(dispatcher)] = dispatcher
    return dispatcher


def inline(function: Callable[..., Any]) -> Any:
    """Mark a function as a piece of kernels: inlined wherever it is called, never cached by itself."""
    return njit(fastmath=FLAGS, error_model="numpy", boundscheck=False, forceinline=True)(function)


def exact(function: Callable[..., Any]) -> Any:
    """Like ``inline``, with no liberty at all in rounding: what it writes as ``fma`` is one, and nothing else is."""
    return njit(error_model="numpy", boundscheck=False, forceinline=True)(function)
