"""Slow questions: asked when the target changed, and not too often; all solutions of a target."""

import pytest
import torch

import diffkin as dk
from diffkin.demos.arm.occasional import Occasional, every_solution


def test_asked_only_where_the_target_changed_and_time_has_passed() -> None:
    asked: list[float] = []

    def slow(target: torch.Tensor) -> float:
        asked.append(float(target[0, 3]))
        return asked[-1]

    occasional = Occasional(slow, wait=0.3)
    pose = torch.eye(4)

    def at(x: float, t: float) -> float | None:
        pose[0, 3] = x
        return occasional.at(pose, t)

    assert at(1.0, 0.0) == 1.0
    assert at(1.0, 5.0) == 1.0 and asked == [1.0]
    assert at(2.0, 5.1) == 2.0
    assert at(3.0, 5.2) == 2.0  # too soon
    assert at(3.0, 5.5) == 3.0 and asked == [1.0, 2.0, 3.0]
    assert at(4.0, 0.0) == 4.0  # the clock began anew


def test_an_arm_without_self_motion_has_so_many_solutions() -> None:
    robot = dk.load_robot("planar_2r")
    q = torch.tensor([0.3, 0.9], dtype=torch.float64)
    found = every_solution(robot, robot.forward_kinematics(q), q, 24)
    assert (found.count, found.endless) == (2, False)
    torch.testing.assert_close(found.q[0], q, rtol=0.0, atol=1e-5)
    assert float(found.q[1, 1]) == pytest.approx(-0.9, abs=1e-5)


def test_whole_turns_count_and_look_the_same() -> None:
    xarm6 = dk.load_robot("xarm6")
    q = torch.tensor([0.3, -0.4, -0.9, 0.2, 0.8, 0.1], dtype=torch.float64)
    target = xarm6.forward_kinematics(q)
    found = every_solution(xarm6, target, q, 24)
    torch.testing.assert_close(found.q[0], q, rtol=0.0, atol=1e-5)
    assert not found.endless and 1 < len(found.q) <= 16 < found.count  # 16: of any arm with six joints (Primrose, 1986)
    turned = torch.cat((found.q.cos(), found.q.sin()), dim=-1)
    assert float((torch.cdist(turned, turned) + torch.eye(len(turned))).min()) > 1e-3
    reached = xarm6.forward_kinematics(found.q)
    torch.testing.assert_close(reached, target.expand_as(reached), rtol=0.0, atol=1e-5)


def test_self_motion_is_said_and_spread(iiwa: dk.Robot) -> None:
    target = iiwa.forward_kinematics(iiwa.sample(1, seed=6)[0])
    found = every_solution(iiwa, target, torch.zeros(7, dtype=torch.float64), 24)
    assert found.endless and len(found.q) == 24
    torch.testing.assert_close(iiwa.forward_kinematics(found.q), target.expand(24, 4, 4), rtol=0.0, atol=1e-5)
    assert float((torch.cdist(found.q, found.q) + 10.0 * torch.eye(24)).min()) > 0.2
    far = target.clone()
    far[:3, 3] *= 9.0
    assert len(every_solution(iiwa, far, found.q[0], 24).q) == 0
