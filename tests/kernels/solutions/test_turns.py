"""The order of whole turns against trying all of them."""

import itertools
import math

import numpy as np
import pytest

from diffkin.kernels.solutions.turns import order_turns

TURN = 2.0 * math.pi
LOWER, UPPER = np.array([-7.0, -3.0, -9.0, -0.5]), np.array([8.0, 12.0, 1.0, 0.5])
TURNS = np.array([True, True, True, False])
WEIGHTS = np.array([1.0, 0.3, 2.0, 1.0])


def every_turn(rows: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Squared distances of all representations within the limits, rising."""
    found = []
    for row in rows:
        choices = [[a + k * TURN for k in range(-4, 5)] if turn else [a] for a, turn in zip(row, TURNS, strict=True)]
        found += [x for x in itertools.product(*choices) if (x >= LOWER).all() and (x <= UPPER).all()]
    return np.sort([(WEIGHTS * (np.array(x) - near) ** 2).sum() for x in found])


@pytest.mark.parametrize("most", [1, 5, 1000])
def test_the_nearest_are_those_of_trying_all(most: int) -> None:
    random = np.random.default_rng(1)
    q, near = TURN * (random.random((6, 3, 4)) - 0.5), LOWER + random.random((6, 4)) * (UPPER - LOWER)
    count = np.array([3, 2, 1, 3, 0, 3])
    found, number = order_turns(q, count, near, LOWER, UPPER, TURNS, WEIGHTS, most)
    assert found.shape[1] <= 3 * 3 * 3 * 2  # no more room than there are representations
    for k in range(6):
        expected = every_turn(q[k, : count[k]], near[k])
        mine = (WEIGHTS * (found[k, : number[k]] - near[k]) ** 2).sum(-1)
        assert number[k] == min(most, len(expected))
        np.testing.assert_allclose(mine, expected[:most], atol=1e-12)
        assert ((found[k, : number[k]] >= LOWER - 1e-8) & (found[k, : number[k]] <= UPPER + 1e-8)).all()


def test_without_limits_one_turn_and_without_one_of_them_many() -> None:
    q, near = np.array([[[0.5, 0.5]]]), np.array([[20.0, 7.0]])
    lower, upper = np.array([-np.inf, 0.0]), np.array([np.inf, np.inf])
    found, number = order_turns(q, np.array([1]), near, lower, upper, np.array([True, True]), np.ones(2), 3)
    assert number.tolist() == [3]
    np.testing.assert_allclose(found[0, :, 0], 0.5 + 3.0 * TURN)
    np.testing.assert_allclose(found[0, :, 1], 0.5 + TURN * np.array([1.0, 2.0, 0.0]))


def test_what_is_on_a_limit_counts_and_what_is_beyond_does_not() -> None:
    q = np.array([[[math.pi, 0.1], [0.5, 0.3], [0.5, 0.2 + 5e-9]]])
    lower, upper = np.array([-math.pi, -0.2]), np.array([math.pi, 0.2])
    found, number = order_turns(
        q, np.array([3]), np.zeros((1, 2)), lower, upper, np.array([True, False]), np.ones(2), 8
    )
    assert number.tolist() == [3]  # pi is -pi as well, 0.3 is beyond, 0.2 is on the limit but for rounding
    np.testing.assert_allclose(np.sort(found[0, :3, 0]), [-math.pi, 0.5, math.pi])
