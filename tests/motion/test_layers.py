"""Layers of solutions, and the best sequence through them against going through all."""

import itertools

import pytest
import torch

import diffkin as dk
from diffkin.motion import layers as module
from diffkin.motion.layers import best_way, layers_of, narrowest_step

DOUBLE = torch.float64


def circle(robot: dk.Robot, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Coordinates of a loop of small motions of all joints, and the tip's poses there."""
    time = torch.linspace(0.0, 2.0 * torch.pi, count, dtype=DOUBLE)[:, None]
    middle = 0.5 * (robot.lower + robot.upper) + 0.4
    q = middle + 0.3 * torch.sin(time + torch.arange(robot.dof, dtype=DOUBLE))
    return q, robot.forward_kinematics(q)


@pytest.mark.parametrize("by_kernel", [True, False])
def test_the_best_sequence_is_that_of_trying_all(by_kernel: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "kernels_apply", lambda q: by_kernel)
    layers = [torch.randn(k, 3, generator=torch.Generator().manual_seed(k), dtype=DOUBLE) for k in (2, 4, 3, 4)]
    weights = torch.tensor([1.0, 2.0, 0.5], dtype=DOUBLE)

    def steps(way: torch.Tensor) -> torch.Tensor:
        return (way[1:] - way[:-1]).abs().amax(-1)

    def total(way: torch.Tensor) -> float:
        return float(((way[1:] - way[:-1]).abs() * weights).amax(-1).sum())

    every = [torch.stack(rows) for rows in itertools.product(*(layer.unbind() for layer in layers))]
    way, largest = best_way(layers, weights)
    least = min(float(steps(each).max()) for each in every)
    assert largest == float(steps(way).max()) == least == narrowest_step(layers)
    assert narrowest_step(layers, least) == least and narrowest_step(layers, 0.99 * least) == torch.inf
    good = [each for each in every if float(steps(each).max()) <= least]
    assert total(way) == pytest.approx(min(total(each) for each in good))
    few, _ = best_way(layers, weights, most=1.5)
    assert int((steps(few) > 1.5).sum()) == min(int((steps(each) > 1.5).sum()) for each in every)
    loose, _ = best_way(layers, weights, slack=100.0)
    assert total(loose) == pytest.approx(min(total(each) for each in every))
    cost = [0.5 * layer.square().sum(-1) for layer in layers]
    cheap, _ = best_way(layers, weights, slack=100.0, extra=cost)

    def price(way: torch.Tensor) -> float:
        return total(way) + 0.5 * float(way.square().sum())

    assert price(cheap) == pytest.approx(min(price(each) for each in every))
    one, none = best_way(layers[:1], weights)
    assert len(one) == 1 and none == 0.0


def test_layers_hold_solutions_within_limits_and_join_up() -> None:
    robot = dk.load_robot("kuka_iiwa")
    q, T = circle(robot, 41)
    ticks = torch.arange(0, 41, 10)
    layers = layers_of(robot, lambda rows: T[rows], ticks, q[:1], q[-1:], seed=3)
    assert torch.equal(layers[0], q[:1]) and torch.equal(layers[-1], q[-1:])
    for layer, tick in zip(layers, ticks.tolist(), strict=True):
        reached = robot.forward_kinematics(layer)
        torch.testing.assert_close(reached, T[tick].expand_as(reached), atol=2e-6, rtol=0.0)
        assert bool(((layer >= robot.lower) & (layer <= robot.upper)).all())
    assert min(len(layer) for layer in layers[1:-1]) > 100
    _, largest = best_way(layers, torch.ones(7, dtype=DOUBLE))
    assert largest < 1.0  # from 2 to 3 where branches do not meet
