"""One exception type per kind of mistake. Every message says what was given, what was expected and what to do."""

from __future__ import annotations

import difflib
from bisect import bisect_left
from collections.abc import Iterable, Sequence

__all__ = [
    "AttitudeError",
    "ChangedError",
    "DeviceError",
    "DiffkinError",
    "DtypeError",
    "GradientError",
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


class DeviceError(DiffkinError, RuntimeError):
    """Tensors that are computed with together lie on different devices."""


class GradientError(DiffkinError, RuntimeError):
    """There is no graph to differentiate: gradients were switched off while the output was computed."""


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


_FEW = 12  # names that are shown all
_NEIGHBOURS = 40  # names that are compared letter by letter, around its place in alphabetical order
_LONGEST = 64  # letters of a name that are compared or shown


def closest(name: object, choices: Iterable[str], kind: str) -> UnknownNameError:
    """The error for an unknown name, naming the closest valid ones, and all where they are few.

    Args:
        name: What was given.
        choices: All valid names.
        kind: What the name should have been, in words: "link", "robot", "Euler sequence".

    Returns:
        The exception, to be raised by the caller.
    """
    known = [str(choice) for choice in choices]
    near = _near(str(name), known)
    hints = [f"Closest: {_listed(near)}."] if near else []
    if not known:
        hints.append("There are none.")
    elif len(known) <= _FEW:
        hints.append(f"Valid: {_listed(known)}.")
    elif not near:
        hints.append(f"Valid: {_listed(known[:_FEW])} and {len(known) - _FEW} more.")
    return UnknownNameError(f"Unknown {kind} {_shown(name)}. {' '.join(hints)}")


def _near(name: str, known: Sequence[str]) -> list[str]:
    """The three names most like one. Of many, only those that begin or end most like it are compared."""
    if len(known) > 2 * _NEIGHBOURS:
        ahead, behind = sorted(known), sorted(choice[::-1] for choice in known)
        known = [*_around(name, ahead), *(choice[::-1] for choice in _around(name[::-1], behind))]
    by_letters: dict[str, str] = {}
    for choice in known:
        by_letters.setdefault(_shortened(choice), choice)
    found = difflib.get_close_matches(_shortened(name), list(by_letters), n=3, cutoff=0.5)
    return [by_letters[letters] for letters in found]


def _around(name: str, ordered: Sequence[str]) -> Sequence[str]:
    place = bisect_left(ordered, name)
    return ordered[max(0, place - _NEIGHBOURS // 2) : place + _NEIGHBOURS // 2]


def _shortened(text: str) -> str:
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[:half]}...{text[-half:]}"


def _shown(name: object) -> str:
    return _shortened(repr(name))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(_shown, names))
