"""One exception type per kind of mistake. Every message says what was given, what was expected and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "AttitudeError",
    "ChangedError",
    "DiffkinError",
    "DtypeError",
    "JointError",
    "LimitsError",
    "MissingDependencyError",
    "ModelFileError",
    "NonFiniteError",
    "OptionError",
    "RotationError",
    "ShapeError",
    "TopologyError",
    "UnknownNameError",
    "closest",
]


class DiffkinError(Exception):
    """Base of every error that diffkin raises on purpose."""


class ShapeError(DiffkinError, ValueError):
    """A tensor has the wrong number of axes or the wrong length along one."""


class DtypeError(DiffkinError, TypeError):
    """A tensor has a dtype that cannot hold coordinates, for instance an integer one."""


class NonFiniteError(DiffkinError, ValueError):
    """A number that must be finite is NaN or infinite."""


class RotationError(DiffkinError, ValueError):
    """A matrix, quaternion or axis does not describe a rotation or a direction."""


class UnknownNameError(DiffkinError, KeyError):
    """A robot, link, joint, point, sequence or option of that name does not exist."""

    def __str__(self) -> str:  # KeyError would show the message in quotes
        return str(self.args[0]) if self.args else ""


class OptionError(DiffkinError, ValueError):
    """An option has a value outside its range, for instance a negative tolerance."""


class ModelFileError(DiffkinError, ValueError):
    """A model file cannot be read, or what it says cannot be."""


class JointError(ModelFileError):
    """A joint of a model cannot be: its type, axis, mimic or place in the tree."""


class LimitsError(ModelFileError):
    """Joint limits are missing, not finite or empty (lower above upper)."""


class TopologyError(ModelFileError):
    """Links and joints do not make a tree, or base and tip are not connected."""


class AttitudeError(DiffkinError, ValueError):
    """Data does not determine an attitude, or describes a body that cannot exist."""


class ChangedError(DiffkinError, RuntimeError):
    """A robot, which never changes, was changed in place."""


class MissingDependencyError(DiffkinError, ImportError):
    """An optional package is needed for this call; the message says what to install."""


def closest(name: object, choices: Iterable[str], kind: str) -> UnknownNameError:
    """The error for an unknown name, naming the closest valid ones.

    Args:
        name: What was given.
        choices: All valid names.
        kind: What the name should have been, in words: "link", "robot", "Euler sequence".

    Returns:
        The exception, to be raised by the caller.
    """
    known = list(choices)
    near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
    shown = ", ".join(repr(choice) for choice in (near or known[:12]))
    more = "" if near or len(known) <= 12 else f" and {len(known) - 12} more"
    hint = f"Closest: {shown}." if near else f"Valid: {shown}{more}." if known else "There are none."
    return UnknownNameError(f"Unknown {kind} {name!r}. {hint}")
