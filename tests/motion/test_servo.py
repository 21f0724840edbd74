"""The servo step: no limit is ever broken, targets are reached, and the speed is that of a general solver."""

import math

import numpy as np
import pytest
import torch

import diffkin as dk
from diffkin.errors import NonFiniteError, OptionError, ShapeError, UnknownNameError
from diffkin.ik import OrientationTask, PoseTask, PositionTask
from diffkin.motion import servo_step

DOUBLE = torch.float64
DT = 0.01


def stopping_way(speed: torch.Tensor, loss: torch.Tensor) -> torch.Tensor:
    """Way of a joint in ticks of DT that loses ``loss`` of its speed after each, added up tick by tick."""
    way, left = torch.zeros_like(speed), speed.clone()
    while bool((left > 0).any()):
        way += left.clamp(min=0) * DT
        left -= loss
    return way


def random_states(
    robot: dk.Robot, count: int, accelerations: torch.Tensor, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """States at all speeds allowed, near limits too, from which the joints can still stop."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(count, robot.dof, generator=generator, dtype=DOUBLE)
    drawn = torch.where(torch.rand(count, 1, generator=generator) < 0.5, drawn, drawn.round() + 0.002 * (0.5 - drawn))
    q = robot.lower + drawn.clamp(0.0, 1.0) * (robot.upper - robot.lower)
    dq = (2.0 * torch.rand(count, robot.dof, generator=generator, dtype=DOUBLE) - 1.0) * robot.max_velocity
    room = torch.where(dq > 0, robot.upper - q, q - robot.lower)
    loss = accelerations * DT  # the tick before this one ended with dq: the next may begin with a loss
    for _ in range(60):
        dq = torch.where(stopping_way(dq.abs() - loss, loss.expand_as(dq)) > room, 0.8 * dq, dq)
    return q, torch.where(stopping_way(dq.abs() - loss, loss.expand_as(dq)) > room, 0.0, dq)


@pytest.mark.parametrize("name", ["kuka_iiwa", "franka_panda", "xarm6"])
@pytest.mark.parametrize("when_limited", ["nearest", "slow"])
def test_no_limit_is_ever_broken(name: str, when_limited: str) -> None:
    robot = dk.load_robot(name)
    accelerations = torch.linspace(3.0, 12.0, robot.dof, dtype=DOUBLE)
    q, dq = random_states(robot, 1000, accelerations, seed=4)
    T = robot.forward_kinematics(robot.sample(1000, seed=5))
    for _ in range(10):
        step = servo_step(robot, q, dq, T, DT, acceleration_limit=accelerations, when_limited=when_limited)
        assert bool(((step.q >= robot.lower) & (step.q <= robot.upper)).all())
        assert bool((step.dq.abs() <= robot.max_velocity).all())
        assert float(((step.dq - dq).abs() - accelerations * DT).max()) <= 1e-9
        torch.testing.assert_close(step.q, q + DT * step.dq, atol=1e-12, rtol=0.0)
        assert bool(((step.scale >= 0.0) & (step.scale <= 1.0)).all())
        assert bool(torch.isfinite(step.q).all())
        q, dq = step.q, step.dq
    assert float(dq.abs().max()) > 0.5  # and it did move


def test_reachable_targets_are_reached_and_the_arm_comes_to_rest() -> None:
    robot = dk.load_robot("franka_panda")
    generator = torch.Generator().manual_seed(2)
    q = 0.5 * (robot.lower + robot.upper) + 0.3 * torch.rand(50, 7, generator=generator, dtype=DOUBLE)
    T = robot.forward_kinematics(q + 0.3 * torch.randn(50, 7, generator=generator, dtype=DOUBLE))
    dq = torch.zeros_like(q)
    for _ in range(300):
        step = servo_step(robot, q, dq, T, DT, acceleration_limit=10.0)
        q, dq = step.q, step.dq
    assert float(step.position_error.max()) < 1e-6 and float(step.rotation_error.max()) < 1e-6
    assert float(dq.abs().max()) < 1e-4 and bool((step.scale == 1.0).all())
    reached = robot.forward_kinematics(q)
    torch.testing.assert_close(reached, T, atol=2e-6, rtol=0.0)


def test_the_speed_is_that_of_daqp() -> None:
    daqp = pytest.importorskip("daqp")
    robot, tick = dk.load_robot("kuka_iiwa"), 5e-4  # so short that the way does not bend
    accelerations = torch.full((7,), 8.0, dtype=DOUBLE)
    q, dq = random_states(robot, 40, accelerations, seed=7)
    T = robot.forward_kinematics(q + 0.1 * torch.randn(40, 7, generator=torch.Generator().manual_seed(3), dtype=DOUBLE))
    step = servo_step(robot, q, dq, T, tick, damping=0.1)
    for k in range(40):
        pose, jacobian = robot.forward_kinematics(q[k]), robot.jacobian(q[k])
        back = T[k, :3, :3].mT
        turn = dk.rotations.matrix_to_rotvec(back @ pose[:3, :3])
        residual = torch.cat((back @ (pose[:3, 3] - T[k, :3, 3]), turn))
        rows = torch.cat((back @ jacobian[:3], dk.rotations.left_jacobian_inverse(turn) @ back @ jacobian[3:]))
        weight, eye = 0.1 * residual.square().sum(), torch.eye(7, dtype=DOUBLE)
        hessian, floor = rows.mT @ rows + weight * eye, 1e-6 * rows.square().sum() * eye
        low = torch.maximum((robot.lower - q[k]), -robot.max_velocity * tick)
        high = torch.minimum((robot.upper - q[k]), robot.max_velocity * tick)
        bounds = high.numpy(), low.numpy()
        plain = -torch.linalg.solve(hessian + floor, rows.mT @ residual).clamp(low, high)
        off = (2.0 * q[k] - robot.lower - robot.upper) / (robot.upper - robot.lower)
        aside = -plain.norm() * (off - torch.linalg.solve(rows.mT @ rows + floor, rows.mT @ (rows @ off)))
        gradient = rows.mT @ residual - weight * aside
        arrays = [np.ascontiguousarray(part) for part in (hessian.numpy(), gradient.numpy(), *bounds)]
        peer, _, flag, _ = daqp.solve(*arrays[:2], np.zeros((0, 7)), *arrays[2:], np.zeros(7, dtype=np.intc))
        assert flag == 1
        np.testing.assert_allclose(tick * step.dq[k].numpy(), peer, atol=2e-6)


def test_slow_keeps_to_the_way_that_nearest_leaves() -> None:
    robot = dk.load_robot("xarm6")
    q = torch.tensor([0.3, -0.4, -0.9, 0.2, 0.8, 0.1], dtype=DOUBLE)
    T = robot.forward_kinematics(q + torch.tensor([0.3, 0.2, -0.3, 0.6, 0.2, 0.9], dtype=DOUBLE))
    way = T[:3, 3] - robot.forward_kinematics(q)[:3, 3]
    angles, scales = {}, {}
    for how in ("nearest", "slow"):
        step = servo_step(robot, q, torch.zeros(6), T, DT, velocity_limit=0.5, damping=0.0, when_limited=how)
        moved = robot.forward_kinematics(step.q)[:3, 3] - robot.forward_kinematics(q)[:3, 3]
        angles[how] = float(torch.acos((moved @ way / (moved.norm() * way.norm())).clamp(-1.0, 1.0)))
        scales[how] = float(step.scale)
    assert angles["slow"] < 0.01 < angles["nearest"]
    assert 0.0 < scales["slow"] < scales["nearest"] < 1.0


def test_near_a_singularity_nearest_comes_nearer_and_slow_stays_on_the_way() -> None:
    robot = dk.load_robot("kuka_iiwa")
    q = torch.tensor([0.3, 0.5, 0.2, -0.02, 0.4, 0.6, 0.1], dtype=DOUBLE)  # the elbow nearly straight
    T, directions = robot.forward_kinematics(q), torch.linalg.svd(robot.jacobian(q)).U
    wanted = 0.05 * (directions[:, 0] + directions[:, -1]) / math.sqrt(2.0)  # half of it along what the arm cannot do
    goal = T.clone()
    goal[:3, 3] += wanted[:3]
    goal[:3, :3] = dk.rotations.rotvec_to_matrix(wanted[3:]) @ T[:3, :3]
    beside, away, scale = {}, {}, {}
    for how in ("nearest", "slow"):
        step = servo_step(robot, q, torch.zeros(7), goal, DT, velocity_limit=1e3, when_limited=how)
        there = robot.forward_kinematics(step.q)
        turn = dk.rotations.matrix_to_rotvec(there[:3, :3] @ T[:3, :3].mT)
        moved = torch.cat((there[:3, 3] - T[:3, 3], turn))
        beside[how] = float((moved - wanted * (moved @ wanted) / wanted.square().sum()).norm())
        away[how] = math.hypot(float(step.position_error), float(step.rotation_error))
        scale[how] = float(step.scale)
        assert float((DT * step.dq).abs().max()) < 0.1
    assert beside["slow"] < 0.05 * beside["nearest"] and away["nearest"] < 0.8 * away["slow"]
    assert 0.0 < scale["slow"] < 0.1 * scale["nearest"] < 0.1


def test_joints_without_limits_turn_on() -> None:
    robot = dk.Robot.from_dh([[0.5, 0.0, 0.0, 0.0], [0.4, 0.0, 0.0, 0.0]])
    q, dq = torch.tensor([0.1, 0.8], dtype=DOUBLE), torch.zeros(2, dtype=DOUBLE)
    for tick in range(1, 401):
        angle = torch.tensor([0.1 + 0.02 * tick, 0.8], dtype=DOUBLE)
        step = servo_step(robot, q, dq, robot.forward_kinematics(angle), DT, velocity_limit=3.0)
        q, dq = step.q, step.dq
    assert 8.2 > float(q[0]) > 2.0 * math.pi
    torch.testing.assert_close(q, angle, atol=1e-3, rtol=0.0)


def test_singular_and_unreachable_targets_leave_bounded_speeds() -> None:
    robot = dk.load_robot("kuka_iiwa")
    q, dq = torch.zeros(7, dtype=DOUBLE), torch.zeros(7, dtype=DOUBLE)  # stretched out
    T = robot.forward_kinematics(q)
    T[2, 3] += 1.0
    for _ in range(100):
        step = servo_step(robot, q, dq, T, DT, velocity_limit=2.0, acceleration_limit=20.0)
        assert bool((step.dq.abs() <= 2.0).all()) and bool(torch.isfinite(step.q).all())
        q, dq = step.q, step.dq
    assert abs(float(step.position_error) - 1.0) < 0.01 and float(dq.abs().max()) < 0.1


def test_tasks_priorities_and_named_links() -> None:
    robot = dk.load_robot("franka_panda")
    q = 0.5 * (robot.lower + robot.upper) + 0.1
    T = robot.forward_kinematics(q + 0.2)
    elsewhere = robot.forward_kinematics(q - 0.3)
    tasks = [PositionTask(None, T[:3, 3]), OrientationTask(None, elsewhere[:3, :3], priority=1)]
    turn = [dk.rotations.angle_between(robot.forward_kinematics(q)[:3, :3], elsewhere[:3, :3])]
    dq = torch.zeros(7, dtype=DOUBLE)
    for _ in range(200):
        step = servo_step(robot, q, dq, tasks, DT)
        q, dq = step.q, step.dq
    turn.append(dk.rotations.angle_between(robot.forward_kinematics(q)[:3, :3], elsewhere[:3, :3]))
    assert float(step.position_error) < 2e-6 and float(turn[1]) < 0.9 * float(turn[0])
    elbow = robot.link_names[4]
    there = robot.forward_kinematics(q + 0.05, links=[elbow])[0]
    by_name = servo_step(robot, q, dq, there, DT, link=elbow)
    by_task = servo_step(robot, q, dq, PoseTask(elbow, there), DT)
    assert torch.equal(by_name.q, by_task.q)


def round_and_round(robot: dk.Robot, q: torch.Tensor, ticks: int, **options: float) -> tuple[torch.Tensor, float]:
    """(ticks, dof) the joints along circles of 8 cm, 200 ticks each, and the largest error of all ticks [m]."""
    start, dq, way, worst = robot.forward_kinematics(q), torch.zeros_like(q), [q], 0.0
    for tick in range(1, ticks):
        angle, target = 2.0 * math.pi * tick / 200, start.clone()
        target[1, 3] += 0.08 * math.sin(angle)
        target[2, 3] += 0.08 * (math.cos(angle) - 1.0)
        step = servo_step(robot, way[-1], dq, target, DT, **options)
        dq, worst = step.dq, max(worst, float(step.position_error))
        way.append(step.q)
    return torch.stack(way), worst


def test_a_redundant_arm_leaves_its_limits_on_the_way_and_rests_with_the_target() -> None:
    robot = dk.load_robot("franka_panda")
    q = torch.tensor([-2.0, 0.5, 1.5, -1.8, -1.0, 2.0, -1.0], dtype=DOUBLE)
    off = {}
    for centring in (0.0, 1.0):
        way, worst = round_and_round(robot, q, 401, centring=centring)
        u = (2.0 * way - robot.lower - robot.upper) / (robot.upper - robot.lower)
        off[centring] = float(u[-1].square().sum())
        assert worst < 1e-4
    assert off[1.0] < 0.7 * off[0.0]
    rest = servo_step(robot, way[-1], torch.zeros(7, dtype=DOUBLE), robot.forward_kinematics(way[-1]), DT)
    assert float(rest.dq.abs().max()) < 1e-9
    assert torch.equal(way, round_and_round(robot, q, 401)[0])  # what it does if nothing is said


def test_tasks_of_lower_priority_have_the_freedom_instead() -> None:
    robot = dk.load_robot("franka_panda")
    q = 0.5 * (robot.lower + robot.upper) + 0.6
    T, zero = robot.forward_kinematics(q + 0.02), torch.zeros(7, dtype=DOUBLE)
    tasks = [PoseTask(None, T), dk.ik.PostureTask(q + 0.1, priority=1)]
    steps = [servo_step(robot, q, zero, tasks, DT, centring=centring) for centring in (0.0, 3.0)]
    assert torch.equal(steps[0].q, steps[1].q)
    alone = [servo_step(robot, q, zero, tasks[:1], DT, centring=centring) for centring in (0.0, 3.0)]
    assert float((alone[0].q - alone[1].q).abs().max()) > 1e-3


def test_shapes_dtypes_and_bad_inputs() -> None:
    robot = dk.load_robot("xarm6").to(torch.float32)
    q = robot.sample(6).reshape(2, 3, 6)
    T = robot.forward_kinematics(robot.sample(3, seed=1))
    step = servo_step(robot, q, torch.zeros(6), T, DT)
    assert step.q.shape == (2, 3, 6) and step.scale.shape == (2, 3) and step.q.dtype == torch.float32
    assert bool(((step.q >= robot.lower) & (step.q <= robot.upper)).all())
    with pytest.raises(OptionError, match="dt"):
        servo_step(robot, q, q, T, 0.0)
    with pytest.raises(OptionError, match="velocity_limit"):
        servo_step(robot, q, q, T, DT, velocity_limit=-1.0)
    with pytest.raises(OptionError, match="damping"):
        servo_step(robot, q, q, T, DT, damping=-1.0)
    with pytest.raises(OptionError, match="centring"):
        servo_step(robot, q, q, T, DT, centring=-1.0)
    with pytest.raises(ShapeError, match="dq"):
        servo_step(robot, q, torch.zeros(5), T, DT)
    with pytest.raises(UnknownNameError):
        servo_step(robot, q, q, T, DT, when_limited="stop")
    with pytest.raises(UnknownNameError):
        servo_step(robot, q, q, T, DT, link="hand")


@pytest.mark.parametrize("call", ["servo_step", "solve_path", "solve_all", "solve_ik"])
def test_what_is_no_robot_is_refused_in_one_wording(call: str) -> None:
    robot = dk.load_robot("planar_2r")
    q = robot.sample(2)
    T = robot.forward_kinematics(q)
    calls = {
        "servo_step": lambda: dk.motion.servo_step("arm", q, q, T, 0.01),
        "solve_path": lambda: dk.motion.solve_path("arm", T),
        "solve_all": lambda: dk.ik.solve_all("arm", T),
        "solve_ik": lambda: dk.solve_ik("arm", T),
    }
    with pytest.raises(OptionError, match="robot must be a Robot, as diffkin.load_robot"):
        calls[call]()


@pytest.mark.parametrize("dt", [None, 0.0, -1.0, float("nan"), float("inf"), "a", True])
def test_a_tick_has_a_length(dt: object) -> None:
    robot = dk.load_robot("planar_2r")
    q = robot.sample(2)
    with pytest.raises(OptionError, match="dt must be a finite number above 0"):
        dk.motion.servo_step(robot, q, 0 * q, robot.forward_kinematics(q), dt)


@pytest.mark.parametrize("when_limited", ["nearest", "slow"])
def test_inequalities_on_the_speed_are_kept(when_limited: str) -> None:
    """The elbow's height may not rise, and two joints may not turn faster than 0.2 rad/s together."""
    pytest.importorskip("daqp")
    robot = dk.load_robot("franka_panda")
    q, dq = random_states(robot, 20, torch.full((7,), 10.0, dtype=DOUBLE), seed=2)
    T = robot.forward_kinematics(robot.sample(20, seed=3))
    left = torch.zeros(20, 2, 7, dtype=DOUBLE)
    left[:, 0] = robot.jacobian(q, link=robot.link_names[4])[:, 2]
    left[:, 1, :2] = 1.0
    right = torch.tensor([0.0, 0.2], dtype=DOUBLE)
    free = servo_step(robot, q, dq, T, DT, when_limited=when_limited)
    step = servo_step(robot, q, dq, T, DT, when_limited=when_limited, inequalities=(left, right))
    assert int(((left @ free.dq[..., None]).squeeze(-1) > right + 1e-3).sum()) > 10
    assert float(((left @ step.dq[..., None]).squeeze(-1) - right).max()) <= 1e-6
    assert bool((step.dq.abs() <= robot.max_velocity).all())
    assert bool(((step.q >= robot.lower) & (step.q <= robot.upper)).all())
    kept = ((left @ free.dq[..., None]).squeeze(-1) < right - 1e-3).all(-1)
    torch.testing.assert_close(step.q[kept], free.q[kept], atol=1e-5, rtol=0.0)


def test_inequalities_that_no_speed_keeps_are_broken_least() -> None:
    pytest.importorskip("daqp")
    robot = dk.load_robot("xarm6")
    q = 0.5 * (robot.lower + robot.upper)
    left, right = torch.eye(6, dtype=DOUBLE)[:2], torch.tensor([-5.0, -1.0], dtype=DOUBLE)
    zero = torch.zeros(6, dtype=DOUBLE)
    step = servo_step(robot, q, zero, robot.forward_kinematics(q), DT, velocity_limit=2.0, inequalities=(left, right))
    assert abs(float(step.dq[0]) + 2.0) < 1e-5 and float(step.dq[1]) <= -1.0 + 1e-6


def test_inequalities_are_checked() -> None:
    robot = dk.load_robot("xarm6")
    q = 0.5 * (robot.lower + robot.upper)
    arguments = (robot, q, 0 * q, robot.forward_kinematics(q), DT)
    left, right = torch.ones(2, 6, dtype=DOUBLE), torch.ones(2, dtype=DOUBLE)
    for error, given in (
        (OptionError, left), (OptionError, (left,)), (ShapeError, (left[:, :5], right)), (ShapeError, (left, right[:1])),
        (ShapeError, (left[0], right)), (NonFiniteError, (left * torch.nan, right)), (NonFiniteError, (left, right * torch.nan)),
        (ShapeError, (left.expand(3, 2, 6), right.expand(4, 2))),
    ):  # fmt: skip
        with pytest.raises(error):
            servo_step(*arguments, inequalities=given)


def test_it_says_what_came_of_it(iiwa):
    q = 0.5 * torch.ones(2, 7, dtype=torch.float64)
    T = iiwa.forward_kinematics(q + 0.001)
    both = servo_step(iiwa, q, torch.zeros_like(q), T, 0.01)
    assert repr(both).startswith("ServoStep(q (2, 7), errors up to ") and repr(both).endswith("and above)")
    one = servo_step(iiwa, q[0], torch.zeros_like(q[0]), T[0], 0.01)
    assert repr(one).startswith("ServoStep(q (7,), errors up to ") and f"scale {float(one.scale):.3g})" in repr(one)
