"""Target poses made ready for the IK kernel: checked, and their rotations made exact."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.compiled import kernel

__all__ = ["ready_targets"]


def ready_targets(targets: NDArray[np.floating], tolerance: float) -> NDArray[np.float64] | None:
    """Poses with exact rotations in float64, or None if one of them is no pose.

    Rotations within ``tolerance`` of orthogonal are replaced by the nearest rotation, by the Newton-Schulz iteration
    ``X <- X (3 I - X^T X) / 2`` (Higham, Functions of Matrices, 8.3), which squares the defect each time.

    Args:
        targets: (B, 4, 4) float32 or float64, C-contiguous.
        tolerance: Largest entry of ``|R^T R - I|`` allowed, below 0.1.

    Returns:
        (B, 4, 4) float64, or None if a number is not finite, a last row not (0, 0, 0, 1), or a matrix no rotation.
    """
    out = np.empty(targets.shape, np.float64)
    return out if _ready(targets, tolerance, out) else None


@kernel
def _ready(targets, tolerance, out):
    for b in range(targets.shape[0]):
        total = 0.0
        for i in range(4):
            for j in range(4):
                total += abs(targets[b, i, j])
                out[b, i, j] = targets[b, i, j]
        r = out[b]
        row = abs(r[3, 0]) + abs(r[3, 1]) + abs(r[3, 2]) + abs(r[3, 3] - 1.0)
        if not (total < np.inf) or not (row <= tolerance):
            return False
        for j in range(4):
            r[3, j] = 0.0
        r[3, 3] = 1.0
        for turn in range(3):
            a00 = r[0, 0] * r[0, 0] + r[1, 0] * r[1, 0] + r[2, 0] * r[2, 0]
            a11 = r[0, 1] * r[0, 1] + r[1, 1] * r[1, 1] + r[2, 1] * r[2, 1]
            a22 = r[0, 2] * r[0, 2] + r[1, 2] * r[1, 2] + r[2, 2] * r[2, 2]
            a01 = r[0, 0] * r[0, 1] + r[1, 0] * r[1, 1] + r[2, 0] * r[2, 1]
            a02 = r[0, 0] * r[0, 2] + r[1, 0] * r[1, 2] + r[2, 0] * r[2, 2]
            a12 = r[0, 1] * r[0, 2] + r[1, 1] * r[1, 2] + r[2, 1] * r[2, 2]
            if turn == 0:
                gap = max(abs(a00 - 1.0), abs(a11 - 1.0), abs(a22 - 1.0), abs(a01), abs(a02), abs(a12))
                volume = (
                    r[0, 0] * (r[1, 1] * r[2, 2] - r[1, 2] * r[2, 1])
                    - r[0, 1] * (r[1, 0] * r[2, 2] - r[1, 2] * r[2, 0])
                    + r[0, 2] * (r[1, 0] * r[2, 1] - r[1, 1] * r[2, 0])
                )
                if not (gap <= tolerance) or not (volume > 0.0):
                    return False
                if gap == 0.0:
                    break
            for i in range(3):
                x, y, z = r[i, 0], r[i, 1], r[i, 2]
                r[i, 0] = 1.5 * x - 0.5 * (x * a00 + y * a01 + z * a02)
                r[i, 1] = 1.5 * y - 0.5 * (x * a01 + y * a11 + z * a12)
                r[i, 2] = 1.5 * z - 0.5 * (x * a02 + y * a12 + z * a22)
    return True
