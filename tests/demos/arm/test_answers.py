"""Answers within a frame's time, and the numbers beside them."""

import pytest
import torch

import diffkin as dk
from diffkin.demos.arm import answers
from diffkin.rotations import angle_between


@pytest.mark.parametrize("solver", answers.SOLVER_NAMES)
def test_answers_tell_their_errors(solver: str, panda: dk.Robot) -> None:
    target = panda.forward_kinematics(panda.sample(1, seed=2)[0])
    answer = answers.solve(panda, target, panda.sample(1, seed=3)[0], solver)
    pose = panda.forward_kinematics(answer.q)
    assert answer.position_error == pytest.approx(float((pose - target)[:3, 3].norm()), abs=1e-9)
    assert answer.rotation_error == pytest.approx(float(angle_between(pose[:3, :3], target[:3, :3])), abs=1e-7)
    assert answer.seconds > 0 and (answer.success or solver in ("gradient_descent", "adam", "lbfgs"))


def test_few_coordinates_are_asked_for_a_position(scara: dk.Robot) -> None:
    target = scara.forward_kinematics(scara.sample(1, seed=2)[0])
    answer = answers.solve(scara, target, None, "levenberg_marquardt")
    assert answer.success and answer.rotation_error is None


def test_the_margin_is_one_in_the_middle_and_zero_at_a_limit(panda: dk.Robot) -> None:
    middle = 0.5 * (panda.lower + panda.upper)
    assert answers.limit_margin(panda, middle) == pytest.approx(1.0)
    q = middle.clone()
    q[4] = panda.upper[4]
    assert answers.limit_margin(panda, q) == 0.0
    q[4] = middle[4] + 0.75 * (panda.upper[4] - middle[4])
    assert answers.limit_margin(panda, q) == pytest.approx(0.25)
    free = panda.replace(lower=torch.full_like(panda.lower, -torch.inf), upper=torch.full_like(panda.upper, torch.inf))
    assert answers.limit_margin(free, q) is None


def test_bullets_opinion_is_that_of_the_check(panda: dk.Robot) -> None:
    pytest.importorskip("pybullet")
    from diffkin.simulation import open_world
    from diffkin.simulation.bullet_robot import load
    from diffkin.simulation.checks import bullet_ik

    targets = panda.forward_kinematics(panda.sample(2, seed=5))
    ask = answers.bullet_opinion(panda)
    with open_world() as client:
        own = bullet_ik(load(client, panda), targets)
    for k in range(2):
        assert ask(targets[k]).position_error == pytest.approx(float(own.position_error[k]))
        assert ask(targets[k]).within_limits == bool(own.within_limits[k])
    assert len(answers.opinion_readings(ask(targets[0]))) == 4 and answers.opinion_readings(None) == ()
