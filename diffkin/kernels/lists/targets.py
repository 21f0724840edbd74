"""Targets of all pieces made ready for the kernel: rotations exact, directions of unit length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.compiled import inline, kernel
from diffkin.kernels.threads import run_batch

__all__ = ["AS_IT_IS", "DIRECTION", "ROTATION", "make_exact"]

AS_IT_IS, ROTATION, DIRECTION = range(3)

_GRAIN = 1000  # problems that take about a tenth of a millisecond


def make_exact(targets: NDArray[np.float64], begins: NDArray[np.int64], kinds: NDArray[np.int64]) -> None:
    """Replace rotations within 1e-5 of orthogonal by the nearest ones and directions by unit vectors, in their place.

    By the Newton-Schulz iteration ``X <- X (3 I - X^T X) / 2`` (Higham, Functions of Matrices, 8.3).

    Args:
        targets: (B, numbers) of all pieces.
        begins: (pieces,) where each piece's target begins; of a rotation the columns x, y, z.
        kinds: (pieces,) AS_IT_IS, ROTATION or DIRECTION.
    """
    if kinds.any():
        run_batch(_make_exact, (targets, begins, kinds), len(targets), _GRAIN)


@inline
def _nearest_rotation(r):
    for _ in range(3):
        xx, yy = r[0] * r[0] + r[1] * r[1] + r[2] * r[2], r[3] * r[3] + r[4] * r[4] + r[5] * r[5]
        zz = r[6] * r[6] + r[7] * r[7] + r[8] * r[8]
        xy, xz = r[0] * r[3] + r[1] * r[4] + r[2] * r[5], r[0] * r[6] + r[1] * r[7] + r[2] * r[8]
        yz = r[3] * r[6] + r[4] * r[7] + r[5] * r[8]
        if xx == 1.0 and yy == 1.0 and zz == 1.0 and xy == 0.0 and xz == 0.0 and yz == 0.0:
            break
        for i in range(3):
            x, y, z = r[i], r[3 + i], r[6 + i]
            r[i] = 1.5 * x - 0.5 * (x * xx + y * xy + z * xz)
            r[3 + i] = 1.5 * y - 0.5 * (x * xy + y * yy + z * yz)
            r[6 + i] = 1.5 * z - 0.5 * (x * xz + y * yz + z * zz)


@kernel
def _make_exact(targets, begins, kinds, start, stop):
    for b in range(start, stop):
        for k in range(begins.shape[0]):
            r = targets[b, begins[k] :]
            if kinds[k] == ROTATION:
                _nearest_rotation(r)
            elif kinds[k] == DIRECTION:
                largest = max(abs(r[0]), abs(r[1]), abs(r[2]))
                x, y, z = r[0] / largest, r[1] / largest, r[2] / largest
                size = np.sqrt(x * x + y * y + z * z)
                r[0], r[1], r[2] = x / size, y / size, z / size
