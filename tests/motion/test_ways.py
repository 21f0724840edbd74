"""Ways along paths of an arm whose solutions are known: two turns of a planar arm, and a redundant arm's self-motion."""

from __future__ import annotations

import torch

import diffkin as dk
from diffkin.ik import PoseTask
from diffkin.ik.problem import make_problem
from diffkin.motion.goal import ENOUGH, Goal, largest_step
from diffkin.motion.ways import chosen_way, followed_way, straightened

DOUBLE = torch.float64


def goal_of(name: str, q: torch.Tensor, closed: bool = False) -> Goal:
    """The path of a motion."""
    robot = dk.load_robot(name)
    T = robot.forward_kinematics(q)
    if closed:
        T[-1] = T[0]
    problem = make_problem(robot, [PoseTask(None, T)], T.shape[:1], torch.ones(robot.dof, dtype=torch.bool))
    return Goal(robot, problem, T, len(q), torch.ones(robot.dof, dtype=DOUBLE), 0.0, closed, 0)


def swing(count: int) -> torch.Tensor:
    """(count, 7) a closed motion of an iiwa."""
    time = torch.linspace(0.0, 2.0 * torch.pi, count, dtype=DOUBLE)[:, None]
    middle = torch.tensor([0.2, 0.5, -0.3, -1.2, 0.4, 0.8, 0.1], dtype=DOUBLE)
    return middle + 0.4 * torch.sin(time + torch.arange(7, dtype=DOUBLE))


def meets(goal: Goal, q: torch.Tensor) -> bool:
    assert goal.poses is not None
    return bool(torch.allclose(goal.robot.forward_kinematics(q), goal.poses, rtol=0.0, atol=2e-6))


def test_following_takes_the_start_with_the_smaller_largest_step() -> None:
    q = torch.linspace(0.0, 1.0, 60, dtype=DOUBLE)[:, None] * torch.tensor([1.2, 0.9], dtype=DOUBLE)
    q = q + torch.tensor([0.3, 0.4], dtype=DOUBLE)
    goal = goal_of("planar_2r", q)
    sides = torch.stack((q[0], q[0] * torch.tensor([1.0, -1.0])))  # the elbow on either side
    sides = dk.solve_ik(goal.robot, goal.poses[:1].expand(2, 4, 4), q0=sides, max_restarts=0).q
    way = followed_way(goal, sides)
    assert way is not None and meets(goal, way)
    torch.testing.assert_close(way, q, atol=1e-5, rtol=0.0)


def test_following_fails_where_a_limit_is_in_the_way() -> None:
    q = torch.stack((torch.linspace(0.3, 1.5, 60), torch.linspace(0.4, 1.3, 60)), dim=-1).double()
    goal = goal_of("planar_2r", q)
    upper = goal.robot.upper.clone()
    upper[1] = 0.8
    cut = goal.robot.replace(upper=upper)
    short = Goal(cut, goal.problem, goal.poses, 60, goal.weights, 0.0, False, 0)
    assert followed_way(short, q[:1]) is None


def test_straightening_takes_out_a_wave_of_self_motion() -> None:
    q = swing(121)
    goal = goal_of("kuka_iiwa", q)
    null = torch.linalg.svd(goal.robot.jacobian(q), full_matrices=True)[2][:, -1]
    null = null * torch.sign((null * null[0]).sum(-1, keepdim=True))
    wave = 0.1 * torch.sin(torch.linspace(0.0, 12.0 * torch.pi, 121, dtype=DOUBLE))[:, None]
    rough = dk.solve_ik(goal.robot, goal.poses, q0=q + wave * null, max_restarts=0)
    assert bool(rough.success.all())
    smooth = straightened(goal, rough.q)
    assert meets(goal, smooth)
    assert torch.equal(smooth[[0, -1]], rough.q[[0, -1]])
    assert largest_step(smooth) < 0.7 * largest_step(rough.q)


def test_layers_find_a_way_round_what_following_runs_into() -> None:
    q = swing(121)
    goal = goal_of("kuka_iiwa", q)
    start = dk.solve_ik(goal.robot, goal.poses[0], q0=q[0] + torch.tensor([1.4, 0, -1.4, 0, 1.4, 0, 0]).double()).q
    bad = q.clone()
    bad[:60] = dk.solve_ik(goal.robot, goal.poses[:60], q0=start.expand(60, 7), max_restarts=0).q  # a jump at 59
    way = chosen_way(goal, start[None], bad, fewest=False, effort=1)
    assert way is not None and meets(goal, way)
    torch.testing.assert_close(way[0], start, atol=1e-6, rtol=0.0)
    assert largest_step(way) < 0.2 * largest_step(bad)


def test_a_closed_way_ends_where_it_began() -> None:
    goal = goal_of("kuka_iiwa", swing(81), closed=True)
    firsts = dk.ik.solve_all(goal.robot, goal.poses[0], max_solutions=6).q
    way = chosen_way(goal, firsts, None, fewest=False, effort=1)
    assert way is not None and meets(goal, way) and torch.equal(way[0], way[-1])
    assert largest_step(way) <= ENOUGH * goal.asked(way)
