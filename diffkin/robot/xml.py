"""Finding a model file and reading its XML without trusting it."""

from __future__ import annotations

import importlib.metadata
import os
import re
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from diffkin.errors import ModelFileError

__all__ = ["MAX_BYTES", "MOST_DEEP", "Document", "Model", "find_file", "numbers", "open_document"]

Model = str | os.PathLike[str] | bytes | IO[str] | IO[bytes]
"""What a model is read from: its path, its text or bytes, or a file that is open for reading."""

MAX_BYTES = 64 * 2**20
"""Largest model file that is read. Descriptions of real robots are far below one megabyte."""

MOST_DEEP = 500
"""Deepest nesting of elements that is read; MuJoCo itself reads no deeper."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WORDS = {"nan", "inf", "infinity"}


@dataclass(frozen=True, eq=False)
class Document:
    """A parsed XML document.

    Attributes:
        root: The root element, of lxml.
        source: Absolute path of the file, or the text itself where it was given as one.
        label: How messages call it.
        is_text: Whether it was given as text.
    """

    root: Any
    source: str
    label: str
    is_text: bool


def open_document(path_or_xml: Model | Document, *root_tags: str) -> Document:
    """Read and parse XML, refusing what a model file has no use for: document types and entities of any kind.

    A namespace that stands for all elements (``xmlns="..."``) is taken off, as other readers of models do not see it.

    Args:
        path_or_xml: Path of a file, a ``package://`` address, the text itself (str or bytes), an open file, or a
            document that was read before.
        root_tags: The names that the root element may have; any if none is given.

    Returns:
        The document.

    Raises:
        diffkin.errors.ModelFileError: It cannot be found or read, is too large, is not well-formed XML, declares a
            document type or entities, or its root is another element.
    """
    if isinstance(path_or_xml, Document):
        _check_root(path_or_xml.root, path_or_xml.label, root_tags)
        return path_or_xml
    content, source, label = _read(path_or_xml)
    encoding, is_text = None, isinstance(content, str)
    if isinstance(content, str):
        # An encoding that the text declares was that of a file; as UTF-8 it reaches both parsers.
        content = source = content.strip(_AROUND)
        content, encoding = content.encode("utf-8", errors="surrogatepass"), "utf-8"
    content = _trimmed(content)
    _check_size(len(content), label)
    if not content:
        raise ModelFileError(f"{label} is empty; a model file with {_listed(root_tags) or 'XML'} was expected.")
    root = _parse(content, encoding, label)
    _take_off_namespaces(root)
    _check_root(root, label, root_tags)
    if not source:  # bytes: the text that they are
        is_text = True
        source = content.decode(root.getroottree().docinfo.encoding or "utf-8", errors="replace").strip(_AROUND)
    return Document(root, source, label, is_text)


_AROUND = "\ufeff \t\r\n\0"
_HINTS = {
    "robot": " A URDF is loaded by from_urdf.",
    "mujoco": " A MuJoCo model is loaded by from_mjcf.",
    "sdf": " SDF is not supported; convert it to URDF or MJCF, which are.",
    "world": " It looks like SDF, which is not supported; convert it to URDF or MJCF.",
}


def _check_root(root: Any, label: str, tags: tuple[str, ...]) -> None:
    if tags and root.tag not in tags:
        hint = _HINTS.get(root.tag, "")
        raise ModelFileError(f"{label} holds <{root.tag}>, expected {_listed(tags)} as the outermost element.{hint}")


def _listed(tags: tuple[str, ...]) -> str:
    return " or ".join(f"<{tag}>" for tag in tags)


def _read(model: Model) -> tuple[str | bytes, str, str]:
    """The content, its source where it is known already, and how messages call it."""
    if isinstance(model, (bytes, bytearray, memoryview)):
        if b"<" not in (content := bytes(model)):
            raise ModelFileError("Bytes are taken as XML, and these hold none. Give a path as text (str) or a Path.")
        return content, "", "the XML text"
    if hasattr(model, "read"):
        return _read_open(model)
    if not isinstance(model, (str, os.PathLike)):
        raise ModelFileError(
            f"A model is given as a path, as XML text (str or bytes) or as an open file, got {type(model).__name__}."
        )
    if isinstance(model, str) and model.lstrip(_AROUND).startswith("<"):
        return model, "", "the XML text"
    path = find_file(model)
    try:
        return path.read_bytes(), str(path), str(path)
    except OSError as error:
        raise ModelFileError(f"Cannot read {path}: {error.strerror}.") from error


def _read_open(file: Any) -> tuple[str | bytes, str, str]:
    name = getattr(file, "name", None)
    label = name if isinstance(name, str) else "the open file"
    try:
        content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError, TypeError, AttributeError) as error:  # closed, for writing, no text in its encoding
        raise ModelFileError(f"Cannot read {label}: {error}. Open it for reading.") from error
    if not isinstance(content, (str, bytes)):
        raise ModelFileError(f"Reading {label} gave {type(content).__name__}, expected text or bytes.")
    return content, "", label


def _trimmed(content: bytes) -> bytes:
    """Without blank space and zero bytes before and after, which other readers pass over."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return content.decode("utf-16").strip(_AROUND).encode("utf-16")
        except UnicodeDecodeError:
            return content  # the parser says what is wrong
    if b"\0" in content[:4]:  # another encoding of several bytes a letter
        return content
    mark = b"\xef\xbb\xbf" if content.startswith(b"\xef\xbb\xbf") else b""
    inside = content[len(mark) :].strip(b" \t\r\n\0")
    return mark + inside if inside else b""


def _take_off_namespaces(root: Any) -> None:
    from lxml import etree

    found = [each for each in root.iter() if isinstance(each.tag, str) and each.tag[0] == "{" and each.prefix is None]
    for element in found:
        element.tag = etree.QName(element).localname
    if found:
        etree.cleanup_namespaces(root)


def find_file(path: str | os.PathLike[str]) -> Path:
    """The absolute path of a model file; ``package://`` addresses are looked up.

    Packages are sought in ``ROS_PACKAGE_PATH``, in ``share`` of ``AMENT_PREFIX_PATH``, and among the robots of the
    installed package example-robot-data.

    Args:
        path: A path or a ``package://name/rest`` address.

    Returns:
        The absolute path of an existing regular file.

    Raises:
        diffkin.errors.ModelFileError: There is no such file, it is a folder, or it is too large.
    """
    text = os.fspath(path)
    if not isinstance(text, str):
        raise ModelFileError("The path of a model must be text (str), got bytes.")
    shown = repr(text if len(text) <= 200 else text[:200] + "...")
    if not text.strip():
        raise ModelFileError("The path of a model is empty; give a path, XML text or a package:// address.")
    found = _find_in_packages(text) if text.startswith("package://") else os.path.abspath(os.path.expanduser(text))
    try:
        status = os.stat(found)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise ModelFileError(
            f"There is no model file {shown}. Give the path of an existing file, or XML text that begins with '<'."
        ) from error
    if stat.S_ISDIR(status.st_mode):
        raise ModelFileError(f"{shown} is a folder; give the path of a model file in it.")
    if not stat.S_ISREG(status.st_mode):
        raise ModelFileError(f"{shown} is not a regular file; give the path of a model file.")
    _check_size(status.st_size, shown)
    return Path(found)


def numbers(text: str, count: int, what: str) -> NDArray[np.float64]:
    """Exactly ``count`` finite numbers from an attribute.

    Args:
        text: The attribute.
        count: How many numbers it must hold.
        what: What it is, for the message: the file, the element, the attribute.

    Returns:
        (count,) float64 numbers, each the nearest to its decimal text.

    Raises:
        diffkin.errors.ModelFileError: There are more or fewer, or one is no number, NaN or infinite.
    """
    words = text.split()
    values = []
    for word in words:
        if not _NUMBER.fullmatch(word) and word.lower().lstrip("+-") not in _WORDS:
            raise ModelFileError(f"{what} holds {word[:40]!r}, which is no number. Write a decimal number.")
        value = float(word)
        if not np.isfinite(value):
            raise ModelFileError(f"{what} holds {word[:40]!r}; every number must be finite. Write a finite number.")
        values.append(value)
    if len(values) != count:
        wanted = "one number" if count == 1 else f"{count} numbers"
        raise ModelFileError(f"{what} holds {len(values)} numbers ({text[:60]!r}), expected {wanted}.")
    return np.array(values, dtype=np.float64)


def _check_size(size: int, label: str) -> None:
    if size > MAX_BYTES:
        raise ModelFileError(f"{label} has {size} bytes, at most {MAX_BYTES} are read. Is it a model file?")


def _find_in_packages(address: str) -> str:
    name, _, rest = address[len("package://") :].partition("/")
    for folder in _package_folders(name):
        candidate = os.path.join(folder, rest)
        if os.path.exists(candidate):
            return candidate
    raise ModelFileError(
        f"Cannot find {address!r}: no package {name!r} with that file. Add the folder that holds the package to "
        "ROS_PACKAGE_PATH, or give a plain path."
    )


def _package_folders(name: str) -> Iterator[str]:
    for entry in filter(None, os.environ.get("ROS_PACKAGE_PATH", "").split(os.pathsep)):
        yield os.path.join(entry, name)
        if os.path.basename(os.path.normpath(entry)) == name:
            yield entry
    for entry in filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)):
        yield os.path.join(entry, "share", name)
    shares = [os.path.join(sys.prefix, "share")]
    try:
        distribution = importlib.metadata.distribution("example-robot-data")
        shares.append(str(distribution.locate_file("cmeel.prefix/share")))
    except importlib.metadata.PackageNotFoundError:
        pass
    for share in shares:
        yield os.path.join(share, name)
        yield os.path.join(share, "example-robot-data", "robots", name)


def _parse(content: bytes, encoding: str | None, label: str) -> Any:
    # Expat goes first: it is strict, and it stops at the first sign of a document type, before any entity is made.
    first = expat.ParserCreate(encoding)

    def refuse(*_: Any) -> Any:
        raise ModelFileError(
            f"{label} declares a document type or entities (<!DOCTYPE ...>), which are refused: they can read other "
            "files or fill the memory. Remove the declaration."
        )

    depth = 0

    def enter(*_: Any) -> None:
        nonlocal depth
        depth += 1
        if depth > MOST_DEEP:
            raise ModelFileError(f"{label} has elements nested deeper than {MOST_DEEP}, more than are read.")

    def leave(*_: Any) -> None:
        nonlocal depth
        depth -= 1

    first.StartElementHandler, first.EndElementHandler = enter, leave
    first.StartDoctypeDeclHandler = refuse
    first.EntityDeclHandler = refuse
    first.ExternalEntityRefHandler = refuse
    try:
        first.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{label} is not well-formed XML: {error}. Correct it there.") from error

    from lxml import etree

    # Expat has found it well-formed; ``recover`` lets pass what real descriptions have besides: prefixes without a
    # namespace and versions of XML that never were.
    parser = etree.XMLParser(
        encoding=encoding,
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=True,  # depth and size are bounded above
        recover=True,
        remove_comments=True,
        remove_pis=True,
    )
    root = etree.fromstring(content, parser)
    for entry in parser.error_log:
        if entry.level == etree.ErrorLevels.FATAL and entry.type != etree.ErrorTypes.ERR_UNKNOWN_VERSION:
            raise ModelFileError(f"{label} cannot be parsed: {entry.message} (line {entry.line}). Correct it there.")
    if root is None:
        raise ModelFileError(f"{label} holds no XML element.")
    return root
