"""The choice of solutions against going through all whole turns, and against what a spread must be."""

import itertools
import math

import pytest
import torch

from diffkin.ik.solutions.choice import MOST_FINITE, choose_solutions

DOUBLE = torch.float64
TURN = 2.0 * math.pi


@pytest.mark.parametrize("most", [1, 5, 1000])
def test_the_nearest_whole_turns_are_those_of_trying_all(most: int) -> None:
    generator = torch.Generator().manual_seed(1)
    lower, upper = (
        torch.tensor([-7.0, -3.0, -9.0, -0.5], dtype=DOUBLE),
        torch.tensor([8.0, 12.0, 1.0, 0.5], dtype=DOUBLE),
    )
    turns = torch.tensor([True, True, True, False])
    weights = torch.tensor([1.0, 0.3, 2.0, 1.0], dtype=DOUBLE)
    q = TURN * (torch.rand(6, 3, 4, generator=generator, dtype=DOUBLE) - 0.5)
    near = lower + torch.rand(6, 4, generator=generator, dtype=DOUBLE) * (upper - lower)
    count = torch.tensor([3, 2, 1, 3, 0, 3])
    found, number = choose_solutions(q, count, near, lower, upper, turns, most, weights)
    for k in range(6):
        every = []
        for row in q[k, : count[k]].tolist():
            choices = [
                [a + m * TURN for m in range(-4, 5)] if turn else [a] for a, turn in zip(row, turns, strict=True)
            ]
            every += [
                x
                for x in itertools.product(*choices)
                if all(lower <= torch.tensor(x)) and all(upper >= torch.tensor(x))
            ]
        distances = sorted(float((weights * (torch.tensor(x, dtype=DOUBLE) - near[k]).square()).sum()) for x in every)
        mine = (weights * (found[k, : number[k]] - near[k]).square()).sum(-1)
        assert int(number[k]) == min(most, len(every))
        torch.testing.assert_close(mine, torch.tensor(distances[:most], dtype=DOUBLE))


def test_joints_without_limits_take_the_nearest_turn_and_half_open_ones_some() -> None:
    q = torch.tensor([[[0.5, 0.5]]], dtype=DOUBLE)
    near = torch.tensor([[20.0, 7.0]], dtype=DOUBLE)
    lower = torch.tensor([-torch.inf, 0.0], dtype=DOUBLE)
    turns, weights = torch.tensor([True, True]), torch.ones(2, dtype=DOUBLE)
    found, number = choose_solutions(q, torch.tensor([1]), near, lower, lower.abs() + torch.inf, turns, 3, weights)
    assert int(number) == 3
    torch.testing.assert_close(found[0, :, 0], torch.full((3,), 0.5 + 3.0 * TURN, dtype=DOUBLE))
    torch.testing.assert_close(found[0, :, 1], 0.5 + TURN * torch.tensor([1.0, 2.0, 0.0], dtype=DOUBLE))


def test_many_are_thinned_to_a_spread_with_the_nearest() -> None:
    line = torch.linspace(0.0, 1.0, 101, dtype=DOUBLE)[:, None].expand(101, 2)
    assert len(line) > MOST_FINITE
    bound = torch.full((2,), 2.0, dtype=DOUBLE)
    near = torch.tensor([[0.0, 0.0]], dtype=DOUBLE)
    turns, weights = torch.tensor([False, False]), torch.ones(2, dtype=DOUBLE)
    found, number = choose_solutions(line[None], torch.tensor([101]), near, -bound, bound, turns, 5, weights)
    assert int(number) == 5
    torch.testing.assert_close(
        found[0, :, 0], torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0], dtype=DOUBLE), atol=0.011, rtol=0.0
    )
    tight, fewer = choose_solutions(
        line[None], torch.tensor([101]), near, -bound, 0.03 * bound / 2.0, turns, 5, weights
    )
    assert int(fewer) == 4 and float(tight[0, :4].max()) <= 0.03
