"""Of every solution its whole turns within the limits, the nearest first: a small branch and bound for each target."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.compiled import inline, kernel
from diffkin.kernels.threads import run_chunks

__all__ = ["order_turns"]

Floats = NDArray[np.float64]

_CHUNK = 64  # targets a thread takes at once
EDGE = 1e-8  # [rad or m] what is this little beyond a limit is on it
WHOLE = 2.0 * math.pi


def order_turns(
    q: Floats,
    count: NDArray[np.int64],
    near: Floats,
    lower: Floats,
    upper: Floats,
    turns: NDArray[np.bool_],
    weights: Floats,
    most: int,
) -> tuple[Floats, NDArray[np.int64]]:
    """The solutions within limits nearest to where the caller is, their whole turns among them.

    The distance is a sum over joints, so that the whole turns of a solution are gone through joint by joint, the nearest
    first, until what is chosen so far and the least of the joints to come is no better than the last that is kept.

    Args:
        q: (B, m, dof) solutions up to whole turns.
        count: (B,) how many there are.
        near: (B, dof) where to be near.
        lower: (dof,) limits, -inf where there are none; upper likewise. Of a joint without limits one turn is taken.
        upper: (dof,) limits.
        turns: (dof,) which coordinates a whole turn leads back.
        weights: (dof,) of the squared differences in the distance, from 0 on.
        most: At most so many for each target.

    Returns:
        (B, k, dof) solutions, nearest first, those past the number of no meaning, and (B,) their number.
    """
    most = min(most, q.shape[1] * _most_turns(lower, upper, turns, most))
    out, number = np.zeros((len(q), most, q.shape[2])), np.zeros(len(q), np.int64)
    arguments: tuple[Any, ...] = (q, count, near, lower, upper, turns, weights, out, number)
    run_chunks(lambda first, stop: _order(first, stop, *arguments), len(q), _CHUNK)
    return out, number


def _most_turns(lower: Floats, upper: Floats, turns: NDArray[np.bool_], most: int) -> int:
    """How many representations a solution has within the limits, at most; ``most`` stands for all above."""
    total = 1
    for low, high in zip(lower[turns].tolist(), upper[turns].tolist(), strict=True):
        if low > -math.inf or high < math.inf:
            total *= most if math.isinf(high - low) else int((high - low + 2.0 * EDGE) / WHOLE) + 1
        total = min(total, most)
    return total


@inline
def _choices(value, reference, low, high, turning, weight, values, costs):
    """Where a coordinate may be, the nearest to a reference first, and what that adds to the distance; how many."""
    if not turning:
        if value < low - EDGE or value > high + EDGE:
            return 0
        values[0], costs[0] = value, weight * (value - reference) ** 2
        return 1
    value -= WHOLE * np.round(value / WHOLE)
    least, most = np.ceil((low - EDGE - value) / WHOLE), np.floor((high + EDGE - value) / WHOLE)
    if least > most:
        return 0
    nearest = min(max(np.round((reference - value) / WHOLE), least), most)
    if np.isinf(low) and np.isinf(high):
        least, most = nearest, nearest
    up, down, made = nearest, nearest - 1.0, 0
    while made < values.shape[0] and (up <= most or down >= least):
        above, below = value + WHOLE * up, value + WHOLE * down
        if up <= most and (down < least or abs(above - reference) <= abs(below - reference)):
            values[made], up = above, up + 1.0
        else:
            values[made], down = below, down - 1.0
        costs[made] = weight * (values[made] - reference) ** 2
        made += 1
    return made


@kernel
def _order(first, stop, q, count, near, lower, upper, turns, weights, out, number):
    """Fill ``out`` and ``number`` for targets ``first`` to ``stop``."""
    dof, most = q.shape[2], out.shape[1]
    values, costs = np.empty((dof, most)), np.empty((dof, most))
    choices, index, place = np.empty(dof, np.int64), np.empty(dof, np.int64), np.empty(most, np.int64)
    sums, rest = np.empty(dof + 1), np.zeros(dof + 1)
    kept, pool = np.empty(most), np.empty((most, dof))
    for b in range(first, stop):
        held = 0
        for k in range(count[b]):
            empty = False
            for j in range(dof - 1, -1, -1):
                choices[j] = _choices(
                    q[b, k, j], near[b, j], lower[j], upper[j], turns[j], weights[j], values[j], costs[j]
                )
                if choices[j] == 0:
                    empty = True
                    break
                rest[j] = rest[j + 1] + costs[j, 0]
            if empty:
                continue
            j, index[0], sums[0] = 0, 0, 0.0
            while j >= 0:
                if index[j] < choices[j]:
                    total = sums[j] + costs[j, index[j]]
                    better = held < most or total + rest[j + 1] < kept[most - 1]
                else:
                    total, better = 0.0, False
                if not better:  # neither is any choice after it
                    j -= 1
                    if j >= 0:
                        index[j] += 1
                elif j < dof - 1:
                    j += 1
                    index[j], sums[j] = 0, total
                else:
                    at = min(held, most - 1)
                    row = held if held < most else place[most - 1]
                    held = min(held + 1, most)
                    while at > 0 and kept[at - 1] > total:
                        kept[at], place[at] = kept[at - 1], place[at - 1]
                        at -= 1
                    kept[at], place[at] = total, row
                    for c in range(dof):
                        pool[row, c] = values[c, index[c]]
                    index[j] += 1
        number[b] = held
        for r in range(held):
            for c in range(dof):
                out[b, r, c] = pool[place[r], c]
