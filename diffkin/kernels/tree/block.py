"""A block of problems, one a lane: how their numbers get from the caller's arrays to rows of lanes and back.

A batch is computed block by block. The last block overlaps the one before it; where there are fewer problems than
lanes, the one block is filled up with copies of the last problem, and what it gives is copied out in part.
"""

from __future__ import annotations

import math

from numpy.typing import NDArray

from diffkin.kernels.compiled import inline
from diffkin.kernels.vectors.lanes import (
    gather,
    gather4,
    load,
    scatter,
    scatter4,
    shifted,
    store,
    width,
)

__all__ = [
    "AXIS",
    "MATRIX",
    "MOTION",
    "POSE",
    "clipped",
    "in_lanes",
    "out_of_lanes",
    "padded",
    "spare",
    "strided",
    "unpad",
]

MATRIX = 16
"""Numbers of a pose (4, 4) in the caller's arrays."""

POSE, AXIS, MOTION = 12, 6, 2
"""Rows of lanes of a pose; of an axis and a point on it, or a force and a moment; of the motion of a node."""


def strided(array: NDArray | None, axes: int, none: NDArray) -> tuple[NDArray, int]:
    """What a kernel takes for an input that may be missing, shared or given for every problem.

    Args:
        array: None; (...) with ``axes`` axes, for all problems; or (batch, ...).
        axes: Axes of one problem's numbers.
        none: What to hand over in place of None.

    Returns:
        The array with a first axis, and the numbers from one problem to the next: 0 if shared, -1 if there are none.
    """
    if array is None:
        return none, -1
    return (array[None], 0) if array.ndim == axes else (array, math.prod(array.shape[1:]))


@inline
def spare(count, lanes):
    """Problems that scratch memory must hold because ``count`` problems do not fill the lanes; 0 if they do."""
    return lanes if count < lanes else 0


@inline
def padded(source, start, count, stride, lanes, space):
    """A pointer to the numbers of ``count`` problems from ``start`` on.

    Args:
        source: A pointer to the caller's array, ``stride`` numbers a problem.
        start: First problem.
        count: Number of problems.
        stride: 0 or less if there are no numbers for every problem: the pointer is then to those for all.
        lanes: Number of lanes.
        space: Filled and taken instead if the problems do not fill the lanes; ``spare`` problems large.
    """
    if stride <= 0:
        return source
    source = shifted(source, start * stride)
    if count >= lanes:
        return source
    for l in range(lanes):
        for i in range(stride):
            space[l * stride + i] = source[min(l, count - 1) * stride + i]
    return space


@inline
def clipped(target, start, count, stride, space):
    """A pointer to where results go: into the caller's array, or into ``space`` if they do not fill the lanes."""
    return shifted(target, start * stride) if count >= width(target) else space


@inline
def unpad(target, start, count, stride, space):
    """Copy the results that lie in ``space`` because they do not fill the lanes into the caller's array."""
    if count < width(target):
        target = shifted(target, start * stride)
        for k in range(count * stride):
            target[k] = space[k]


@inline
def in_lanes(source, offset, length, rows):
    """Read ``length`` numbers of each problem, one problem after another from ``offset`` on, into rows of lanes."""
    if length >= 4:
        for k in range(0, length, 4):
            i = min(k, length - 4)
            a, b, c, d = gather4(source, offset + i, length)
            store(rows, i, a)
            store(rows, i + 1, b)
            store(rows, i + 2, c)
            store(rows, i + 3, d)
    else:
        for i in range(length):
            store(rows, i, gather(source, offset + i, length))


@inline
def out_of_lanes(rows, length, target, offset):
    """Write ``length`` rows of lanes as the numbers of each problem, one problem after another from ``offset`` on."""
    if length >= 4:
        for k in range(0, length, 4):
            i = min(k, length - 4)
            a, b, c, d = load(rows, i), load(rows, i + 1), load(rows, i + 2), load(rows, i + 3)
            scatter4(target, offset + i, length, a, b, c, d)
    else:
        for i in range(length):
            scatter(target, offset + i, length, load(rows, i))
