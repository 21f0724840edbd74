"""The nearest of all solutions against EAIK's closed forms with all whole turns; when the kernel serves, and when not."""

import itertools
import math

import numpy as np
import pytest
import torch

import diffkin as dk
from diffkin.errors import OptionError, ShapeError
from diffkin.ik.options import make_options
from diffkin.ik.solvers.complete import Complete, complete_of, in_order, nearest_of_all

DOUBLE = torch.float64
TURN = 2.0 * math.pi
UR5 = [
    [0.0, math.pi / 2, 0.089159, 0.0], [-0.425, 0.0, 0.0, 0.0], [-0.39225, 0.0, 0.0, 0.0],
    [0.0, math.pi / 2, 0.10915, 0.0], [0.0, -math.pi / 2, 0.09465, 0.0], [0.0, 0.0, 0.0823, 0.0],
]  # fmt: skip
IRB = [
    [0.32, -math.pi / 2, 0.78, 0.0], [1.075, 0.0, 0.0, 0.0], [0.2, -math.pi / 2, 0.0, 0.0],
    [0.0, math.pi / 2, 1.142, 0.0], [0.0, -math.pi / 2, 0.0, 0.0], [0.0, 0.0, 0.2, 0.0],
]  # fmt: skip


def arm(rows: list[list[float]], limit: float = TURN) -> dk.Robot:
    return dk.Robot.from_dh(rows, lower=[-limit] * 6, upper=[limit] * 6)


def every_solution(rows: list[list[float]], pose: torch.Tensor, limit: float) -> torch.Tensor:
    """(k, 6) all that EAIK knows, in all whole turns within the limits."""
    eaik = pytest.importorskip("eaik.IK_DH")
    table = np.array(rows)
    peer, found = eaik.DhRobot(table[:, 1], table[:, 0], table[:, 2]), []
    for q in peer.IK(pose.numpy()).Q:
        if np.abs(np.asarray(peer.fwdKin(q)) - pose.numpy()).max() < 1e-6:
            choices = [[a for k in range(-3, 4) if abs(a := angle + k * TURN) <= limit] for angle in q]
            found += list(itertools.product(*choices))
    return torch.tensor(found, dtype=DOUBLE)


@pytest.mark.parametrize("rows", [UR5, IRB], ids=["ur5", "irb"])
@pytest.mark.parametrize("weights", [None, [3.0, 1.0, 0.5, 0.0, 2.0, 1.0]], ids=["even", "weighted"])
def test_the_answer_is_the_nearest_of_all(rows: list[list[float]], weights: list[float] | None) -> None:
    robot = arm(rows)
    T, q0 = robot.forward_kinematics(robot.sample(60, seed=15)), robot.sample(60, seed=16)
    result = dk.solve_ik(robot, T, q0=q0, nearest_of=2, joint_weights=weights)
    each = torch.ones(6, dtype=DOUBLE) if weights is None else torch.tensor(weights, dtype=DOUBLE)
    assert bool(result.success.all())
    for k in range(60):
        expected = (each * (every_solution(rows, T[k], TURN) - q0[k]).square()).sum(-1).min().sqrt()
        mine = (each * (result.q[k] - q0[k]).square()).sum(-1).sqrt()
        assert float((mine - expected).abs()) < 1e-3  # what the tolerances leave where the arm is nearly singular
    reached = robot.forward_kinematics(result.q)
    torch.testing.assert_close(reached, T, atol=2e-6, rtol=0.0)
    plain = dk.solve_ik(robot, T, q0=q0)
    farther = (each * (plain.q - q0).square()).sum(-1) > (each * (result.q - q0).square()).sum(-1) + 1e-3
    assert int(farther.sum()) >= 10  # where following q0 downhill ends elsewhere
    assert bool((result.restarts[farther] >= 1).all()) and bool((result.iterations >= plain.iterations).all())


def test_limits_hold_solutions_out() -> None:
    robot = arm(UR5, 2.0)
    T, q0 = robot.forward_kinematics(robot.sample(30, seed=17)), robot.sample(30, seed=18)
    result = dk.solve_ik(robot, T, q0=q0, nearest_of=8)
    for k in range(30):
        expected = (every_solution(UR5, T[k], 2.0) - q0[k]).norm(dim=-1).min()
        assert float(((result.q[k] - q0[k]).norm() - expected).abs()) < 1e-3
    assert bool(((result.q >= robot.lower) & (result.q <= robot.upper)).all())


def test_float32_shapes_and_gradients() -> None:
    robot = arm(UR5)
    single = robot.to(torch.float32)
    T, home = robot.forward_kinematics(robot.sample(12, seed=19)).reshape(3, 4, 4, 4), robot.sample(1, seed=20)[0]
    exact = dk.solve_ik(robot, T, q0=home, nearest_of=2)
    rounded = dk.solve_ik(single, T.float(), q0=home.float(), nearest_of=2)
    assert rounded.q.dtype == torch.float32 and rounded.q.shape == (3, 4, 6) and bool(rounded.success.all())
    torch.testing.assert_close(rounded.q.double(), exact.q, atol=2e-3, rtol=0.0)
    many = dk.solve_ik(robot, T[0, 0], q0=robot.sample(5, seed=21), nearest_of=2)
    assert many.q.shape == (5, 6) and bool(many.success.all())
    target = T[0, 0].clone().requires_grad_()
    q = dk.solve_ik(robot, target, q0=home, nearest_of=2, differentiable=True).q
    (slope,) = torch.autograd.grad(q[0], target)
    step = dk.transforms.exp(torch.tensor([1e-6, 0.0, 0.0, 0.0, 0.0, 0.0], dtype=DOUBLE))
    options = {"position_tolerance": 1e-11, "rotation_tolerance": 1e-11, "nearest_of": 2}
    ahead, behind = (
        dk.solve_ik(robot, T[0, 0] @ move, q0=home, **options).q[0] for move in (step, torch.linalg.inv(step))
    )
    wanted = (slope * (T[0, 0] @ (step - torch.eye(4, dtype=DOUBLE)))).sum()
    assert abs(float((ahead - behind) / 2.0 - wanted)) < 1e-3 * abs(float(wanted)) + 1e-9


def test_no_solution_gives_the_best_there_is() -> None:
    robot = arm(UR5)
    T = torch.eye(4, dtype=DOUBLE)
    T[0, 3] = 4.0
    result = dk.solve_ik(robot, T, q0=torch.zeros(6, dtype=DOUBLE), nearest_of=4)
    assert not bool(result.success) and float(result.position_error) > 2.5
    assert torch.equal(result.q, dk.solve_ik(robot, T, q0=torch.zeros(6, dtype=DOUBLE)).q)


def test_what_the_kernel_does_not_serve_goes_the_old_way() -> None:
    iiwa = dk.load_robot("kuka_iiwa")
    assert complete_of(iiwa, iiwa.link_index(None)) is None
    robot = arm(UR5)
    assert complete_of(robot, robot.link_index(None), "reference") is None
    q0 = robot.sample(3, seed=1)
    T = robot.forward_kinematics(robot.sample(3, seed=2))
    other = make_options(DOUBLE, solver="gauss_newton", nearest_of=4)
    assert nearest_of_all(other, robot, T, q0, None) is None
    assert nearest_of_all(make_options(DOUBLE, nearest_of=4), robot, T, q0[:2], None) is None  # for the long way to say
    with pytest.raises(ShapeError):
        dk.solve_ik(robot, T, q0=q0[:2], nearest_of=4)
    by_torch = dk.solve_ik(robot, T, q0=q0, nearest_of=4, backend="reference")
    assert bool(by_torch.success.all())


def test_solutions_in_order_and_their_number() -> None:
    robot = arm(IRB)
    T, near = robot.forward_kinematics(robot.sample(4, seed=23)), robot.sample(4, seed=24)
    found = Complete(complete_of(robot, robot.link_index(None)), T, 0)
    assert not bool(found.endless.any()) and bool((found.steps > 0).all())
    q, number = in_order(robot, found, near, torch.ones(6, dtype=DOUBLE), 2000)
    for k in range(4):
        expected = (every_solution(IRB, T[k], TURN) - near[k]).norm(dim=-1).sort().values
        mine = (q[k, : number[k]] - near[k]).norm(dim=-1)
        torch.testing.assert_close(mine, expected, atol=1e-5, rtol=0.0)


def test_weights_where_they_would_mean_nothing_and_bad_ones() -> None:
    robot = arm(UR5)
    T, q0, ones = robot.forward_kinematics(robot.sample(2)), robot.sample(2), torch.ones(6, dtype=DOUBLE)
    with pytest.raises(OptionError, match="nearest_of above 1"):
        dk.solve_ik(robot, T, q0=q0, joint_weights=ones)
    with pytest.raises(OptionError, match="give q0"):
        dk.solve_ik(robot, T, nearest_of=2, joint_weights=ones)
    with pytest.raises(OptionError, match="from 0 on"):
        dk.solve_ik(robot, T, q0=q0, nearest_of=2, joint_weights=-ones)
    with pytest.raises(ShapeError, match="joint_weights"):
        dk.solve_ik(robot, T, q0=q0, nearest_of=2, joint_weights=ones[:5])


def test_redundant_arms_weigh_their_joints_on_both_routes() -> None:
    robot = dk.load_robot("kuka_iiwa")
    T, q0 = robot.forward_kinematics(robot.sample(20, seed=25)), 0.5 * robot.sample(20, seed=26)
    weights = torch.tensor([25.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0], dtype=DOUBLE)
    for backend in (None, "reference"):
        plain, heavy = (
            dk.solve_ik(robot, T, q0=q0, nearest_of=8, joint_weights=w, backend=backend).q for w in (None, weights)
        )
        away = [(weights * (q - q0).square()).sum(-1) for q in (plain, heavy)]
        assert bool((away[1] <= away[0] + 1e-9).all()) and int((away[1] < away[0] - 1e-3).sum()) >= 3
