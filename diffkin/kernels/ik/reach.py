"""How near and how far the two ends of a chain can be: a proof that some targets cannot be reached. Plain NumPy.

A point on the axis of a joint does not move when that joint turns. So take one point on every axis: neighbours stay as
far apart as they are, whatever the coordinates, and the first point is fixed in the base, the last in the frame. Where
the frame shall be says where the last point is, and by the triangle inequality it is no farther from the first than all
those lengths together. The lengths are at their least where the points are chosen well: for an arm with a spherical
shoulder and wrist they are upper arm and forearm. Three neighbours form a triangle whose third side depends on
the middle joint alone, so that its limits say more.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.ik.chain import ANGLE, COS, DISTANCE, SHIFT_X, SHIFT_Y, SIN, SLIDE, TURN, Chain

__all__ = ["Span", "in_link_axes", "span"]

Floats = NDArray[np.float64]

_ROUNDS = 50  # of reweighting; any points make a proof, the best ones the strongest
_SMOOTH = 1e-8  # length below which a distance counts as a square, in the last rounds
_RIDGE = 1e-13  # share of the normal equations that is added, so that parallel axes leave nothing open
_FAVOUR = 0.5  # weight of the lengths on both sides of a joint whose triangle is to be large


class Span(NamedTuple):
    """A point of the base and one of the frame that are never nearer than ``least`` nor farther than ``most``."""

    base: Floats  # (3,) in units of the chain's length
    frame: Floats  # (3,) likewise, in the axes of the chain's end
    least: float  # in units of the chain's length
    most: float


class _Links(NamedTuple):
    """What lies between n neighbours: their offset is ``constant + slope @ t`` for points ``t`` along the axes."""

    constant: Floats  # (n, 3)
    slope: Floats  # (n, 3, axes)
    slack: Floats  # (n, 2) range of what is added along z, of joints that slide


def span(chain: Chain, lower: Floats, upper: Floats, rigid: bool) -> Span:
    """How near and far the ends of a chain can be.

    Args:
        chain: The chain, of at least one joint.
        lower: (m,) limits of its coordinates, -inf where there are none.
        upper: (m,) inf where there are none.
        rigid: Whether the frame's rotation is given with a target, so that the last axis is known; else the second point
            is the frame's origin.

    Returns:
        The span; ``most`` is infinite where a slide has no limit.
    """
    joints = chain.joints
    count = len(joints)
    low, high = _ranges(chain, lower, upper)
    turns = joints[:, SLIDE] == 0.0
    last = count - 1 if rigid and turns[-1] else count  # number of offsets between neighbours
    links = _links(joints, np.where(turns, 0.0, low), np.where(turns, 0.0, high), last)
    t = _points(links, np.ones((1, last)), np.zeros(count), np.ones(count, bool))[0]
    free = np.ones(count, bool)
    free[0] = False  # the first point is the base's, and the last the frame's: these are chosen
    free[-1] &= last == count
    middles = np.arange(1, last)
    weights = np.ones((last, last))  # points that serve a joint in the middle well, and points that serve none of them
    weights[middles, middles - 1] = weights[middles, middles] = _FAVOUR
    sides = [_sides(joints, links, points, turns, low, high) for points in _points(links, weights, t, free)]
    z, origin = chain.start[6:9], chain.start[9:12]
    frame = _seen(joints[-1], t[-1]) if last < count else np.zeros(3)
    least, most = max((side[0] for side in sides), default=0.0), min((side[1] for side in sides), default=0.0)
    return Span(origin + t[0] * z, frame, max(least, 0.0), most)


def in_link_axes(chain: Chain, point: Floats) -> Floats:
    """A point (3,) of a frame from the axes of the chain's end to its own."""
    c, s = chain.last
    return np.array([c * point[0] + s * point[1], c * point[1] - s * point[0], point[2]])


def _ranges(chain: Chain, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """(n,) least and greatest of what every joint turns by or slides by."""
    joints, column = chain.joints, chain.column
    turns = joints[:, SLIDE] == 0.0
    factor = np.where(turns, joints[:, TURN], joints[:, SLIDE])
    with np.errstate(invalid="ignore"):
        ends = np.stack([factor * lower[column], factor * upper[column]])
    ends = np.where(np.isnan(ends), 0.0, ends)  # a joint that does not move, without limits
    shift = np.where(turns, joints[:, ANGLE], 0.0)
    return ends.min(0) + shift, ends.max(0) + shift


def _links(joints: Floats, low: Floats, high: Floats, last: int) -> _Links:
    count = len(joints)
    slope = np.zeros((last, 3, count))
    for k in range(last):
        slope[k, 2, k] = -1.0
        if k + 1 < count:
            slope[k, 1, k + 1], slope[k, 2, k + 1] = -joints[k, SIN], joints[k, COS]
    return _Links(joints[:last, [SHIFT_X, SHIFT_Y, DISTANCE]], slope, np.stack([low, high], axis=-1)[:last])


def _points(links: _Links, weights: Floats, start: Floats, free: NDArray[np.bool_]) -> Floats:
    """(k, axes) where along the axes the points lie that make k weighted sums of the lengths about least.

    By least squares whose weights are one over the lengths (Weiszfeld 1937).

    Args:
        links: What lies between the points.
        weights: (k, n) of the lengths.
        start: (axes,) where those stay that are not free.
        free: (axes,) which may be moved.
    """
    middle = np.where(np.isfinite(links.slack), links.slack, 0.0).mean(-1)
    constant = links.constant + links.slope @ np.where(free, 0.0, start) + middle[:, None] * np.array([0.0, 0.0, 1.0])
    slope = links.slope * free
    t = np.zeros((len(weights), len(start)))
    for turn in range(_ROUNDS):
        offsets = constant + np.einsum("nia,ka->kni", slope, t)
        smooth = max(10.0 ** (-0.2 * turn), _SMOOTH)
        heavy = weights / np.sqrt(np.square(offsets).sum(-1) + smooth**2)
        matrix = np.einsum("kn,nia,nib->kab", heavy, slope, slope)
        side = np.einsum("kn,nia,ni->ka", heavy, slope, constant)
        ridge = _RIDGE * (1.0 + np.trace(matrix, axis1=1, axis2=2))[:, None, None] * np.eye(len(start))
        matrix += ridge + ~free * np.eye(len(start))
        t = -np.linalg.solve(matrix, side[..., None])[..., 0]
    return np.where(free, t, start)


def _sides(
    joints: Floats, links: _Links, t: Floats, turns: NDArray[np.bool_], low: Floats, high: Floats
) -> tuple[float, float]:
    """Least and greatest distance of the first and the last of some points on the axes."""
    last = len(links.constant)
    offsets = links.constant + links.slope @ t
    across, along = np.hypot(offsets[:, 0], offsets[:, 1]), offsets[:, 2:] + links.slack
    longest = np.hypot(across, np.abs(along).max(-1))
    shortest = np.hypot(across, np.where((along[:, 0] <= 0) & (along[:, 1] >= 0), 0.0, np.abs(along).min(-1)))
    spans = [(k, k + 1, float(shortest[k]), float(longest[k])) for k in range(last)]
    for k in range(1, last):
        if turns[k - 1] and turns[k]:
            spans.append((k - 1, k + 1, *_third_side(joints, t, k, offsets[k], low[k], high[k])))
    to = _most_to(spans, last)
    onward = _most_to([(last - b, last - a, least, most) for a, b, least, most in spans], last)[::-1]
    return max((near - to[a] - onward[b] for a, b, near, _ in spans), default=0.0), to[last]


def _third_side(joints: Floats, t: Floats, k: int, onward: Floats, low: float, high: float) -> tuple[float, float]:
    """Least and greatest distance of the points before and after that of joint ``k``, that turns from low to high."""
    before = _seen(joints[k - 1], t[k - 1])
    after = onward + np.array([0.0, 0.0, t[k]])
    radii = math.hypot(before[0], before[1]), math.hypot(after[0], after[1])
    apart = math.atan2(after[1], after[0]) - math.atan2(before[1], before[0])
    square = (before[2] - after[2]) ** 2 + radii[0] ** 2 + radii[1] ** 2
    nearest, farthest = _cosines(low + apart, high + apart)
    product = 2.0 * radii[0] * radii[1]
    return math.sqrt(max(square - product * farthest, 0.0)), math.sqrt(max(square - product * nearest, 0.0))


def _seen(joint: Floats, t: float) -> Floats:
    """The point at ``t`` on the axis of a joint that turns, in the frame that the joint moves."""
    x, y, z = -joint[SHIFT_X], -joint[SHIFT_Y], t - joint[DISTANCE]
    return np.array([x, joint[COS] * y + joint[SIN] * z, joint[COS] * z - joint[SIN] * y])


def _cosines(low: float, high: float) -> tuple[float, float]:
    """Least and greatest cosine between two angles."""
    if not high - low < 2.0 * math.pi:
        return -1.0, 1.0
    ends = math.cos(low), math.cos(high)
    turns = math.floor(high / (2.0 * math.pi)) > math.floor(low / (2.0 * math.pi))
    half = math.floor(high / (2.0 * math.pi) - 0.5) > math.floor(low / (2.0 * math.pi) - 0.5)
    return -1.0 if half else min(ends), 1.0 if turns else max(ends)


def _most_to(spans: list[tuple[int, int, float, float]], last: int) -> list[float]:
    """The greatest distance of every point from the first: the least sum of spans that lead there."""
    to = [0.0] + [math.inf] * last
    for end in range(1, last + 1):
        to[end] = min(to[a] + most for a, b, _, most in spans if b == end)
    return to
