"""Numbers and seeds as users give them: taken where they can be meant, refused by name where not."""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diffkin.errors import OptionError, closest

__all__ = ["flag", "generator_of", "one_of", "real", "real_list", "seed_of", "steps_in", "whole"]

_MOST_STEPS = 1e12
_SEEDS = (-(2**63), 2**64 - 1)  # what torch takes


def whole(value: Any, name: str, least: int | None = None, most: int | None = None) -> int:
    """A whole number, Python's or NumPy's, as Python's.

    Args:
        value: What was given.
        name: Under which the user knows it.
        least: Smallest allowed.
        most: Largest allowed.

    Returns:
        The number.

    Raises:
        diffkin.errors.OptionError: It is no whole number, or out of range; the message says what is allowed.
    """
    known = hasattr(type(value), "__index__") and not isinstance(value, (bool, np.bool_, np.ndarray, Tensor))
    number = operator.index(value) if known else 0
    if not known or (least is not None and number < least) or (most is not None and number > most):
        raise OptionError(f"{name} must be a whole number{_between(least, most)}, got {_shown(value)}.")
    return number


def steps_in(seconds: float, dt: float, name: str = "seconds", least: int = 0) -> int:
    """How many steps make up a time, to the nearest whole number.

    Args:
        seconds: The time [s].
        dt: Of a step [s], above 0.
        name: Under which the user knows the time.
        least: So many there must be.

    Raises:
        diffkin.errors.OptionError: They are fewer, or more than can be meant, or ``dt`` is not above 0.
    """
    if not dt > 0:
        raise OptionError(f"dt must be above 0 s, got {dt}.")
    ratio = float(seconds) / float(dt)
    if not ratio <= _MOST_STEPS:
        raise OptionError(f"{name}={seconds} in steps of {dt} s are more than {_MOST_STEPS:.0e} steps.")
    if round(ratio) < least:
        raise OptionError(f"{name}={seconds} is too short: it must be {least} or more steps of {dt} s.")
    return round(ratio)


def real(
    value: Any,
    name: str,
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
) -> float:
    """A finite real number, Python's, NumPy's or a tensor of one, as Python's.

    Args:
        value: What was given.
        name: Under which the user knows it.
        above: It must be above this.
        least: It must be at least this.
        below: It must be below this.
        most: It must be at most this.

    Returns:
        The number.

    Raises:
        diffkin.errors.OptionError: It is no number, not finite, or out of range; the message says what is allowed.
    """
    known = isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))
    known |= isinstance(value, Tensor) and value.ndim == 0 and not value.is_meta and value.dtype.is_floating_point
    try:
        number = float(value) if known else math.nan
    except OverflowError:  # an integer beyond all floats
        number = math.nan
    inside = (
        math.isfinite(number)
        and (above is None or number > above)
        and (least is None or number >= least)
        and (below is None or number < below)
        and (most is None or number <= most)
    )
    if not inside:
        words = [(above, "above"), (least, "at least"), (below, "below"), (most, "at most")]
        allowed = " and ".join(f"{word} {bound:g}" for bound, word in words if bound is not None)
        raise OptionError(f"{name} must be a finite number{' ' + allowed if allowed else ''}, got {_shown(value)}.")
    return number


def real_list(value: Any, name: str, **bounds: float) -> float | list[float]:
    """A number, or one for each of the three axes, each as ``real`` takes it."""
    if isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str):
        if len(value) != 3:
            raise OptionError(f"{name} must be a number or three, one for each axis, got {_shown(value)}.")
        return [real(part, name, **bounds) for part in value]
    return real(value, name, **bounds)


def one_of(value: Any, names: Iterable[str], kind: str) -> str:
    """One of several names.

    Raises:
        diffkin.errors.UnknownNameError: It is none of them; the message names the closest ones.
    """
    known = list(names)
    if not isinstance(value, str) or value not in known:
        raise closest(value if isinstance(value, str) else _shown(value), known, kind)
    return value


def flag(value: Any, name: str) -> bool:
    """True or false, Python's or NumPy's.

    Raises:
        diffkin.errors.OptionError: It is neither.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise OptionError(f"{name} must be True or False, got {_shown(value)}.")
    return bool(value)


def seed_of(value: Any, name: str = "seed") -> int:
    """A seed that torch takes.

    Raises:
        diffkin.errors.OptionError: It is no whole number of 64 bits.
    """
    return whole(value, name, *_SEEDS)


def generator_of(seed: Any, name: str = "seed", device: torch.device | str | None = None) -> torch.Generator:
    """A generator: the one given, which goes on from where it is, or a new one with this seed.

    Args:
        seed: An integer, or a generator.
        name: Under which the user knows it.
        device: Of a new one, and one that is given may be on any; None: the CPU, and one that is given must be there.

    Raises:
        diffkin.errors.OptionError: It is no seed, or a generator on another device.
    """
    if not isinstance(seed, torch.Generator):
        return torch.Generator(device="cpu" if device is None else device).manual_seed(seed_of(seed, name))
    if device is None and seed.device.type != "cpu":
        raise OptionError(
            f"{name} is a generator on {seed.device}; random numbers are drawn on the CPU, the same for every device. "
            "Give an integer, or torch.Generator()."
        )
    return seed


def _between(least: int | None, most: int | None) -> str:
    if least is not None and most is not None:
        return f" from {least} to {most}"
    return f" of at least {least}" if least is not None else f" of at most {most}" if most is not None else ""


def _shown(value: Any) -> str:
    """What was given, cut where it is long, with its type where it is no number."""
    if isinstance(value, int) and abs(value) >= 10**30:  # Python refuses to print integers of some thousand digits
        return f"an integer of {value.bit_length()} bits"
    text = repr(value)
    text = text if len(text) <= 60 else text[:60] + "..."
    return text if isinstance(value, numbers.Number) else f"{text} ({type(value).__name__})"
