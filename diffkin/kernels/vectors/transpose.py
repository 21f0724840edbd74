"""Four vectors into a row of four numbers a lane and back, by shuffles of the registers."""

from __future__ import annotations

from typing import Any

from diffkin.kernels.vectors.vector import shuffle

__all__ = ["columns_of", "rows_of"]


def rows_of(builder: Any, columns: list[Any], bits: int) -> list[Any]:
    """The rows (a_l, b_l, c_l, d_l), one a lane, of four vectors a, b, c, d whose elements have ``bits`` bits.

    Nothing but the last step crosses 128 bits, which is cheaper than crossing them.
    """
    a, b, c, d = columns
    lanes = a.type.count
    part = 128 // bits  # elements in 128 bits: 4 float32 or 2 float64
    rows = {}

    def pick(first: Any, second: Any, choose: tuple[tuple[int, int], ...]) -> Any:
        """In every 128 bits take the elements that ``choose`` names: (vector, element)."""
        places = [which * lanes + start + k for start in range(0, lanes, part) for which, k in choose]
        return shuffle(builder, first, second, places)

    if part == 4:
        low_ab, high_ab = (pick(a, b, ((0, k), (1, k), (0, k + 1), (1, k + 1))) for k in (0, 2))
        low_cd, high_cd = (pick(c, d, ((0, k), (1, k), (0, k + 1), (1, k + 1))) for k in (0, 2))
        for base, ab, cd in ((0, low_ab, low_cd), (2, high_ab, high_cd)):
            for k in (0, 1):
                both = pick(ab, cd, ((0, 2 * k), (0, 2 * k + 1), (1, 2 * k), (1, 2 * k + 1)))
                for start in range(0, lanes, 4):
                    rows[start + base + k] = shuffle(builder, both, both, range(start, start + 4))
    else:
        for k in (0, 1):
            ab, cd = pick(a, b, ((0, k), (1, k))), pick(c, d, ((0, k), (1, k)))
            for start in range(0, lanes, 2):
                places = [start, start + 1, lanes + start, lanes + start + 1]
                rows[start + k] = shuffle(builder, ab, cd, places)
    return [rows[lane] for lane in range(lanes)]


def columns_of(builder: Any, rows: list[Any]) -> list[Any]:
    """The four vectors whose lanes are in ``rows``: the inverse of ``rows_of``."""
    # put the rows of lanes i, i + 4, i + 8 ... side by side, for i from 0 to 3
    while len(rows) > 4:
        pairs = [(start + i, start + i + 4) for start in range(0, len(rows), 8) for i in range(4)]
        size = rows[0].type.count
        rows = [shuffle(builder, rows[i], rows[j], range(2 * size)) for i, j in pairs]
    # rows[i] holds, in its k-th four elements, the four numbers of lane i + 4 k
    size = rows[0].type.count
    fours = range(0, size, 4)
    r0, r1, r2, r3 = rows

    def pick(a: Any, b: Any, choose: tuple[int, int, int, int]) -> Any:
        """In every four take the elements that ``choose`` names: of ``a`` below ``size``, of ``b`` from there on."""
        return shuffle(builder, a, b, [start + k for start in fours for k in choose])

    low_01, low_23 = (pick(a, b, (0, size, 1, size + 1)) for a, b in ((r0, r1), (r2, r3)))
    high_01, high_23 = (pick(a, b, (2, size + 2, 3, size + 3)) for a, b in ((r0, r1), (r2, r3)))
    return [
        pick(first, second, choose)
        for first, second in ((low_01, low_23), (high_01, high_23))
        for choose in ((0, 1, size, size + 1), (2, 3, size + 2, size + 3))
    ]
