"""Layers of solutions: the best sequence against going through all, gaps filled, and steps made shorter."""

import itertools

import torch

import diffkin as dk
from diffkin.motion.layers import best_way, filled, layers_of, smoothed

DOUBLE = torch.float64


def circle(robot: dk.Robot, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Coordinates of a loop of small motions of all joints, and the tip's poses there."""
    time = torch.linspace(0.0, 2.0 * torch.pi, count, dtype=DOUBLE)[:, None]
    middle = 0.5 * (robot.lower + robot.upper) + 0.4
    q = middle + 0.3 * torch.sin(time + torch.arange(robot.dof, dtype=DOUBLE))
    return q, robot.forward_kinematics(q)


def test_the_best_sequence_is_that_of_trying_all() -> None:
    layers = [torch.randn(k, 3, generator=torch.Generator().manual_seed(k), dtype=DOUBLE) for k in (2, 4, 3, 4)]
    weights = torch.tensor([1.0, 2.0, 0.5], dtype=DOUBLE)

    def steps(way: torch.Tensor) -> torch.Tensor:
        return ((way[1:] - way[:-1]).abs() * weights).amax(-1)

    every = [torch.stack(rows) for rows in itertools.product(*(layer.unbind() for layer in layers))]
    way, largest = best_way(layers, weights)
    assert abs(largest - min(float(steps(each).max()) for each in every)) < 0.01 * largest
    assert largest == float(steps(way).max())
    few, _ = best_way(layers, weights, most=1.5)
    assert int((steps(few) > 1.5).sum()) == min(int((steps(each) > 1.5).sum()) for each in every)


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


def test_every_tick_is_filled_and_smoothing_shortens_what_is_rough() -> None:
    robot = dk.load_robot("franka_panda")
    q, T = circle(robot, 61)
    ticks = torch.tensor([0, 20, 40, 60])
    whole, good = filled(robot, lambda rows: T[rows], ticks, q[ticks], 61, torch.zeros(3, dtype=torch.bool))
    assert bool(good.all())
    torch.testing.assert_close(robot.forward_kinematics(whole), T, atol=2e-6, rtol=0.0)
    rough = dk.solve_ik(robot, T, q0=whole + 0.05 * torch.randn(61, 7, generator=torch.Generator().manual_seed(1)))
    fixed = torch.zeros(61, dtype=torch.bool)
    fixed[0] = fixed[-1] = fixed[30] = True
    smooth = smoothed(robot, lambda rows: T[rows], rough.q, fixed)
    assert torch.equal(smooth[fixed], rough.q[fixed])
    torch.testing.assert_close(robot.forward_kinematics(smooth), T, atol=2e-6, rtol=0.0)
    assert float(smooth.diff(dim=0).abs().max()) < float(rough.q.diff(dim=0).abs().max())
    ways = [float(each.diff(dim=0).abs().sum()) for each in (q, smooth, rough.q)]
    assert ways[1] - ways[0] < 0.5 * (ways[2] - ways[0])


def test_a_break_is_followed_from_before_and_not_crossed() -> None:
    robot = dk.load_robot("franka_panda")
    q, T = circle(robot, 21)
    other = dk.solve_ik(robot, T[20], q0=q[20] + torch.tensor([0.8, 0, -0.8, 0, 0.8, 0, 0], dtype=DOUBLE)).q
    ticks = torch.tensor([0, 20])
    whole, good = filled(robot, lambda r: T[r], ticks, torch.stack((q[0], other)), 21, torch.tensor([True]))
    assert bool(good.all())
    steps = whole.diff(dim=0).abs().amax(-1)
    assert int(steps.argmax()) == 19 and float(steps[:19].max()) < 0.2 * float(steps[19])
