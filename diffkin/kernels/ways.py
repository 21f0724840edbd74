"""The cheapest way through layers of points, one point of each, by dynamic programming over the pairs that are near."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffkin.kernels.compiled import kernel
from diffkin.kernels.vectors.strict import W, load, maximum, select, splat, store

__all__ = ["JUMP", "cheapest_way"]

JUMP = 1e6
"""What a step beyond ``jump`` costs, beside its length."""

_NEAR, _FAR = 0.1, 10.0

Floats = NDArray[np.float64]


@kernel
def _walk(q, weights, key, near, bounds, extra, reach, jump, summed, cost, back):
    """Cost of the best way to every point, and where it comes from; arguments as below, points of a layer sorted by the
    coordinate ``key``: those farther away in it than ``near`` are not looked at.
    """
    dof = q.shape[1]
    here, answer = np.empty((dof, W)), np.empty((2, W))
    for k in range(bounds[0], bounds[1]):
        cost[k] = extra[k] if summed else 0.0
    for layer in range(1, bounds.shape[0] - 1):
        low, middle, end = bounds[layer - 1], bounds[layer], bounds[layer + 1]
        for k in range(middle, end, W):
            lanes = min(W, end - k)
            for l in range(W):
                for c in range(dof):
                    here[c, l] = q[k + min(l, lanes - 1), c]
            least, greatest = q[k, key] - near, q[k + lanes - 1, key] + near
            while low < middle and q[low, key] < least:
                low += 1
            best, came = splat(np.inf), splat(-1.0)
            for j in range(low, middle):
                if q[j, key] > greatest:
                    break
                before = cost[j]
                if before == np.inf:
                    continue
                step, weighed = splat(0.0), splat(0.0)
                for c in range(dof):
                    e = load(here, c) - q[j, c]
                    e = maximum(e, -e)
                    step, weighed = maximum(step, e), maximum(weighed, weights[c] * e)
                if summed:
                    total = weighed + before + select(step > jump, JUMP, 0.0)
                else:
                    total = maximum(step, before)
                better = (step <= reach) & (total < best)
                best, came = select(better, total, best), select(better, float(j), came)
            store(answer, 0, best)
            store(answer, 1, came)
            for l in range(lanes):
                cost[k + l] = answer[0, l] + extra[k + l] if summed else answer[0, l]
                back[k + l] = int(answer[1, l])


def cheapest_way(
    q: Floats,
    bounds: NDArray[np.int64],
    weights: Floats,
    jump: float = np.inf,
    summed: bool = False,
    extra: Floats | None = None,
    reach: float = np.inf,
) -> tuple[NDArray[np.int64] | None, float]:
    """The way through all layers that costs least.

    Args:
        q: (n, dof) C-contiguous points of all layers, one layer after another; a step is as long as its largest
            coordinate.
        bounds: (layers + 1,) where each layer begins in ``q``, and n.
        weights: (dof,) factors on the coordinates of a step where it is summed.
        jump: Longer steps cost ``JUMP`` each, if summed.
        summed: Whether the cost is the sum of steps and of ``extra``; the largest step otherwise.
        extra: (n,) cost of each point, if summed; none if None.
        reach: Longer steps are not taken.

    Returns:
        (layers,) rows of ``q``, None if there is no way, and its cost.
    """
    key = int(np.ptp(q, axis=0).argmax())
    layer = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    order = np.lexsort((q[:, key], layer))
    points, given = q[order], np.zeros(len(q)) if extra is None else extra[order]
    cost, back = np.empty(len(q)), np.empty(len(q), np.int64)
    peak, rounding = float(np.abs(points[:, key]).max()), 1e-14
    last = slice(bounds[-2], bounds[-1])
    within = float(reach) if summed else min(float(reach), _NEAR)  # what is near is soon gone through
    while True:
        cost[:], back[:] = np.inf, -1
        near = within + rounding * (within + peak)
        _walk(points, weights, key, near, bounds, given, within, float(jump), summed, cost, back)
        if np.isfinite(cost[last]).any() or within >= reach:
            break
        within = min(reach, 3.0 * within if within < _FAR else np.inf)
    if not np.isfinite(cost[last]).any():
        return None, np.inf
    at = int(last.start + cost[last].argmin())
    least, way = float(cost[at]), [at]
    for _ in range(len(bounds) - 2):
        at = int(back[at])
        way.append(at)
    return order[way[::-1]], least
