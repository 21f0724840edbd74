"""Compilation of kernels: the flags, the cache on disk, and the line that announces a long first call."""

from __future__ import annotations

import ast
import hashlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import caching, event

__all__ = ["exact", "inline", "kernel"]

_log = logging.getLogger("diffkin")

# Only flags under which NaN and infinity keep their meaning. "reassoc" is left out on purpose: no loop here needs it,
# and without it the value of a lane cannot depend on how the compiler arranged the loop around it.
FLAGS = {"contract", "nsz", "arcp"}

_PACKAGE = Path(__file__).resolve().parents[1]


def _imported(path: Path) -> Iterator[Path]:
    """The files of this package that a file imports anywhere, in whatever form and from whatever folder."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            here = path.parents[node.level - 1].relative_to(_PACKAGE.parent).parts if node.level else ()
            module = ".".join([*here, *([node.module] if node.module else [])])
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]  # a name may be a module too
        else:
            continue
        for name in names:
            words = name.split(".")
            if words[0] == _PACKAGE.name:
                place = _PACKAGE.joinpath(*words[1:])
                yield from (file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file())


@cache
def _stamp(path: Path) -> str:
    """Hash of a source file and of all that it imports, however far: kernels inline each other's code across files."""
    found, pending = {path}, [path]
    while pending:
        new = set(_imported(pending.pop())) - found
        found |= new
        pending += new
    digest = hashlib.sha256()
    for file in sorted(found):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


class _Stamped:
    _py_file: str

    def get_source_stamp(self) -> str:
        return _stamp(Path(self._py_file).resolve())


class _ProvidedFolder(_Stamped, caching.UserProvidedCacheLocator):
    """The folder that NUMBA_CACHE_DIR names."""


class _PackageFolder(_Stamped, caching.InTreeCacheLocator):
    """``__pycache__`` beside the source."""


class _UserFolder(_Stamped, caching.UserWideCacheLocator):
    """The user's cache folder."""


class _CacheFiles(caching.CompileResultCacheImpl):
    _locator_classes = [_ProvidedFolder, _PackageFolder, _UserFolder]


class _KernelCache(caching.FunctionCache):
    """Numba's cache on disk; a folder that cannot be written costs a compilation, never the call."""

    _impl_class = _CacheFiles

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:  # full disk, or a folder made read-only since
            _log.info("compiled kernel not kept on disk: %s", error)


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
    """
    dispatcher = njit(nogil=True, fastmath=FLAGS, error_model="numpy", boundscheck=False)(function)
    try:
        dispatcher._cache = _KernelCache(function)
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
