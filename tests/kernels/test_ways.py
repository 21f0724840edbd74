"""Ways through layers of points, against SciPy's shortest paths and reachability in the same graph."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, shortest_path

from diffkin.kernels.ways import JUMP, cheapest_way

SIZES = (1, 7, 4, 13, 2, 9)


def layers(seed: int, dof: int = 3, sizes: tuple[int, ...] = SIZES) -> tuple[np.ndarray, np.ndarray]:
    """Points of some layers, and where each layer begins."""
    return np.random.default_rng(seed).standard_normal((sum(sizes), dof)), np.cumsum([0, *sizes])


def edges(q: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """(n, n) length of the step from a point to one of the next layer; infinite between others."""
    layer = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    step = np.abs(q[:, None] - q[None]).max(-1)
    return np.where(layer[None] == layer[:, None] + 1, step, np.inf)


def check_way(rows: np.ndarray, bounds: np.ndarray) -> None:
    assert len(rows) == len(bounds) - 1
    assert bool(((rows >= bounds[:-1]) & (rows < bounds[1:])).all())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("jump", [np.inf, 1.0])
def test_the_least_sum_is_that_of_the_shortest_path(seed: int, jump: float) -> None:
    q, bounds = layers(seed)
    extra, weights = np.random.default_rng(seed + 100).random(len(q)), np.array([1.0, 3.0, 0.2])
    step = edges(q, bounds)
    weight = edges(q * weights, bounds) + np.where(step > jump, JUMP, 0.0) + extra[None]
    graph = csr_array(np.where(np.isfinite(weight), weight, 0.0))
    least = shortest_path(graph, indices=[0])[0, bounds[-2] :].min() + extra[0]
    rows, cost = cheapest_way(q, bounds, weights, jump, summed=True, extra=extra)
    check_way(rows, bounds)
    assert cost == pytest.approx(least, rel=1e-12)
    assert extra[0] + weight[rows[:-1], rows[1:]].sum() == pytest.approx(cost, rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [0.1, 1.0, 1e3])
def test_no_smaller_largest_step_leads_through(seed: int, size: float) -> None:
    q, bounds = layers(seed)
    q = size * q
    step = edges(q, bounds)
    rows, cost = cheapest_way(q, bounds, np.ones(3))
    check_way(rows, bounds)
    assert cost == step[rows[:-1], rows[1:]].max()
    below = csr_array((step < cost).astype(float))
    reached = breadth_first_order(below, 0, return_predecessors=False)
    assert not set(reached.tolist()) & set(range(bounds[-2], bounds[-1]))
    again, _ = cheapest_way(q, bounds, np.ones(3), summed=True, reach=cost)
    assert step[again[:-1], again[1:]].max() == cost  # steps just within reach are taken
    assert cheapest_way(q, bounds, np.ones(3), reach=0.999 * cost)[0] is None


def test_a_layer_without_points_has_no_way() -> None:
    q, bounds = layers(0, sizes=(3, 0, 2))
    assert cheapest_way(q, bounds, np.ones(3)) == (None, np.inf)
    rows, cost = cheapest_way(q[:3], np.array([0, 3]), np.ones(3))
    assert len(rows) == 1 and cost == 0.0
