"""Xacro, the macro language of URDF files: telling that a file is not expanded yet, and expanding it."""

from __future__ import annotations

import os
from typing import Any
from xml.sax.saxutils import quoteattr

from diffkin.errors import MissingDependencyError, ModelFileError
from diffkin.robot.xml import Document, open_document

__all__ = ["expanded"]

_READ = ("link", "joint", "parent", "child", "origin", "axis", "limit", "mimic")


def expanded(document: Document) -> Document:
    """A URDF document as it is, or expanded by the package ``xacrodoc`` where it holds xacro.

    Xacro files are programs, in which expressions are computed and other files included; expand those you trust.

    Args:
        document: With the root ``<robot>``.

    Returns:
        A document without xacro. Its source is the expanded text.

    Raises:
        diffkin.errors.MissingDependencyError: It holds xacro, and ``xacrodoc`` is not installed.
        diffkin.errors.ModelFileError: It cannot be expanded.
    """
    sign = _first_sign(document.root)
    if sign is None:
        return document
    try:
        import xacrodoc
    except ImportError as error:
        raise MissingDependencyError(
            f"{document.label} holds {sign}: it is a xacro file that has not been expanded. Install xacrodoc "
            "(`pip install xacrodoc`), with which it is loaded as it is, or expand it with `xacro FILE > robot.urdf`."
        ) from error
    try:
        if document.is_text:
            text = xacrodoc.XacroDoc.from_string(document.source).to_urdf_string()
        else:
            # included, not read, so that it finds what it includes itself beside it
            xacrodoc.packages.walk_up_from(document.source)
            text = _including(xacrodoc, document)
    except Exception as error:  # of any kind: expressions in the file are computed by Python
        raise ModelFileError(
            f"{document.label} holds {sign}, and xacro cannot expand it: {type(error).__name__}: {error}"
        ) from error
    plain = open_document(text, "robot")
    sign = _first_sign(plain.root)
    if sign is not None:
        raise ModelFileError(f"{document.label} holds {sign} after xacro has expanded it. Correct it there.")
    return Document(plain.root, plain.source, document.label, True)


def _including(xacrodoc: Any, document: Document) -> str:
    name, path = (quoteattr(text) for text in (document.root.get("name") or "robot", os.fspath(document.source)))
    version = document.root.get("version")
    given = f" version={quoteattr(version)}" if version else ""
    shell = f'<robot name={name}{given} xmlns:xacro="http://www.ros.org/wiki/xacro"><xacro:include filename={path}/></robot>'
    return str(xacrodoc.XacroDoc.from_string(shell).to_urdf_string())


def _first_sign(root: Any) -> str | None:
    """What shows that a document is xacro: an element of it, or an expression where a robot is described."""
    for element in root.iter():
        if not isinstance(element.tag, str):
            continue
        namespace, _, local = element.tag.rpartition("}")
        if "xacro" in namespace or local.startswith("xacro:"):
            return f"<xacro:{local.removeprefix('xacro:')}>"
        if element.tag in _READ:
            for text in element.attrib.values():
                if "${" in text or "$(" in text:
                    return f"the expression {text[:60]!r}"
    return None
