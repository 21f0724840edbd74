"""Whole turns: answers lie where q0 is, judged by trying all turns one by one."""

from __future__ import annotations

import math
import sysconfig
from pathlib import Path

import pytest
import torch

import diffkin as dk
from diffkin.ik.turns import nearest_turn, turning
from tests.ik.arms import CONTINUOUS, FOLLOWS, arm

UR5 = Path(sysconfig.get_paths()["purelib"]) / (
    "cmeel.prefix/share/example-robot-data/robots/ur_description/urdf/ur5_robot.urdf"
)
SOLVERS = ("levenberg_marquardt", "gauss_newton", "gradient_descent", "adam", "lbfgs")
PI = math.pi


def tried_one_by_one(robot: dk.Robot, q: torch.Tensor, q0: torch.Tensor) -> torch.Tensor:
    """The nearest to q0 of all turns of every coordinate within the limits."""
    columns = []
    for c in range(robot.dof):
        turns = q[:, c, None] + 2 * PI * torch.arange(-6, 7)
        inside = (turns >= robot.lower[c] - 1e-12) & (turns <= robot.upper[c] + 1e-12)
        away = torch.where(inside, (turns - q0[:, c, None]).abs(), torch.inf)
        columns.append(turns.gather(1, away.argmin(-1, keepdim=True))[:, 0])
    return torch.stack(columns, dim=-1)


@pytest.fixture(scope="module")
def ur5() -> dk.Robot:
    if not UR5.exists():
        pytest.skip("example-robot-data is not installed")
    return dk.Robot.from_urdf(UR5, tip="tool0")


@pytest.mark.parametrize(
    ("solver", "backend", "count", "nearest_of"),
    [
        *(("levenberg_marquardt", None, 500, k) for k in (1, 4)),
        *(("levenberg_marquardt", "reference", 100, k) for k in (1, 4)),
        *((solver, "reference", 8, 1) for solver in SOLVERS[1:]),
    ],
)
def test_no_whole_turn_leads_nearer_to_q0(ur5, solver, backend, count, nearest_of):
    T = ur5.forward_kinematics(ur5.sample(count, seed=1))
    generator = torch.Generator().manual_seed(2)
    q0 = ur5.lower + torch.rand(count, 6, generator=generator, dtype=torch.float64) * (ur5.upper - ur5.lower)
    result = dk.solve_ik(ur5, T, q0=q0, solver=solver, backend=backend, nearest_of=nearest_of, max_restarts=5)
    assert result.success.double().mean() > 0.7
    assert torch.allclose(result.q, tried_one_by_one(ur5, result.q, q0), atol=1e-12)
    assert count < 100 or ((result.q - q0).abs() > PI).any()  # where the limits leave no nearer one
    assert (ur5.forward_kinematics(result.q[result.success])[:, :3, 3] - T[result.success][:, :3, 3]).norm(
        dim=-1
    ).max() <= 1e-6


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("backend", [None, "reference"])
def test_a_solution_several_turns_out_comes_back_as_it_is(solver, backend):
    robot = arm(*[CONTINUOUS] * 6)
    q0 = torch.tensor([9.0, -0.4, 30.0, 0.7, -9.0, 0.2], dtype=torch.float64)
    result = dk.solve_ik(robot, robot.forward_kinematics(q0), q0=q0, solver=solver, backend=backend)
    assert result.success
    assert torch.equal(result.q, q0)
    tasks = dk.ik.PositionTask(None, robot.forward_kinematics(q0)[:3, 3])
    assert torch.equal(dk.solve_ik(robot, tasks, q0=q0, solver=solver, backend=backend).q, q0)


@pytest.mark.parametrize(
    ("solver", "backend"), [("levenberg_marquardt", None), ("levenberg_marquardt", "reference"), ("gauss_newton", None)]
)
def test_without_q0_answers_are_within_half_a_turn(ur5, solver, backend):
    for robot in (ur5, arm(*[CONTINUOUS] * 6)):
        T = robot.forward_kinematics(robot.sample(30, seed=3))
        q = dk.solve_ik(robot, T, solver=solver, backend=backend, max_restarts=3).q
        assert ((q > -PI) & (q <= PI)).all()


@pytest.mark.parametrize("backend", [None, "reference"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_tracking_through_half_a_turn_takes_no_step(backend, dtype):
    robot = arm(*[CONTINUOUS] * 6).to(dtype=dtype)
    way = torch.tensor([1.0, 0.2, -0.3, 0.2, 0.1, 1.0], dtype=dtype)
    begin = torch.tensor([2.0, -0.6, 0.8, 1.1, 0.9, 2.5], dtype=dtype)
    at = begin
    for k in range(1, 14):
        wanted = begin + 0.3 * k * way
        result = dk.solve_ik(robot, robot.forward_kinematics(wanted), q0=at, backend=backend)
        assert result.success
        assert (result.q - at).abs().max() < 1.5
        at = result.q
    assert at[0] > PI
    assert at[5] > PI


@pytest.mark.parametrize("backend", [None, "reference"])
def test_only_whole_turns_of_all_joints_lead_back(backend):
    limits = '<limit lower="-20" upper="20" effort="1" velocity="1"/>'
    kinds = {0.5: False, 2.0: True, -3.0: True}
    for multiplier, back in kinds.items():
        robot = arm('type="revolute"/' + limits, FOLLOWS.format(multiplier), *[CONTINUOUS] * 3)
        assert turning(robot.tree, robot.lower, robot.upper).tolist() == [back, True, True, True]
        q0 = torch.tensor([15.0, 0.3, 0.8, 0.4], dtype=torch.float64)
        T = robot.forward_kinematics(q0)
        kept = dk.solve_ik(robot, T, q0=q0, backend=backend)
        assert torch.equal(kept.q, q0)
        free = dk.solve_ik(robot, T, backend=backend)
        assert (robot.forward_kinematics(free.q) - T).abs().max() < 2e-6 or not free.success
        assert not back or abs(float(free.q[0])) <= PI


def test_slides_do_not_turn():
    robot = dk.load_robot("scara")
    slides = [kind != dk.kinematics.REVOLUTE for kind in robot.tree.kinds]
    assert any(slides)
    wide = torch.full((robot.dof,), 100.0, dtype=torch.float64)
    turns = turning(robot.tree, -wide, wide)
    assert [not slide for slide in slides] == turns[list(robot.tree.coordinate)].tolist()


@pytest.mark.parametrize(
    ("dtype", "far"), [(torch.float64, 1e4), (torch.float64, 1e16), (torch.float32, 1e3), (torch.float32, 1e30)]
)
@pytest.mark.parametrize("backend", [None, "reference"])
def test_a_far_q0_is_followed_as_far_as_numbers_are_fine_enough(dtype, far, backend):
    robot = arm(*[CONTINUOUS] * 6).to(dtype=dtype)
    T = robot.forward_kinematics(robot.sample(20, seed=4))
    result = dk.solve_ik(robot, T, q0=torch.full((20, 6), far, dtype=dtype), backend=backend)
    assert result.success.all()
    if dtype == torch.float64 and far == 1e4:
        assert (result.q - far).abs().max() <= PI + 1e-9


def test_turns_of_single_numbers():
    lower, upper = torch.tensor([-7.0, -1.0, -math.inf]).double(), torch.tensor([7.0, 9.0, math.inf]).double()
    q = torch.tensor([[6.5, 0.25, 0.25], [-6.5, 8.0, -3.0]], dtype=torch.float64)
    every = torch.ones(3, dtype=torch.bool)
    near = nearest_turn(q, torch.zeros_like(q), lower, upper, every, 1e6)
    assert torch.allclose(
        near, torch.tensor([[6.5 - 2 * PI, 0.25, 0.25], [-6.5 + 2 * PI, 8.0 - 2 * PI, -3.0]]).double()
    )
    high = nearest_turn(q, torch.full_like(q, 50.0), lower, upper, every, 20.0)
    expected = [[6.5, 0.25 + 2 * PI, 0.25 + 6 * PI], [-6.5 + 4 * PI, 8.0, -3.0 + 6 * PI]]
    assert torch.allclose(high, torch.tensor(expected).double())
    assert torch.equal(nearest_turn(q, high, lower, upper, ~every, 1e6), q)
