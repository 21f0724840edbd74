"""Slow questions: asked when the target changed, and not too often; solutions that differ."""

import torch

import diffkin as dk
from diffkin.demos.arm.occasional import Occasional, spread_solutions


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


def test_solutions_differ_and_solve(iiwa: dk.Robot) -> None:
    target = iiwa.forward_kinematics(iiwa.sample(1, seed=6)[0])
    found = spread_solutions(iiwa, target, 6)
    assert 3 <= len(found) <= 6
    torch.testing.assert_close(iiwa.forward_kinematics(found), target.expand(len(found), 4, 4), rtol=0.0, atol=1e-5)
    apart = torch.cdist(found, found) + 10.0 * torch.eye(len(found))
    assert float(apart.min()) > 0.6
    far = target.clone()
    far[:3, 3] *= 9.0
    assert len(spread_solutions(iiwa, far, 6)) == 0
