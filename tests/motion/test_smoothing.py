"""Gaps between solutions filled tick by tick, and steps made shorter."""

import torch

import diffkin as dk
from diffkin.motion.smoothing import filled, smoothed

DOUBLE = torch.float64


def circle(robot: dk.Robot, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Coordinates of a loop of small motions of all joints, and the tip's poses there."""
    time = torch.linspace(0.0, 2.0 * torch.pi, count, dtype=DOUBLE)[:, None]
    middle = 0.5 * (robot.lower + robot.upper) + 0.4
    q = middle + 0.3 * torch.sin(time + torch.arange(robot.dof, dtype=DOUBLE))
    return q, robot.forward_kinematics(q)


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
