"""Typed settings: a dataclass says which fields a part of the configuration has, of which types, and is what jobs use.

Scripts declare theirs without ``from __future__ import annotations``: launchers pickle what is in a script, and a type
that is only text there could not be looked up in the process that runs the job.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf

from diffkin.errors import OptionError, closest

__all__ = ["A_DAY", "check_finite", "check_not_negative", "check_positive", "choose", "require", "typed"]

A_DAY = 86400.0
"""[s] The longest that is simulated step by step: beyond it a number is a slip, and the run would not end."""

_Settings = TypeVar("_Settings")


def typed(kind: type[_Settings], node: DictConfig | Mapping[str, Any], where: str = "") -> _Settings:
    """A dataclass from a part of the configuration; unknown names, missing ones and wrong types are errors.

    Fields may be numbers, text, truth values, lists and tuples of them, other dataclasses, ``Optional`` of any of these,
    and ``dict[str, Any]`` for what the library checks itself.

    Args:
        kind: The dataclass.
        node: Values by name.
        where: Name of the part, for messages; empty for the whole configuration.

    Returns:
        The settings.

    Raises:
        diffkin.errors.UnknownNameError: The dataclass has no such field.
        diffkin.errors.OptionError: A value is missing or of another type.
    """
    values = OmegaConf.to_container(node, resolve=True) if isinstance(node, DictConfig) else dict(node)
    if not isinstance(values, dict):
        raise OptionError(f"{where} must have values by name, got {values!r}.")
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in values:
        if name not in fields:
            raise closest(str(name), fields, f"setting of {where}:" if where else "setting:")
    found: dict[str, Any] = {}
    for name, field in fields.items():
        key = f"{where}.{name}" if where else name
        if name in values:
            found[name] = _convert(hints[name], values[name], key)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise _missing(key)
    return kind(**found)


def _convert(kind: Any, value: Any, key: str) -> Any:
    """A value as the type of its field."""
    if value == "???":  # OmegaConf's sign for one that is to be given
        raise _missing(key)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in inner:
            return None
        (kind,) = (each for each in inner if each is not type(None))
        return _convert(kind, value, key)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, dict):
            raise _wrong(key, "values by name", value)
        return typed(kind, value, key)
    if origin in (list, tuple):
        if not isinstance(value, (list, tuple)):
            raise _wrong(key, "a list", value)
        return origin(_convert(inner[0], each, f"{key}[{k}]") for k, each in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise _wrong(key, "values by name", value)
        return {name: _convert(inner[1], each, f"{key}.{name}") for name, each in value.items()}
    if kind is Any:
        return value
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise _wrong(key, f"of type {kind.__name__}", value)
    return value


def _missing(key: str) -> OptionError:
    return OptionError(f"{key} is missing. Set it with {key}=...")


def _wrong(key: str, expected: str, value: object) -> OptionError:
    return OptionError(f"{key} must be {expected}, got {value!r}. Set it with {key}=...")


def require(holds: bool, key: str, value: object, expected: str) -> None:
    """Raise an error that names a key, its value and what was expected, unless ``holds``."""
    if not holds:
        raise _wrong(key, expected, value)


def check_positive(settings: object, *keys: str, where: str = "", most: float = math.inf) -> None:
    """Raise unless the values of these keys (dotted paths) are numbers above zero, or None.

    Args:
        settings: A dataclass; parts of it may be dictionaries, which need not have the key.
        *keys: Dotted paths.
        where: Name of the part that ``settings`` are, for messages.
        most: The largest value allowed.

    Raises:
        diffkin.errors.OptionError: One is not.
    """
    wanted = "a number above zero" + (f" and at most {most:.0f}" if most < math.inf else "")
    for key in keys:
        value = _select(settings, key)
        right = value is None or (type(value) in (int, float) and 0 < value < math.inf and value <= most)
        require(right, f"{where}.{key}" if where else key, value, wanted)


def check_finite(settings: object, *keys: str, where: str = "") -> None:
    """The same for numbers from zero on."""
    for key in keys:
        value = _select(settings, key)
        right = value is None or (type(value) in (int, float) and 0 <= value < math.inf)
        require(right, f"{where}.{key}" if where else key, value, "a number of at least 0")


def check_not_negative(settings: object, *keys: str) -> None:
    """The same for whole numbers from zero on."""
    for key in keys:
        value = _select(settings, key)
        require(value is None or (type(value) is int and value >= 0), key, value, "a whole number of at least 0")


def _select(settings: object, key: str) -> Any:
    value: Any = settings
    for name in key.split("."):
        value = value.get(name) if isinstance(value, dict) else getattr(value, name)
    return value


def choose(value: str, choices: Iterable[str], what: str) -> str:
    """A choice from the configuration, or an error that names the valid ones."""
    if value not in (names := tuple(choices)):
        raise closest(value, names, what)
    return value
