"""Where the solutions of a six-joint arm lie: the places of a grid over its inner joints that come nearest to the target.

The first joint turns everything about a line fixed in the base, the last one the frame about a line fixed in the frame.
Both are found in closed form for any values of the four joints between them, so that what is left of the search is the
surface of how near four angles come, over a torus. Every well of that surface is a start.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.compiled import inline
from diffkin.kernels.ik.chain import ANGLE, COS, DISTANCE, SHIFT_X, SHIFT_Y, SIN, TURN, Chain

__all__ = ["Torus", "build_torus", "has_torus", "wells"]

INNER = 4  # joints between the first and the last
ROWS = 7  # of Torus.places: origin and z axis of the last joint, half their squared length

_TICKS = 12
_WEIGHT = 0.25  # of the squared difference of axes against that of origins in lengths of the chain
f4 = np.float32


class Torus(NamedTuple):
    """Where the axis of the last joint lies as seen from the first, for every place of the grid.

    Attributes:
        ticks: (ticks,) angles of each inner joint, in units of its coordinate.
        places: (ROWS, ticks^4) origin and weighted axis, half the sum of their squares.
    """

    ticks: NDArray[np.float64]
    places: NDArray[np.float32]


def has_torus(chain: Chain) -> bool:
    """Whether a chain has six joints that turn, each by a coordinate of its own."""
    six = len(chain.joints) == len(chain.moving) == INNER + 2
    return six and bool((np.abs(chain.joints[:, TURN]) == 1.0).all())


def build_torus(chain: Chain) -> Torus:
    """The grid of a chain that ``has_torus``."""
    ticks = np.array((np.arange(_TICKS) + 0.5) * (2.0 * np.pi / _TICKS) - np.pi, np.float64)
    pose = _behind(chain.joints[0])[None]
    for joint in chain.joints[1 : 1 + INNER]:
        angle = joint[TURN] * ticks + joint[ANGLE]
        turn = np.zeros((_TICKS, 4, 4))
        turn[:, 0, 0], turn[:, 1, 1] = np.cos(angle), np.cos(angle)
        turn[:, 1, 0], turn[:, 0, 1] = np.sin(angle), -np.sin(angle)
        turn[:, 2, 2] = turn[:, 3, 3] = 1.0
        pose = (pose[:, None] @ (turn @ _behind(joint))).reshape(-1, 4, 4)
    places = np.empty((ROWS, len(pose)), np.float32)
    places[:3] = pose[:, :3, 3].T
    places[3:6] = np.sqrt(_WEIGHT) * pose[:, :3, 2].T
    places[6] = 0.5 * (places[:6].astype(np.float64) ** 2).sum(0)
    return Torus(ticks, places)


def _behind(joint: NDArray[np.float64]) -> NDArray[np.float64]:
    """The constant transform (4, 4) that follows a joint."""
    c, s = joint[COS], joint[SIN]
    return np.array(
        [
            [1.0, 0.0, 0.0, joint[SHIFT_X]],
            [0.0, c, -s, joint[SHIFT_Y]],
            [0.0, s, c, joint[DISTANCE]],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )


@inline
def seen_from_first(start, joints, target, l, out):
    """Frame (12,) in which the last joint ends, in that of the first: both turns about z are left to do."""
    c, s, last = joints[5, COS], joints[5, SIN], joints[5]
    for i in range(3):
        x, y, z = target[i, l], target[3 + i, l], target[6 + i, l]
        u, v = c * y - s * z, s * y + c * z
        out[12 + i], out[15 + i], out[18 + i] = x, u, v
        out[21 + i] = target[9 + i, l] - last[SHIFT_X] * x - last[SHIFT_Y] * u - last[DISTANCE] * v - start[9 + i]
    for k in range(4):
        for i in range(3):
            out[3 * k + i] = (
                start[3 * i] * out[12 + 3 * k] + start[3 * i + 1] * out[13 + 3 * k] + start[3 * i + 2] * out[14 + 3 * k]
            )


@inline
def wells(start, joints, ticks, places, target, l, way, most, beyond, far, out):
    """Coordinates of the wells over the grid, the deepest first, for the target in lane ``l``.

    Args:
        start, joints: Of the chain.
        ticks, places: The ``Torus``.
        target: (12, W) columns x, y, z and the origin, in the chain's terms.
        l: The lane.
        way: (places,) float32 memory.
        most: At most so many.
        beyond: Squared distance above which no well is looked for.
        far: (24 + most) memory.
        out: (most, 6) coordinates.

    Returns:
        How many there are.
    """
    seen_from_first(start, joints, target, l, far)
    weight = np.sqrt(_WEIGHT)
    x, y, z = f4(far[9]), f4(far[10]), f4(far[11])
    a, b, c = f4(weight * far[6]), f4(weight * far[7]), f4(weight * far[8])
    own = f4(0.5) * (x * x + y * y + z * z + a * a + b * b + c * c)
    n = ticks.shape[0]
    p, found = places, 0
    limit = f4(0.5 * beyond)
    p0, p1, p2, a0, a1, a2, half = places[0], places[1], places[2], places[3], places[4], places[5], places[6]
    for s in range(way.shape[0]):
        u = p0[s] * x + p1[s] * y + a0[s] * a + a1[s] * b
        v = p0[s] * y - p1[s] * x + a0[s] * b - a1[s] * a
        way[s] = half[s] + own - (p2[s] * z + a2[s] * c) - np.sqrt(u * u + v * v)
    depth = far[24:]
    for row in range(n * n * n):
        near, line = 0, way[row * n : row * n + n]
        for m in range(n):
            near += line[m] < limit
        if near == 0:
            continue
        i, j, k = row // (n * n), row // n % n, row % n
        up_i, down_i = ((i + 1) % n - i) * n * n * n, ((i + n - 1) % n - i) * n * n * n
        up_j, down_j = ((j + 1) % n - j) * n * n, ((j + n - 1) % n - j) * n * n
        up_k, down_k = ((k + 1) % n - k) * n, ((k + n - 1) % n - k) * n
        for m in range(n):
            s = row * n + m
            w = way[s]
            if not w < limit:
                continue
            if w > way[row * n + (m + 1) % n] or w > way[row * n + (m + n - 1) % n]:
                continue
            if w > way[s + up_k] or w > way[s + down_k] or w > way[s + up_j] or w > way[s + down_j]:
                continue
            if w > way[s + up_i] or w > way[s + down_i]:
                continue
            at = found
            if found == most:
                if not w < depth[most - 1]:
                    continue
                at = most - 1
            while at > 0 and depth[at - 1] > w:
                depth[at] = depth[at - 1]
                for r in range(6):
                    out[at, r] = out[at - 1, r]
                at -= 1
            depth[at] = w
            out[at, 1], out[at, 2], out[at, 3], out[at, 4] = ticks[i], ticks[j], ticks[k], ticks[m]
            out[at, 0] = s
            found = min(found + 1, most)
    for r in range(found):
        s = np.int64(out[r, 0])
        u = p[0, s] * x + p[1, s] * y + p[3, s] * a + p[4, s] * b
        v = p[0, s] * y - p[1, s] * x + p[3, s] * b - p[4, s] * a
        first = np.arctan2(v, u)
        out[r, 0] = (first - joints[0, ANGLE]) * joints[0, TURN]
        out[r, 5] = (_last_turn(joints, first, far, out[r]) - joints[5, ANGLE]) * joints[5, TURN]
    return found


@inline
def _last_turn(joints, first, goal, q):
    """The turn about the last axis that brings the frame nearest to the goal, the others being given."""
    x0, x1, x2 = goal[0], goal[1], goal[2]
    y0, y1, y2 = goal[3], goal[4], goal[5]
    angle = first
    for j in range(5):
        if j > 0:
            angle = joints[j, TURN] * q[j] + joints[j, ANGLE]
        c, s, ca, sa = np.cos(angle), np.sin(angle), joints[j, COS], joints[j, SIN]
        x0, x1 = c * x0 + s * x1, c * x1 - s * x0
        y0, y1 = c * y0 + s * y1, c * y1 - s * y0
        x1, x2 = ca * x1 + sa * x2, ca * x2 - sa * x1
        y1, y2 = ca * y1 + sa * y2, ca * y2 - sa * y1
    sine, cosine = x1 - y0, x0 + y1
    return np.arctan2(sine, cosine)
