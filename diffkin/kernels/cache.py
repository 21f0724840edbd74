"""Compiled kernels on disk: where they lie, when they are stale, and how a damaged file is told from a whole one.

A kernel has an index file (``.nbi``: argument types -> data file) and a data file for each set of argument types
(``.nbc``). Each begins with the SHA-256 of its name and of all that follows, then a line that says what it was made
from. Nothing of a file reaches pickle or LLVM before both were compared, and a file that fails is written anew.
"""

from __future__ import annotations

import ast
import hashlib
import itertools
import logging
import os
import pickle
import uuid
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core import caching
from numba.core.serialize import dumps

__all__ = ["KernelCache"]

_log = logging.getLogger("diffkin")

_PACKAGE = Path(__file__).resolve().parents[1]
_DIGEST = hashlib.sha256().digest_size
_PICKLE = b"\x80"


def _seal(path: Path, rest: bytes | memoryview) -> bytes:
    """What a whole file begins with; its name counts, so that no file passes for another."""
    digest = hashlib.sha256(path.name.encode() + b"\n")
    digest.update(rest)
    return digest.digest()


@cache
def _imported(path: Path) -> frozenset[Path]:
    """The files of this package that a file imports anywhere, in whatever form and from whatever folder."""
    files: set[Path] = set()
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
                files.update(file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file())
    return frozenset(files)


@cache
def _stamp(path: Path) -> str:
    """Hash of a source file and of all that it imports, however far: kernels inline each other's code across files."""
    found, pending = {path}, [path]
    while pending:
        new = _imported(pending.pop()) - found
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


class _Placed(caching.CompileResultCacheImpl):
    _locator_classes = [_ProvidedFolder, _PackageFolder, _UserFolder]


class _SealedFiles:
    """The index and data files of one kernel; stands for Numba's ``IndexDataCacheFile``."""

    def __init__(self, folder: str, name: str, source_stamp: str) -> None:
        self._folder = Path(folder)
        self._name = name
        self._index = self._folder / f"{name}.nbi"
        made_from = (numba.__version__, llvmlite.__version__, np.__version__, source_stamp)
        self._label = (" ".join(made_from) + "\n").encode()

    def load(self, key: Any) -> Any:
        """What was saved under the key; None where nothing was, where it is stale, and where a file is damaged."""
        name = self._names().get(key)
        if name is None:
            return None
        path = self._folder / name
        found = self._read(path)
        if found is None:
            if not path.exists():
                _log.warning("The kernel cache lacks %s; the kernel is compiled anew.", path)
            return None
        its_key, data = found
        if its_key != key:  # two processes that began the same index at the same time: the later file stands
            _log.warning("The kernel cache %s is for other types of arguments; the kernel is compiled anew.", path)
            return None
        return data

    def save(self, key: Any, data: Any) -> None:
        """Keep the data; raises OSError where it cannot. The index names a data file only once it is whole."""
        names = self._names()
        if key not in names:
            taken = set(names.values())
            free = (f"{self._name}.{number}.nbc" for number in itertools.count(1))
            names[key] = next(name for name in free if name not in taken)
        self._write(self._folder / names[key], (key, data))
        self._write(self._index, names)

    def flush(self) -> None:
        """Forget everything."""
        self._write(self._index, {})

    def _names(self) -> dict[Any, str]:
        return self._read(self._index) or {}

    def _read(self, path: Path) -> Any:
        """The content of a whole file made from the present sources; None otherwise, said aloud if it is damaged."""
        if not path.exists():
            return None
        try:
            sealed = path.read_bytes() if path.is_file() else b""
        except OSError as error:
            _log.warning("The kernel cache %s cannot be read (%s); the kernel is compiled anew.", path, error)
            return None
        digest, rest = sealed[:_DIGEST], memoryview(sealed)[_DIGEST:]
        if _seal(path, rest) != digest:
            if not sealed.startswith(_PICKLE):  # else written by Numba itself, for an earlier version of this package
                _log.warning("The kernel cache %s is damaged; the kernel is compiled anew.", path)
            return None
        size = len(self._label)
        return pickle.loads(rest[size:]) if rest[:size] == self._label else None

    def _write(self, path: Path, content: Any) -> None:
        """Write beside the file and rename: whoever reads sees the old file or the new one."""
        rest = self._label + dumps(content)
        if path.is_dir():
            path.rmdir()  # an empty one; OSError says what stands in the way otherwise
        beside = path.with_name(f"{path.name}.tmp.{uuid.uuid4().hex[:16]}")
        try:
            beside.write_bytes(_seal(path, rest) + rest)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)


class KernelCache(caching.FunctionCache):
    """Numba's cache of one kernel with files of our own; what goes wrong on disk costs a compilation, never the call."""

    _impl_class = _Placed

    def __init__(self, function: Callable[..., Any]) -> None:
        """Raises RuntimeError if no folder can be written."""
        super().__init__(function)
        self._cache_file = _SealedFiles(
            self.cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp()
        )

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled kernel, or say why it is not kept."""
        try:
            super().save_overload(sig, data)
        except OSError as error:  # full disk, or a folder made read-only since
            _log.warning("A compiled kernel is not kept on disk: %s", error)
