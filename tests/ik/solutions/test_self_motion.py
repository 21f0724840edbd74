"""Tracing self-motion: against a closed form, closed loops, limits, and what cannot be traced."""

import math

import pytest
import torch

import diffkin as dk
from diffkin.errors import OptionError
from diffkin.ik.solutions.self_motion import assign, null_directions, stays_within, trace_arcs, wrapped

TWIN = """
<robot name="twin"><link name="a"/><link name="b"/><link name="c"/>
  <joint name="one" type="{kind}"><parent link="a"/><child link="b"/><axis xyz="0 0 1"/>{limit}</joint>
  <joint name="two" type="{kind}"><parent link="b"/><child link="c"/><axis xyz="0 0 1"/>{limit}</joint>
</robot>
"""


def twin(kind="continuous", limit=""):
    """Two joints about one axis: only their sum moves the tip, so the self-motion is q1 + q2 = constant."""
    return dk.Robot.from_urdf(TWIN.format(kind=kind, limit=limit))


def test_a_loop_of_continuous_joints_is_closed():
    robot = twin()
    q = torch.tensor([[0.3, 0.4], [2.0, -1.3], [-2.5, 3.2]], dtype=torch.float64)  # all of sum 0.7
    T = robot.forward_kinematics(q[0])
    arcs, labels = trace_arcs(robot, T, q)
    assert len(arcs) == 1
    assert arcs[0].closed
    assert labels.tolist() == [0, 0, 0]
    turned = torch.remainder(arcs[0].q.sum(-1) - 0.7 + math.pi, 2 * math.pi) - math.pi
    assert float(turned.abs().max()) < 1e-7
    assert len(arcs[0].q) == pytest.approx(2 * math.pi * math.sqrt(2) / 0.03, rel=0.02)


def test_limits_end_an_arc():
    robot = twin("revolute", '<limit lower="-1" upper="2" effort="1" velocity="1"/>')
    q = torch.tensor([[0.3, 0.4]], dtype=torch.float64)
    arcs, _ = trace_arcs(robot, robot.forward_kinematics(q[0]), q)
    assert len(arcs) == 1
    assert not arcs[0].closed
    ends = arcs[0].q[[0, -1], 0].sort().values  # q2 = 0.7 - q1 within -1 and 2, so q1 from -1 (not -1.3) to 1.7
    assert torch.allclose(ends, torch.tensor([-1.0, 1.7], dtype=torch.float64), atol=1e-3)


def test_traced_points_keep_the_pose_and_lie_close(iiwa):
    q = iiwa.sample(1, seed=3)
    T = iiwa.forward_kinematics(q[0])
    arcs, _ = trace_arcs(iiwa, T, q)
    points = arcs[0].q
    assert len(points) > 10
    assert float((iiwa.forward_kinematics(points) - T).abs().max()) < 1e-7
    assert bool(((points >= iiwa.lower - 1e-6) & (points <= iiwa.upper + 1e-6)).all())
    assert float((points[1:] - points[:-1]).norm(dim=-1).max()) < 1.3 * 0.03
    assert float(assign(iiwa, points, arcs[0]).max()) < 1e-9
    assert float(assign(iiwa, q + 0.5, arcs[0])[0]) > 0.02


def test_null_directions_do_not_move_the_tip(iiwa):
    q = iiwa.sample(50)
    nullity, directions = null_directions(iiwa, q)
    assert nullity == 1
    assert float((iiwa.jacobian(q) @ directions[..., None]).abs().max()) < 1e-12
    assert null_directions(dk.load_robot("xarm6"), dk.load_robot("xarm6").sample(20))[0] == 0


def test_an_excursion_beyond_a_limit_between_two_points_is_seen(iiwa):
    a = torch.zeros(1, 7, dtype=torch.float64)
    a[0, 0] = iiwa.upper[0] - 1e-3
    way = torch.zeros(1, 7, dtype=torch.float64)
    way[0, 1] = 0.1
    up, down = way.clone(), way.clone()
    up[0, 0], down[0, 0] = 0.1, -0.1  # rises by 0.025 in between and comes back
    unit = [each / each.norm() for each in (up, down)]
    assert not bool(stays_within(iiwa, a, way, *unit)[0])
    a[0, 0] -= 0.1
    assert bool(stays_within(iiwa, a, way, *unit)[0])


def test_more_than_a_curve_is_refused():
    robot = dk.Robot.from_urdf(
        TWIN.format(kind="continuous", limit="").replace(
            "</robot>",
            '<link name="d"/><joint name="three" type="continuous"><parent link="c"/><child link="d"/>'
            '<axis xyz="0 0 1"/></joint></robot>',
        )
    )
    with pytest.raises(OptionError, match="dimension 2"):
        trace_arcs(robot, torch.eye(4, dtype=torch.float64), torch.zeros(1, 3, dtype=torch.float64))


def test_differences_of_continuous_joints_wrap(iiwa):
    robot = twin()
    gap = wrapped(robot, torch.tensor([[6.0, -6.0]], dtype=torch.float64))
    assert torch.allclose(gap, torch.tensor([[6.0 - 2 * math.pi, 2 * math.pi - 6.0]], dtype=torch.float64))
    assert torch.equal(wrapped(iiwa, torch.full((1, 7), 6.0)), torch.full((1, 7), 6.0))
