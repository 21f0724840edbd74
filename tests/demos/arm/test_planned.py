"""A round solved beforehand: on its path, closed, without a jump; a jump is made at once."""

import pytest
import torch

import diffkin as dk
from diffkin.demos.arm.common import home_of
from diffkin.demos.arm.planned import Plan, plan_round
from diffkin.demos.arm.way import Way, circle, lissajous
from diffkin.motion import PathResult
from diffkin.rotations import angle_between


@pytest.mark.parametrize(("name", "shape"), [("xarm6", circle), ("planar_2r", lissajous)])
def test_a_round_is_on_its_path_and_ends_where_it_began(name: str, shape) -> None:
    robot = dk.load_robot(name)
    home = home_of(robot)
    way = Way(robot, home, shape, 0.15)
    plan = plan_round(robot, way.pose, home)
    assert plan.path.success and plan.jumps == ()
    assert torch.equal(plan.path.q[0], plan.path.q[-1])
    phases = torch.linspace(0.0, 1.0, 101).tolist()
    q = torch.stack([plan.at(phase) for phase in phases])
    poses, wanted = robot.forward_kinematics(q), torch.stack([way.pose(phase) for phase in phases])
    assert float((poses - wanted)[:, :3, 3].norm(dim=-1).max()) < 2e-4  # on the chord between two ticks
    if robot.dof == 6:
        assert float(angle_between(poses[:, :3, :3], wanted[:, :3, :3]).max()) < 1e-3
    assert float((q[1:] - q[:-1]).abs().max()) < 0.3
    assert torch.equal(plan.at(1.25), plan.at(0.25))


def test_a_jump_is_not_gone_through() -> None:
    q = torch.tensor([[0.0], [0.1], [2.1], [2.0], [0.0]], dtype=torch.float64)
    none = torch.zeros(5, dtype=torch.float64)
    plan = Plan(PathResult(q, False, (1, 3), 2.0, none, none), 0.0)
    assert plan.jumps == (0.5, 1.0)
    at = [float(plan.at(phase)) for phase in (0.125, 0.3, 0.45, 0.5, 0.625, 0.8, 0.99, 1.0)]
    assert at == pytest.approx([0.05, 0.1, 2.1, 2.1, 2.05, 2.0, 0.0, 0.0])
