"""What a judge says of a case, and how near a robot must come to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Judged", "Refused", "gap", "tolerances"]


@dataclass(frozen=True)
class Refused:
    """The judge does not load it."""

    message: str


@dataclass(frozen=True)
class Judged:
    """Poses of links by name, a dictionary for each configuration, and how near ours must be.

    Attributes:
        poses: (4, 4) poses in the frame of the robot's base.
        turn: Allowed difference of the entries of a rotation.
        shift: Allowed difference of translations [m].
        expected: Links that the robot must have.
        partial: Whether the robot may have links that the judge gives no name to.
    """

    poses: list[dict[str, np.ndarray]]
    turn: float = 1.0
    shift: float = 1.0
    expected: frozenset[str] = frozenset()
    partial: bool = False


def tolerances(largest_value: float, reach: float) -> tuple[float, float]:
    """Of rotations and translations, for joint values up to ``largest_value`` and a sum of all lengths of ``reach``.

    1e-9 of the size of the robot. A joint that a mimic turns by 1e6 rad has rounded those to 1e-10, and whether 2 q + 1
    is computed in one step or two makes as much of a difference: 1e-14 of the largest value comes on top.
    """
    turn = 1e-9 + 1e-14 * largest_value
    return turn, turn * (1.0 + reach)


def gap(ours: dict[str, np.ndarray], judged: Judged, index: int) -> str:
    """How a robot's poses differ from the judge's in one configuration; empty where they agree."""
    theirs = judged.poses[index]
    strange, missing = set(ours) - set(theirs), judged.expected - set(ours)
    if (strange and not judged.partial) or missing:
        return f"links that the judge does not have: {sorted(strange)[:5]}; that only it has: {sorted(missing)[:5]}"
    for link, pose in ours.items():
        if link in strange or not np.isfinite(theirs[link]).all():
            continue  # the judge's own numbers overflow
        turn = float(np.abs(pose[:3, :3] - theirs[link][:3, :3]).max())
        shift = float(np.abs(pose[:3, 3] - theirs[link][:3, 3]).max())
        if not (turn <= judged.turn and shift <= judged.shift):
            return f"{link!r} is off by {turn:.3g} (of {judged.turn:.3g}) and {shift:.3g} m (of {judged.shift:.3g} m)"
    return ""
