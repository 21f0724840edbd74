"""The kernel of the servo step gives what the torch formula gives, and leaves to it what it does not know."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import numpy as np
import pytest
import torch

import diffkin as dk
from diffkin.errors import DiffkinError, NonFiniteError, OptionError, RotationError
from diffkin.ik import PoseTask
from diffkin.motion import ServoStep, servo_kernel, servo_step
from tests.motion.test_servo import DOUBLE, DT, random_states

ROBOTS = Path(sysconfig.get_paths()["purelib"]) / "cmeel.prefix/share/example-robot-data/robots"
NAMES = ["kuka_iiwa", "franka_panda", "xarm6", "scara", "planar_3r"]


def both(robot: dk.Robot, *arguments: object, **options: object) -> tuple[ServoStep, ServoStep]:
    """The step by the kernel, and by torch."""
    return tuple(servo_step(robot, *arguments, backend=backend, **options) for backend in (None, "reference"))


def assert_alike(ours: ServoStep, theirs: ServoStep, tolerance: float = 1e-9) -> None:
    assert ours.q.dtype == theirs.q.dtype and ours.dq.dtype == theirs.dq.dtype
    torch.testing.assert_close(ours.q, theirs.q, atol=tolerance, rtol=0.0)
    torch.testing.assert_close(ours.dq, theirs.dq, atol=tolerance / DT, rtol=0.0)
    for name in ("position_error", "rotation_error", "scale"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name), atol=10.0 * tolerance, rtol=0.0)


def states(
    name: str, count: int, away: float
) -> tuple[dk.Robot, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """A robot, states at all speeds, many of them at limits, targets so far away, and accelerations."""
    robot = dk.load_robot(name)
    if not bool(torch.isfinite(robot.max_velocity).all()):
        robot = robot.replace(max_velocity=torch.full((robot.dof,), 2.0, dtype=DOUBLE))
    wide = [part.clamp(-3.0, 3.0) for part in (robot.lower, robot.upper)]
    accelerations = torch.linspace(3.0, 12.0, robot.dof, dtype=DOUBLE)
    q, dq = random_states(robot.replace(lower=wide[0], upper=wide[1]), count, accelerations, seed=4)
    noise = torch.randn(q.shape, generator=torch.Generator().manual_seed(6), dtype=DOUBLE)
    return robot, q, dq, robot.forward_kinematics(q + away * noise), accelerations


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("away", [1e-7, 1e-3, 0.03, 1.0])
def test_nearest_is_that_of_torch(name: str, away: float) -> None:
    robot, q, dq, T, accelerations = states(name, 60, away)
    assert_alike(*both(robot, q, dq, T, DT))
    assert_alike(*both(robot, q, dq, T, DT, acceleration_limit=accelerations))
    assert_alike(*both(robot, q, dq, T, DT, velocity_limit=0.2, damping=3.0, centring=2.0))
    assert_alike(*both(robot, q, dq, T, DT, centring=0.0))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("away", [1e-3, 0.03, 1.0])
def test_slow_is_that_of_torch(name: str, away: float) -> None:
    robot, q, dq, T, accelerations = states(name, 60, away)
    # the way's weight beside the damping leaves eight digits of what a redundant arm does beside the way
    assert_alike(*both(robot, q, dq, T, DT, when_limited="slow"), tolerance=1e-8)
    assert_alike(*both(robot, q, dq, T, DT, when_limited="slow", acceleration_limit=accelerations))


@pytest.mark.parametrize("when_limited", ["nearest", "slow"])
def test_singular_states(when_limited: str) -> None:
    robot = dk.load_robot("kuka_iiwa")
    q = torch.zeros(4, 7, dtype=DOUBLE)
    q[1, 3], q[2, 5], q[3, 1] = 1e-9, 1.0, 0.5
    T = robot.forward_kinematics(q)
    T[:, 2, 3] -= 0.01
    T[:, 0, 3] += 0.02
    assert_alike(*both(robot, q, torch.zeros_like(q), T, DT, when_limited=when_limited), tolerance=1e-8)


@pytest.mark.parametrize("when_limited", ["nearest", "slow"])
def test_float32_robots(when_limited: str) -> None:
    robot, q, dq, T, _ = states("franka_panda", 60, 0.02)
    single = robot.to(torch.float32)
    q, dq, T = q.float(), dq.float(), T.float()
    ours, theirs = both(single, q, dq, T, DT, when_limited=when_limited)
    assert ours.q.dtype == torch.float32 and ours.position_error.dtype == torch.float64
    assert_alike(ours, theirs, tolerance=3e-7)
    assert bool(((ours.q >= single.lower) & (ours.q <= single.upper)).all())


def test_shapes_links_and_tasks() -> None:
    robot, q, dq, T, _ = states("franka_panda", 24, 0.02)
    whole = servo_step(robot, q, dq, T, DT)
    for shape in ((24,), (4, 6), (2, 3, 4)):
        part = servo_step(robot, q.reshape(*shape, 7), dq.reshape(*shape, 7), T.reshape(*shape, 4, 4), DT)
        assert part.q.shape == (*shape, 7) and part.scale.shape == shape
        assert torch.equal(part.q.reshape(24, 7), whole.q) and torch.equal(part.scale.reshape(24), whole.scale)
    one = servo_step(robot, q[5], dq[5], T[5], DT)
    assert one.q.shape == (7,) and one.scale.shape == () and torch.equal(one.q, whole.q[5])
    # what broadcasts, lists, tasks and other dtypes go the long way to the same kernel
    mixed = servo_step(robot, q.reshape(4, 6, 7), dq[3], T[:6], DT)
    again = servo_step(robot, q.reshape(4, 6, 7), dq[3].expand(4, 6, 7), T[:6].expand(4, 6, 4, 4), DT)
    torch.testing.assert_close(mixed.q, again.q, atol=1e-11, rtol=0.0)
    listed = servo_step(robot, q[5].tolist(), dq[5].numpy(), T[5].tolist(), DT)
    task = servo_step(robot, q, dq, PoseTask(robot.tip, T), DT)
    torch.testing.assert_close(listed.q, one.q, atol=1e-11, rtol=0.0)
    torch.testing.assert_close(task.q, whole.q, atol=1e-11, rtol=0.0)  # rotations are made exact in another way
    elbow = robot.link_names[4]
    there = robot.forward_kinematics(q + 0.02, links=[elbow])[:, 0]
    assert_alike(*both(robot, q, dq, there, DT, link=elbow))
    none = servo_step(robot, q[:0], dq[:0], T[:0], DT)
    assert none.q.shape == (0, 7)


@pytest.mark.skipif(not ROBOTS.is_dir(), reason="needs example-robot-data")
def test_coordinates_that_do_not_move_the_link_and_branches() -> None:
    robot = dk.load_robot(str(ROBOTS / "baxter_description/urdf/baxter.urdf"))
    link = "left_gripper"
    q, dq = robot.sample(10, seed=1), torch.zeros(10, robot.dof, dtype=DOUBLE)
    T = robot.forward_kinematics(q + 0.02, links=[link])[:, 0]
    ours, theirs = both(robot, q, dq, T, DT, link=link)
    assert_alike(ours, theirs)
    still = (robot.jacobian(q, link=link).abs().amax((0, 1))) == 0.0
    assert bool(still.any()) and bool((ours.dq[:, still] == 0.0).all())


def test_the_kernel_answers_where_it_should(monkeypatch: pytest.MonkeyPatch) -> None:
    robot, q, dq, T, _ = states("xarm6", 3, 0.02)

    def never(*arguments: object) -> None:
        raise AssertionError("the torch formula was asked")

    monkeypatch.setattr("diffkin.motion.servo.move", never)
    servo_step(robot, q, dq, T, DT)
    servo_step(robot, q[0], dq[0], T[0], DT, velocity_limit=1.0, acceleration_limit=robot.max_velocity)
    servo_step(robot, q.requires_grad_(), dq, T.float(), DT, when_limited="slow")
    for options in ({"backend": "reference"}, {}):
        task = T.detach() if options else PoseTask(None, T, weight=2.0)
        with pytest.raises(AssertionError, match="torch formula"):
            servo_step(robot, q.detach(), dq, task, DT, **options)


def test_quick_step_says_nothing_about_what_is_wrong() -> None:
    robot, q, dq, T, _ = states("xarm6", 2, 0.02)
    settings = servo_kernel.Settings(DT, 0.5, 1.0, False)

    def quick(q: object = q, dq: object = dq, T: object = T, fastest: object = None) -> object:
        return servo_kernel.quick_step(robot, q, dq, T, fastest, None, None, settings)

    assert quick() is not None
    bad = T.clone()
    bad[1, 0, 0] += 0.1
    for answer in (
        quick(q=q.tolist()), quick(q=q.to(torch.float16)), quick(q=q[0]), quick(q=q[:, :5]), quick(q=q * torch.nan),
        quick(dq=dq * torch.inf), quick(T=bad), quick(T=T[:, :3]), quick(fastest=-1.0), quick(fastest="1"),
        quick(fastest=torch.ones(5)), quick(fastest=float("nan")), quick(fastest=np.ones(6)),
    ):  # fmt: skip
        assert answer is None
    for error, arguments in (
        (NonFiniteError, (q * torch.nan, dq, T)), (NonFiniteError, (q, dq * torch.inf, T)), (RotationError, (q, dq, bad)),
    ):  # fmt: skip
        with pytest.raises(error):
            servo_step(robot, *arguments, DT)
    with pytest.raises(OptionError, match="velocity_limit"):
        servo_step(robot, q, dq, T, DT, velocity_limit=float("nan"))
    with pytest.raises(DiffkinError, match="backend"):
        servo_step(robot, q, dq, T, DT, backend="fast")


def test_limits_of_a_replaced_robot_count() -> None:
    robot, q, dq, T, _ = states("xarm6", 20, 0.2)
    servo_step(robot, q, dq, T, DT)
    calm = robot.replace(max_velocity=torch.full((6,), 0.1, dtype=DOUBLE))
    assert float(servo_step(calm, q, 0 * dq, T, DT).dq.abs().max()) <= 0.1
    assert float(servo_step(robot, q, 0 * dq, T, DT).dq.abs().max()) > 0.1
