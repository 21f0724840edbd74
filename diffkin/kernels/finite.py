"""Whether numbers are finite, in one pass.

torch's own sum would do, but its threads keep spinning for milliseconds after it, on the processors that the kernels'
threads need next.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.compiled import kernel
from diffkin.kernels.threads import run_batch

__all__ = ["all_finite"]

GRAIN = 65536
_FEW = 16  # looked at in Python sooner than a kernel is called


@kernel
def _note_bad(values, bad, start, stop):
    """Set ``bad[0]`` if one of the values from ``start`` to ``stop`` is NaN or infinite."""
    good = True
    for k in range(start, stop):
        good &= abs(values[k]) < np.inf
    if not good:
        bad[0] = True


def all_finite(values: NDArray[np.floating]) -> bool:
    """Whether all of ``values``, C-contiguous float32 or float64 of any shape, are finite."""
    values = values.reshape(-1)
    if values.size <= _FEW:
        return all(map(math.isfinite, values.tolist()))
    bad = np.zeros(1, np.bool_)
    run_batch(_note_bad, (values, bad), values.size, GRAIN)
    return not bad[0]
