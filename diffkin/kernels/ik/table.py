"""Where inverse kinematics starts: samples of forward kinematics near the target, then a low-discrepancy sequence.

Where a search starts counts for more than how it steps. Sample k of a chain is point k of Roberts' sequence within the
limits, so no sample is stored: a table holds, for every cell over position and rotation, the numbers of the samples
whose frames lie nearest to the cell's centre, and those frames. A target finds its cell by arithmetic and ranks the
cell's samples by their distance to itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.compiled import exact, inline, kernel
from diffkin.kernels.ik.chain import Chain
from diffkin.kernels.ik.layout import GRID, open_grid
from diffkin.kernels.ik.roberts import roberts_steps
from diffkin.kernels.ik.step import frames
from diffkin.kernels.threads import run_chunks
from diffkin.kernels.vectors.strict import W

__all__ = ["FEATURES", "StartTable", "build_table"]

FEATURES = 7  # position in units of the chain's length, unit quaternion xyzw
ROTATION_CELLS = 24  # the rotations of a cube
f4 = np.float32


class StartTable(NamedTuple):
    """Cells over position (a grid) and rotation, each with the samples nearest to its centre."""

    grid: NDArray[np.float32]  # a Grid
    counts: NDArray[np.int64]  # (4,) cells along x, y, z and over rotation
    frames: NDArray[np.float32]  # (cells, FEATURES, K)
    ids: NDArray[np.int32]  # (cells, K)
    samples: int


@exact
def sequence(k, step, low, high):
    """Coordinate of point ``k`` of the sequence within a range."""
    t = 0.5 + (k + 1) * step
    return low + (t - np.floor(t)) * (high - low)


@inline
def quaternion(frame, l, out):
    """Unit quaternion xyzw of the rotation in column ``l`` of ``frame`` (columns x, y, z, origin)."""
    m00, m10, m20 = frame[0, l], frame[1, l], frame[2, l]
    m01, m11, m21 = frame[3, l], frame[4, l], frame[5, l]
    m02, m12, m22 = frame[6, l], frame[7, l], frame[8, l]
    w, x, y, z = 1 + m00 + m11 + m22, 1 + m00 - m11 - m22, 1 - m00 + m11 - m22, 1 - m00 - m11 + m22
    if w >= max(x, y, z):
        x, y, z = m21 - m12, m02 - m20, m10 - m01
    elif x >= max(y, z):
        w, y, z = m21 - m12, m10 + m01, m02 + m20
    elif y >= z:
        w, x, z = m02 - m20, m10 + m01, m21 + m12
    else:
        w, x, y = m10 - m01, m02 + m20, m21 + m12
    s = 1 / np.sqrt(w * w + x * x + y * y + z * z)
    out[3], out[4], out[5], out[6] = f4(x * s), f4(y * s), f4(z * s), f4(w * s)


@inline
def features(frame, l, out):
    """Features of the frame in column ``l``."""
    for i in range(3):
        out[i] = f4(frame[9 + i, l])
    quaternion(frame, l, out)


# The rotations of a cube as quaternions up to sign: 4 along one axis of quaternion space, 12 along the bisector of two,
# and 8 along that of all four (the first component positive).
_PAIRS = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))


def cube_rotations() -> NDArray[np.float32]:
    """(24, 4) quaternions, in the order of ``rotation_cell``."""
    ones = [np.eye(4)[i] for i in range(4)]
    twos = [(np.eye(4)[i] + sign * np.eye(4)[j]) / np.sqrt(2) for i, j in _PAIRS for sign in (1, -1)]
    fours = [np.array([1, a, b, c]) / 2 for a in (1, -1) for b in (1, -1) for c in (1, -1)]
    return np.array(ones + twos + fours, dtype=np.float32)


@inline
def rotation_cell(x):
    """Which rotation of the cube is nearest to the quaternion ``x[3:7]``."""
    best, cell = f4(-1), 0
    for i in range(4):
        if abs(x[3 + i]) > best:
            best, cell = abs(x[3 + i]), i
    k = 4
    for i in range(3):
        for j in range(i + 1, 4):
            value = (abs(x[3 + i]) + abs(x[3 + j])) * f4(0.70710678)
            if value > best:
                best = value
                cell = k if x[3 + i] * x[3 + j] > 0 else k + 1
            k += 2
    if (abs(x[3]) + abs(x[4]) + abs(x[5]) + abs(x[6])) * f4(0.5) > best:
        cell = 16
        if x[3] * x[4] < 0:
            cell += 4
        if x[3] * x[5] < 0:
            cell += 2
        if x[3] * x[6] < 0:
            cell += 1
    return cell


@inline
def find_cell(x, low, inverse, counts):
    """The cell of the features ``x``; targets out of the grid go to its nearest cell."""
    cell = 0
    for i in range(3):
        place = (x[i] - low[i]) * inverse[i]
        last = counts[i] - 1
        k = 0
        if place >= last:
            k = last
        elif place > 0:  # false for NaN
            k = int(place)
        cell = cell * counts[i] + k
    if counts[3] > 1:
        return cell * counts[3] + rotation_cell(x)
    return cell


@inline
def distances(x, frames, cell, weights, out):
    """Squared distance of the features ``x`` to every sample of a cell; that of rotations is sin^2(angle / 2)."""
    wp, wr = weights[0], weights[1]
    for k in range(frames.shape[2]):
        a, b, c = frames[cell, 0, k] - x[0], frames[cell, 1, k] - x[1], frames[cell, 2, k] - x[2]
        d = (
            frames[cell, 3, k] * x[3]
            + frames[cell, 4, k] * x[4]
            + frames[cell, 5, k] * x[5]
            + frames[cell, 6, k] * x[6]
        )
        out[k] = wp * (a * a + b * b + c * c) + wr * (f4(1) - d * d)


@kernel
def _sample(first, stop, start, joints, column, steps, lower, upper, out):
    """Features of samples ``first`` to ``stop``."""
    n, m = joints.shape[0], steps.shape[0]
    q = np.zeros((m, W))
    frame = np.zeros((12, W))
    axes = np.zeros((6 * n, W))
    for b in range(first, stop, W):
        for l in range(W):
            for c in range(m):
                q[c, l] = sequence(b + l, steps[c], lower[c], upper[c])
        frames(start, joints, column, q, frame, axes)
        for l in range(min(W, stop - b)):
            features(frame, l, out[b + l])


@kernel
def _nearest(first, stop, centres, turned, x, weight, frames, ids):
    """Fill the cells of places ``first`` to ``stop``: for each rotation, the K samples nearest to the centre."""
    size, rotations, keep = x.shape[0], turned.shape[0], ids.shape[1]
    place = np.empty(size, np.float32)
    near = np.empty(keep, np.float32)
    for p in range(first, stop):
        for s in range(size):
            a, b, c = x[s, 0] - centres[p, 0], x[s, 1] - centres[p, 1], x[s, 2] - centres[p, 2]
            place[s] = weight * (a * a + b * b + c * c)
        for r in range(rotations):
            cell = p * rotations + r
            near[:] = np.float32(np.inf)
            for s in range(size):
                d = place[s] + turned[r, s]
                if d < near[keep - 1]:
                    k = keep - 1
                    while k > 0 and near[k - 1] > d:
                        near[k] = near[k - 1]
                        ids[cell, k] = ids[cell, k - 1]
                        k -= 1
                    near[k] = d
                    ids[cell, k] = s
            for k in range(keep):
                for i in range(FEATURES):
                    frames[cell, i, k] = x[ids[cell, k], i]


def build_table(
    chain: Chain,
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
    position: bool = True,
    rotation: bool = True,
    samples: int = 16384,
    grid: int = 6,
    keep: int = 32,
    rotation_weight: float = 0.12,
) -> StartTable:
    """Sample the chain and keep, for every cell, the samples nearest to its centre.

    Args:
        chain: The chain.
        lower: (m,) finite lower bounds of the moving coordinates to sample within.
        upper: (m,) finite upper bounds.
        position: Whether the position of a target counts.
        rotation: Whether its rotation counts.
        samples: Number of samples.
        grid: Cells along each axis of position.
        keep: Samples kept in a cell.
        rotation_weight: Weight of sin^2 of half the angle against the squared distance in lengths of the chain.

    Returns:
        The table. The same arguments give the same table.
    """
    steps = roberts_steps(len(chain.moving))
    x = np.empty((samples, FEATURES), np.float32)
    run_chunks(
        lambda a, b: _sample(a, b, chain.start, chain.joints, chain.column, steps, lower, upper, x), samples, 2048
    )
    low, high = x[:, :3].min(axis=0), x[:, :3].max(axis=0)
    wide = (high - low > 1e-3) & position
    counts = np.where(wide, grid, 1)
    grid_array = np.zeros(GRID, np.float32)
    place = open_grid(grid_array)
    place.low[:], place.inverse[:] = low, np.where(wide, counts / np.maximum(high - low, 1e-3), 0.0)
    place.weights[:] = 1.0 if position else 0.0, rotation_weight if rotation else 0.0
    ticks = [low[i] + (np.arange(counts[i]) + 0.5) * (high[i] - low[i]) / counts[i] for i in range(3)]
    centres = np.stack(np.meshgrid(*ticks, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.float32)
    rotations = cube_rotations() if rotation else np.array([[0.0, 0.0, 0.0, 1.0]], np.float32)
    turned = np.ascontiguousarray(place.weights[1] * (1 - (rotations @ x[:, 3:].T) ** 2))
    cells = len(centres) * len(rotations)
    keep = min(keep, samples)
    table = StartTable(
        grid=grid_array,
        counts=np.array([*counts, len(rotations)], dtype=np.int64),
        frames=np.empty((cells, FEATURES, keep), np.float32),
        ids=np.zeros((cells, keep), np.int32),
        samples=samples,
    )
    run_chunks(
        lambda a, b: _nearest(a, b, centres, turned, x, place.weights[0], table.frames, table.ids), len(centres), 8
    )
    return table
