"""Packages that only some calls of learning need: imported when first needed, missed with a word on what to install."""

from __future__ import annotations

import importlib
from typing import Any

from diffkin.errors import MissingDependencyError

__all__ = ["needed"]


def needed(module: str, what: str, package: str = "") -> Any:
    """A module of an optional package.

    Args:
        module: Dotted name of the module.
        what: What needs it, for the message.
        package: Name to install it by; the first part of the module's name if empty.

    Returns:
        The module.

    Raises:
        diffkin.errors.MissingDependencyError: It cannot be imported; the message says what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = package or module.partition(".")[0]
        raise MissingDependencyError(
            f"{what} needs the package {package} ({error}). Install it with pip install {package}, or all that learning "
            "needs with pip install 'diffkin[train]'."
        ) from error
