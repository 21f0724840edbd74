"""Where the search for a list of tasks starts: for every link that a task places, the stored samples that bring it nearest.

The samples are those of ``diffkin.kernels.ik.table``; a task says which of them its link's joints start from.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.compiled import kernel
from diffkin.kernels.ik.layout import open_grid
from diffkin.kernels.ik.program import IkProgram
from diffkin.kernels.ik.table import FEATURES, distances, features, find_cell
from diffkin.kernels.threads import run_batch
from diffkin.kernels.vectors.memory import uncounted

__all__ = ["RANKED", "Placed", "rank_starts"]

RANKED = 16
"""Samples that are tried before the sequence."""

_GRAIN = 200  # problems that take about a tenth of a millisecond


class Placed(NamedTuple):
    """A link that a task places.

    Attributes:
        program: Of the link, which keeps the samples.
        place: Where its position begins among the numbers of a problem; -1 if it is not asked for.
        turn: Where the columns of its rotation do; likewise.
    """

    program: IkProgram
    place: int
    turn: int

    @property
    def asked(self) -> tuple[bool, bool]:
        """Whether its position and its rotation are asked for."""
        return self.place >= 0, self.turn >= 0


def rank_starts(
    placed: list[Placed], targets: NDArray[np.float64], bases: NDArray[np.float64], count: int
) -> NDArray[np.int32]:
    """(count, len(placed) * RANKED) numbers of the samples nearest to each problem's targets, from the nearest on.

    Args:
        placed: The links.
        targets: (count, numbers).
        bases: (count, 12) poses of the base, (0, 12) for the identity.
        count: How many problems.
    """
    out = np.zeros((count, len(placed) * RANKED), np.int32)
    for k, one in enumerate(placed):
        table, chain = one.program.table(*one.asked), one.program.chain
        where = np.array([k * RANKED, one.place, one.turn])
        arguments = (
            table.grid, table.counts, table.frames, table.ids, chain.last, chain.length, targets, bases, where, out
        )  # fmt: skip
        run_batch(_rank, arguments, count, _GRAIN)
    return out


@kernel
def _rank(grid, cells, frames, ids, last, length, targets, bases, where, out, start, stop):
    frames, ids = uncounted(frames), uncounted(ids)
    low, inverse, weights = open_grid(uncounted(grid))
    to, place, turn = where[0], where[1], where[2]
    pose, near, x = np.empty((12, 1)), np.empty(ids.shape[1], np.float32), np.empty(FEATURES, np.float32)
    c, s = last[0], last[1]
    for b in range(start, stop):
        for i in range(12):
            pose[i, 0] = 1.0 if i == 0 or i == 4 or i == 8 else 0.0
        if turn >= 0:
            for i in range(9):
                pose[i, 0] = targets[b, turn + i]
        if place >= 0:
            for i in range(3):
                pose[9 + i, 0] = targets[b, place + i]
        if bases.shape[0]:  # as seen from the base
            base = bases[b]
            for i in range(3):
                pose[9 + i, 0] -= base[9 + i]
            for j in range(0, 12, 3):
                u, v, w = pose[j, 0], pose[j + 1, 0], pose[j + 2, 0]
                for i in range(3):
                    pose[j + i, 0] = base[3 * i] * u + base[3 * i + 1] * v + base[3 * i + 2] * w
        for i in range(3):  # in the terms of the chain
            u, v = pose[i, 0], pose[3 + i, 0]
            pose[i, 0], pose[3 + i, 0] = c * u - s * v, s * u + c * v
            pose[9 + i, 0] /= length
        features(pose, 0, x)
        cell = find_cell(x, low, inverse, cells)
        distances(x, frames, cell, weights, near)
        for r in range(RANKED):
            k = 0
            for j in range(1, near.shape[0]):
                if near[j] < near[k]:
                    k = j
            near[k] = np.float32(np.inf)
            out[b, to + r] = ids[cell, k]
