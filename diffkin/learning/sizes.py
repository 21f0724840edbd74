"""Sizes of networks, checked before anything is allocated: each by itself, and all weights against the memory."""

from __future__ import annotations

import os
from typing import Any

from diffkin._given import whole
from diffkin.errors import OptionError

__all__ = ["MOST", "check_memory", "check_weights", "memory", "take_sizes"]

MOST = {"width": 65536, "depth": 256, "pieces": 4096, "octaves": 24, "transforms": 64, "bins": 4096}
"""The largest of each size; beyond, neither memory nor float32 would bear it."""

_LEAST = {"octaves": 0, "pieces": 2, "bins": 2}  # 1 for the others
_COPIES = 5  # weights, gradients, two moments of Adam, the running mean
_SHARE = 0.5  # of the memory


def take_sizes(settings: Any, *names: str, group: str = "network") -> None:
    """Check sizes of a frozen dataclass of settings and keep them as Python's integers.

    Args:
        settings: The dataclass, in its ``__post_init__``.
        names: Which fields, of those in ``MOST``.
        group: Prefix of the names in messages.

    Raises:
        diffkin.errors.OptionError: One is no whole number or out of range; the message names it and what is allowed.
    """
    for name in names:
        value = whole(getattr(settings, name), f"{group}.{name}", _LEAST.get(name, 1), MOST[name])
        object.__setattr__(settings, name, value)


def memory() -> int:
    """Bytes of this machine's memory; 16 GiB where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 16 * 2**30


def check_weights(count: int, sizes: str) -> None:
    """Raise unless a network of so many weights can be trained in half of the memory.

    Args:
        count: Weights.
        sizes: The sizes that lead to it, for the message.

    Raises:
        diffkin.errors.OptionError: It cannot.
    """
    check_memory(
        4 * _COPIES * count, f"A network with {sizes} has {count:.3g} weights; training it", "Make it smaller."
    )


def check_memory(size: int, what: str, remedy: str) -> None:
    """Raise unless so many bytes are at most half of the memory.

    Args:
        size: Bytes.
        what: Subject of the message: who takes them.
        remedy: What to do instead.

    Raises:
        diffkin.errors.OptionError: They are more.
    """
    most = _SHARE * memory()
    if size > most:
        raise OptionError(
            f"{what} takes {size / 2**30:.3g} GiB; at most {most / 2**30:.3g} GiB, half of this machine's memory, are "
            f"allowed. {remedy}"
        )
