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
from typing import Any
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from diffkin.errors import ModelFileError

__all__ = ["MAX_BYTES", "Document", "find_file", "numbers", "open_document"]

MAX_BYTES = 64 * 2**20
"""Largest model file that is read. Descriptions of real robots are far below one megabyte."""

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


def open_document(path_or_xml: str | os.PathLike[str], *root_tags: str) -> Document:
    """Read and parse XML, refusing what a model file has no use for: document types and entities of any kind.

    Args:
        path_or_xml: Path of a file, a ``package://`` address, or the text itself.
        root_tags: The names that the root element may have.

    Returns:
        The document.

    Raises:
        diffkin.errors.ModelFileError: It cannot be found or read, is too large, is not well-formed XML, declares a
            document type or entities, or its root is another element.
    """
    if not isinstance(path_or_xml, (str, os.PathLike)):
        raise ModelFileError(f"A model is given as a path or as XML text (str), got {type(path_or_xml).__name__}.")
    wanted = " or ".join(f"<{tag}>" for tag in root_tags)
    if isinstance(path_or_xml, str) and path_or_xml.lstrip("\ufeff \t\r\n").startswith("<"):
        # An encoding that the text declares was that of a file; as UTF-8 it reaches both parsers.
        source, label, encoding = path_or_xml.lstrip("\ufeff \t\r\n"), "the XML text", "utf-8"
        content = source.encode("utf-8", errors="surrogatepass")
        _check_size(len(content), label)
    else:
        path = find_file(path_or_xml)
        source, label, encoding = str(path), str(path), None
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelFileError(f"Cannot read {label}: {error.strerror}.") from error
        if not content.strip():
            raise ModelFileError(f"{label} is empty; a model file with {wanted} was expected.")
    root = _parse(content, encoding, label)
    if root.tag not in root_tags:
        hint = {"robot": " A URDF is loaded by from_urdf.", "mujoco": " A MuJoCo model is loaded by from_mjcf."}
        raise ModelFileError(
            f"{label} holds <{root.tag}>, expected {wanted} as the outermost element.{hint.get(root.tag, '')}"
        )
    return Document(root, source, label, encoding is not None)


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
        huge_tree=False,
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
