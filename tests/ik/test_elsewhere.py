"""Robots on a GPU, tried with what needs none: what is brought to the CPU, and what comes back. See test_cuda.py."""

import dataclasses

import pytest
import torch

import diffkin as dk
from diffkin.ik.elsewhere import by_the_cpu, is_elsewhere, plainly
from diffkin.ik.options import make_options
from diffkin.ik.solve import _short_way
from diffkin.robot.conversion import on_cpu


def test_a_robot_on_the_cpu_stays(iiwa):
    target = iiwa.forward_kinematics(iiwa.sample(2))
    assert not is_elsewhere(iiwa, target)
    assert not is_elsewhere(iiwa, dk.ik.PoseTask(None, target))
    assert on_cpu(iiwa) is iiwa


def test_what_comes_back_is_the_same_result(iiwa):
    target = iiwa.forward_kinematics(iiwa.sample(4))
    leaf = target.clone().requires_grad_()
    found = by_the_cpu(dk.solve_ik, iiwa, leaf, max_restarts=3)
    expected = dk.solve_ik(iiwa, target, max_restarts=3)
    assert not found.q.requires_grad
    for each in dataclasses.fields(expected):
        value = getattr(expected, each.name)
        if isinstance(value, torch.Tensor):
            assert torch.equal(getattr(found, each.name), value), each.name


def test_nothing_comes_back_where_the_long_way_is_to_answer(iiwa):
    assert by_the_cpu(_short_way, iiwa, torch.eye(3), None, make_options(iiwa.dtype), None) is None


def test_a_robot_without_numbers_cannot_be_brought(iiwa):
    with pytest.raises(dk.errors.DeviceError, match="cpu"):
        on_cpu(iiwa.to(device="meta"))


def test_plainly_makes_tensors_where_the_robot_is(iiwa):
    there = iiwa.to(device="meta")
    with plainly(there):
        assert torch.arange(3).device.type == "meta"
    with torch.device("meta"), plainly(iiwa):
        assert torch.arange(3).device.type == "cpu"


CALLS = {
    "solve_all": lambda robot, T: dk.ik.solve_all(robot, T[0], max_solutions=4).q,
    "solve_all of a task": lambda robot, T: dk.ik.solve_all(robot, dk.ik.PositionTask(None, T[0, :3, 3])).q,
    "all_solutions": lambda robot, T: dk.ik.solutions.all_solutions(robot, T[0], starts=50, spacing=0.2),
    "solve_path": lambda robot, T: dk.motion.solve_path(robot, T).q,
    "servo_step": lambda robot, T: dk.motion.servo_step(robot, 0.9 * T.new_ones(robot.dof), T.new_zeros(7), T[0], 0.01).q,
    "servo_step of a task": lambda robot, T: dk.motion.servo_step(
        robot, T.new_ones(robot.dof), T.new_zeros(7), dk.ik.PositionTask(None, T[0, :3, 3]), 0.01, backend="reference"
    ).q,
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_the_default_device_changes_nothing(name, iiwa):
    """Tried with one that holds no numbers: what went there would come out without any, or stop the call."""
    ways = torch.linspace(0.3, 0.6, 12, dtype=torch.float64)[:, None] * torch.ones(7, dtype=torch.float64)
    T = iiwa.forward_kinematics(ways)
    expected = CALLS[name](iiwa, T)
    torch.set_default_device("meta")
    try:
        found = CALLS[name](iiwa, T)
    finally:
        torch.set_default_device(None)
    assert found.device.type == "cpu"
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
