"""All solutions against closed forms: EAIK for six joints, planar arms by hand, turns by going through all of them."""

import itertools
import math

import numpy as np
import pytest
import torch

import diffkin as dk
from diffkin.errors import NonFiniteError, OptionError, ShapeError
from diffkin.ik import PositionTask, solve_all

TURN = 2.0 * math.pi
UR5 = [
    [0.0, math.pi / 2, 0.089159, 0.0], [-0.425, 0.0, 0.0, 0.0], [-0.39225, 0.0, 0.0, 0.0],
    [0.0, math.pi / 2, 0.10915, 0.0], [0.0, -math.pi / 2, 0.09465, 0.0], [0.0, 0.0, 0.0823, 0.0],
]  # fmt: skip
PUMA = [
    [0.0, math.pi / 2, 0.67, 0.0], [0.4318, 0.0, 0.0, 0.0], [0.0203, -math.pi / 2, 0.15005, 0.0],
    [0.0, math.pi / 2, 0.4318, 0.0], [0.0, -math.pi / 2, 0.0, 0.0], [0.0, 0.0, 0.2, 0.0],
]  # fmt: skip


def arm(rows: list[list[float]], limit: float) -> dk.Robot:
    return dk.Robot.from_dh(rows, lower=[-limit] * 6, upper=[limit] * 6)


def closed_forms(rows: list[list[float]], T: torch.Tensor) -> list[torch.Tensor]:
    """Every solution in one turn of each pose by EAIK, those alone that reach it."""
    eaik = pytest.importorskip("eaik.IK_DH")
    table = np.array(rows)
    peer = eaik.DhRobot(table[:, 1], table[:, 0], table[:, 2])
    found = []
    for pose in T.numpy():
        exact = [q for q in peer.IK(pose).Q if np.abs(np.asarray(peer.fwdKin(q)) - pose).max() < 1e-6]
        found.append(torch.from_numpy(np.array(exact)))
    return found


def in_turns(q: torch.Tensor, limit: float) -> torch.Tensor:
    """All representations of some solutions within -limit..limit."""
    rows = []
    for row in q.tolist():
        choices = [[a for k in range(-3, 4) if abs(a := angle + k * TURN) <= limit] for angle in row]
        rows += list(itertools.product(*choices))
    return torch.tensor(rows, dtype=torch.float64)


def test_no_solution_comes_twice_near_folds() -> None:
    robot = arm(UR5, math.pi)
    T = robot.forward_kinematics(robot.sample(200, seed=5))
    found = solve_all(robot, T)
    assert found.count.tolist() == [len(base) for base in closed_forms(UR5, T)]


@pytest.mark.parametrize("rows", [UR5, PUMA], ids=["ur5", "puma"])
def test_six_joints_are_complete_with_whole_turns(rows: list[list[float]]) -> None:
    robot = arm(rows, TURN)
    T = robot.forward_kinematics(robot.sample(40, seed=5))
    found = solve_all(robot, T, max_solutions=1024)
    for k, base in enumerate(closed_forms(rows, T)):
        expected, mine = in_turns(base, TURN), found.q[k][found.valid[k]]
        assert len(base) >= 4 and len(mine) == found.count[k]
        distance = torch.cdist(mine, expected, p=torch.inf)
        assert len(mine) == len(expected)
        assert float(distance.min(0).values.max()) < 1e-4 and float(distance.min(1).values.max()) < 1e-4
    assert torch.allclose(robot.forward_kinematics(found.q), T[:, None].expand(*found.q.shape[:2], 4, 4), atol=1e-6)


def test_the_nearest_by_weights_come_first() -> None:
    robot = arm(UR5, TURN)
    T = robot.forward_kinematics(robot.sample(10, seed=6))
    q0, weights = robot.sample(10, seed=7), torch.tensor([3.0, 1.0, 0.5, 0.0, 2.0, 1.0], dtype=torch.float64)
    found = solve_all(robot, T, q0=q0, max_solutions=12, joint_weights=weights)
    for k, base in enumerate(closed_forms(UR5, T)):
        expected = (weights * (in_turns(base, TURN) - q0[k]).square()).sum(-1).sqrt().sort().values[:12]
        mine = (weights * (found.q[k] - q0[k]).square()).sum(-1).sqrt()
        assert found.count[k] == 12
        torch.testing.assert_close(mine, expected, atol=1e-5, rtol=0.0)


def test_limits_that_hold_solutions_out_and_joints_without_limits() -> None:
    robot = arm(PUMA, 2.0)
    q = robot.sample(20, seed=8)
    T = robot.forward_kinematics(q)
    found = solve_all(robot, T)
    for k, base in enumerate(closed_forms(PUMA, T)):
        inside = in_turns(base, 2.0)
        mine = found.q[k][found.valid[k]]
        assert len(mine) == len(inside)
        assert float(torch.cdist(mine, inside, p=torch.inf).min(0).values.max()) < 1e-4
        assert float((mine - q[k]).abs().amax(-1).min()) < 1e-4
    endless = dk.Robot.from_dh(PUMA)
    far = q + TURN * torch.tensor([3.0, 0.0, 0.0, -2.0, 0.0, 7.0], dtype=torch.float64)
    near = solve_all(endless, T, q0=far)
    assert float((near.q[:, 0] - far).abs().max()) < 1e-4 and int(near.count.max()) <= 16


def test_an_arm_with_self_motion_gets_a_spread_over_its_branches() -> None:
    robot = dk.load_robot("kuka_iiwa")
    q = 0.5 * robot.sample(3, seed=9)
    T = robot.forward_kinematics(q)
    found = solve_all(robot, T, q0=q, max_solutions=48)
    assert found.count.tolist() == [48] * 3 and bool(found.valid.all())
    reached = robot.forward_kinematics(found.q)
    torch.testing.assert_close(reached, T[:, None].expand_as(reached), atol=1e-6, rtol=0.0)
    assert bool(((found.q >= robot.lower) & (found.q <= robot.upper)).all())
    distance = (found.q - q[:, None]).norm(dim=-1)
    assert bool((distance[:, 1:] >= distance[:, :-1]).all())
    signs = (found.q[:, :, [1, 3, 5]] > 0).long() @ torch.tensor([1, 2, 4])
    assert [len(row.unique()) for row in signs] == [8, 8, 8]  # shoulder, elbow and wrist either way
    apart = torch.cdist(found.q, found.q) + 9.0 * torch.eye(48, dtype=torch.float64)
    assert float(apart.min()) > 0.1


def test_planar_elbows_tasks_shapes_and_float32() -> None:
    robot = dk.load_robot("planar_2r").to(torch.float32)
    q = torch.tensor([[0.4, 0.9], [-1.0, -0.5]])
    point = robot.forward_kinematics(q)[:, :3, 3]
    found = solve_all(robot, [PositionTask(None, point)], q0=q)
    assert found.q.dtype == torch.float32 and found.q.shape == (2, 2, 2) and found.count.tolist() == [2, 2]
    torch.testing.assert_close(found.q[:, 0], q, atol=1e-4, rtol=0.0)
    torch.testing.assert_close(found.q[:, 1, 1], -q[:, 1], atol=1e-4, rtol=0.0)  # the elbow on the other side
    one = solve_all(robot, robot.forward_kinematics(q[0]))
    assert one.q.shape == (1, 2) and int(one.count) == 1  # the orientation tells the elbows apart


def test_nothing_found_and_rows_past_the_count() -> None:
    robot = arm(PUMA, math.pi)
    T = robot.forward_kinematics(robot.sample(2, seed=3))
    T[1, :3, 3] = torch.tensor([9.0, 0.0, 0.0])
    found = solve_all(robot, T)
    assert found.count[0] >= 4 and found.count[1] == 0 and not bool(found.valid[1].any())
    assert bool((found.q[1] == found.q[1, :1]).all()) and bool(torch.isfinite(found.q).all())
    few = solve_all(robot, T, max_solutions=3)
    assert few.q.shape == (2, 3, 6) and torch.equal(few.count, torch.tensor([3, 0]))
    again = solve_all(robot, T, max_solutions=3)
    assert torch.equal(few.q, again.q)


def test_bad_inputs_are_named() -> None:
    robot = arm(PUMA, math.pi)
    T = robot.forward_kinematics(robot.sample(2))
    with pytest.raises(OptionError, match="max_solutions"):
        solve_all(robot, T, max_solutions=0)
    with pytest.raises(OptionError, match="joint_weights"):
        solve_all(robot, T, joint_weights=-torch.ones(6))
    with pytest.raises(ShapeError, match="joint_weights"):
        solve_all(robot, T, joint_weights=torch.ones(5))
    with pytest.raises(ShapeError, match="q0"):
        solve_all(robot, T, q0=torch.zeros(5))
    with pytest.raises(NonFiniteError):
        solve_all(robot, T * torch.nan)
    with pytest.raises(OptionError, match="seed"):
        solve_all(robot, T, seed=-1)


def test_it_says_what_came_of_it(scara):
    T = scara.forward_kinematics(scara.sample(3))
    T[2, 0, 3] = 50.0
    assert repr(dk.ik.solve_all(scara, T)).startswith("AllSolutions(0 to ")
    one = dk.ik.solve_all(scara, T[0])
    assert repr(one) == f"AllSolutions({int(one.count)} solutions, q {tuple(one.q.shape)})"
    assert repr(dk.ik.solve_all(scara, T[:0])).startswith("AllSolutions(q (0, ")
