"""Problems that are proven to have no solution: they want two points of the mechanism farther apart, or nearer, than they
can be, see ``diffkin.kernels.ik.reach``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.compiled import kernel
from diffkin.kernels.threads import run_batch

__all__ = ["Ends", "pack_ends", "prove"]

_GRAIN = 2000  # problems that take about a tenth of a millisecond
# columns of packed ends
(PLACE, TURN, DIRECTED, FIXED, CARRIED, LEAST, GREATEST, COLUMNS) = 0, 1, 2, 3, 6, 9, 10, 11


class Ends(NamedTuple):
    """Two points, one of the base and one that goes with a link, and what is known of their distance.

    Attributes:
        place: Where the position of the link begins among the numbers of a problem.
        turn: Where the columns of its rotation do, or its direction; -1 where the point is the link's origin.
        directed: Whether it is the direction of an axis on which the point lies.
        fixed: (3,) the point of the base [m].
        carried: (3,) that of the link in its axes [m]; of an axis the first number is the place on it.
        least: [m] that they are apart.
        most: [m] likewise.
        spread: [rad] by which a direction may be off.
    """

    place: int
    turn: int
    directed: bool
    fixed: tuple[float, ...]
    carried: tuple[float, ...]
    least: float
    most: float
    spread: float = 0.0


def pack_ends(ends: Sequence[Ends], position: float, rotation: float) -> NDArray[np.float64]:
    """(ends, COLUMNS) what ``prove`` takes, with room for errors of position [m] and rotation [rad]."""
    packed = np.zeros((len(ends), COLUMNS))
    for line, one in zip(packed, ends, strict=True):
        slack = position + (rotation + one.spread) * float(np.linalg.norm(one.carried))
        line[:FIXED] = one.place, one.turn, one.directed
        line[FIXED:CARRIED], line[CARRIED:LEAST] = one.fixed, one.carried
        line[LEAST:] = one.least - slack, one.most + slack
    return packed


def prove(packed: NDArray[np.float64], targets: NDArray[np.float64], bases: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(B,) which problems have no solution; (0,) where nothing is known.

    Args:
        packed: From ``pack_ends``.
        targets: (B, numbers) of all pieces.
        bases: (B, 12) poses of the base, (0, 12) for the identity.
    """
    proven = np.zeros(len(targets) if len(packed) else 0, np.bool_)
    run_batch(_prove, (packed, targets, bases, proven), len(proven), _GRAIN)
    return proven


@kernel
def _prove(packed, targets, bases, proven, start, stop):
    for b in range(start, stop):
        for k in range(packed.shape[0]):
            one = packed[k]
            place, turn = int(one[PLACE]), int(one[TURN])
            square = 0.0
            for i in range(3):
                d = targets[b, place + i]
                if turn >= 0 and one[DIRECTED] > 0.0:
                    d += one[CARRIED] * targets[b, turn + i]
                elif turn >= 0:
                    for j in range(3):
                        d += one[CARRIED + j] * targets[b, turn + 3 * j + i]
                if bases.shape[0]:
                    d -= bases[b, 9 + i]
                    for j in range(3):
                        d -= one[FIXED + j] * bases[b, 3 * j + i]
                else:
                    d -= one[FIXED + i]
                square += d * d
            distance = np.sqrt(square)
            if distance < one[LEAST] or distance > one[GREATEST]:
                proven[b] = True
