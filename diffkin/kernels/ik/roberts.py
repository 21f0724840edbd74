"""The steps of Roberts' low-discrepancy sequence, from which starts and samples are drawn. Plain NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["roberts_steps"]


def roberts_steps(dimension: int) -> NDArray[np.float64]:
    """The steps of Roberts' sequence R_d: powers of 1/g, where g^(d+1) = g + 1. Point k is ``(0.5 + (k + 1) step) mod 1``.

    Martin Roberts, "The unreasonable effectiveness of quasirandom sequences" (2018).

    Args:
        dimension: Number of coordinates.

    Returns:
        (dimension,) steps in (0, 1).
    """
    g = 2.0
    for _ in range(100):
        g = (1.0 + g) ** (1.0 / (dimension + 1))
    return g ** -np.arange(1.0, dimension + 1.0)
