"""Files that a kill or a full disk cannot spoil: written beside, then put in place in one step."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from diffkin.errors import ModelFileError, OptionError

__all__ = ["make_folder", "path_of", "unwritten", "write_atomically", "write_bytes_atomically"]


def path_of(path: str | os.PathLike[str], name: str = "path") -> Path:
    """A path from what a user gives for one.

    Raises:
        diffkin.errors.OptionError: It is no path.
    """
    if not isinstance(path, (str, os.PathLike)) or isinstance(os.fspath(path), bytes):
        raise OptionError(f"{name} must be a path (str or pathlib.Path), got {path!r}.")
    if "\0" in os.fspath(path) or not os.fspath(path):
        raise OptionError(f"{name} must be a path, got {os.fspath(path)!r}.")
    return Path(path)


def make_folder(folder: str | os.PathLike[str]) -> Path:
    """Make a folder and those above it, unless they are there.

    Raises:
        diffkin.errors.ModelFileError: It cannot be made.
    """
    folder = path_of(folder, "folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelFileError(f"The folder {folder} cannot be made: {error}. Choose another one.") from error
    return folder


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a file beside ``path``, then put it there in one step: never half a file.

    Args:
        path: Where the file is to be.
        write: Called with the temporary path.

    Raises:
        diffkin.errors.ModelFileError: The disk is full, or the folder cannot be written to; what was at ``path`` before
            is still there.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            write(beside)
            with open(beside, "rb") as file:
                os.fsync(file.fileno())
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise unwritten(path, error) from error


def write_bytes_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """As ``write_atomically``, for what writes to an open file."""

    def fill(beside: Path) -> None:
        with open(beside, "wb") as file:
            write(file)

    write_atomically(path, fill)


def unwritten(path: Path, error: OSError) -> ModelFileError:
    """The error for a file that could not be written; the caller raises it."""
    reason = error.strerror or str(error)
    before = "The file that was there before is as it was. " if path.exists() else ""
    return ModelFileError(
        f"{path} cannot be written: {reason}. {before}Free some space or choose another folder, then go on."
    )
