"""Tasks of second priority: as near to zero as those of the first allow."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

import diffkin as dk
from diffkin import ik
from diffkin.ik.descent import descend
from diffkin.ik.problem import State, make_problem
from diffkin.ik.solvers.priority import SelfMotion


def test_second_priority_gives_way(iiwa):
    q = iiwa.sample(10, seed=1)
    T = iiwa.forward_kinematics(q)

    @dataclass(frozen=True, eq=False)
    class Rest(ik.Task):
        rest: Tensor
        unit = "rad"

        def residual(self, poses, q, problem):
            return q - self.rest

    rest = torch.zeros(7, dtype=torch.float64)
    both = dk.solve_ik(iiwa, [ik.PoseTask(None, T), Rest(rest, priority=1)], q0=q)
    assert both.success.all()
    # along the self-motion the distance to rest is stationary: its gradient has no part in the null space of J
    J = iiwa.jacobian(both.q)
    null = torch.linalg.svd(J).Vh[:, 6]
    free = ((both.q > iiwa.lower + 1e-6) & (both.q < iiwa.upper - 1e-6)).all(-1)
    assert free.any()
    slope = ((both.q - rest) * null).sum(-1).abs() / (both.q - rest).norm(dim=-1)
    assert slope[free].max() < 1e-3
    assert (both.q.norm(dim=-1) < q.norm(dim=-1)).double().mean() > 0.7


def test_self_motion_keeps_the_first_tasks_and_stops_by_itself(iiwa):
    q = iiwa.sample(6, seed=3)
    T = iiwa.forward_kinematics(q)
    elbow = iiwa.forward_kinematics(q, links=["lbr_iiwa_link_4"])[:, 0, :3, 3]
    up = elbow + torch.tensor([0.0, 0.0, 0.2], dtype=torch.float64)
    tasks = [ik.PoseTask(None, T), ik.PositionTask("lbr_iiwa_link_4", up, priority=1)]
    problem = make_problem(iiwa, tasks, torch.Size((6,)), torch.ones(7, dtype=torch.bool), None, 1e-6, 1e-6)
    state = State(q, None, torch.arange(6))
    before = SelfMotion().start(problem, state)
    assert not before.converged.any()
    assert not before.stalled.any()
    end = descend(SelfMotion(), problem, state, 200)
    assert end.met.all()
    assert (end.cost <= before.cost).all()
    assert (end.cost < 0.9 * before.cost).any()
    assert (end.iterations < 200).all()


def test_a_joint_that_a_preference_pushes_stands_on_its_limit(iiwa):
    @dataclass(frozen=True, eq=False)
    class Rest(ik.Task):
        rest: Tensor
        unit = "rad"

        def residual(self, poses, q, problem):
            return q - self.rest

    start = iiwa.replace(lower=0.6 * iiwa.lower, upper=0.6 * iiwa.upper).sample(1, seed=3)[0]
    p = iiwa.forward_kinematics(start)[:3, 3]
    rest = start + 0.1 * torch.sin(torch.arange(7) + 1.0)
    tasks = [ik.PositionTask(None, p), Rest(rest, priority=1)]
    tight = {"position_tolerance": 1e-11, "rotation_tolerance": 1e-11}
    q = dk.solve_ik(iiwa, tasks, q0=start, **tight).q
    joint = int((q - start).argmax())  # pushed upward
    free = torch.arange(7) != joint
    wanted, at = float(q[joint]), q
    for below in (0.05, 0.048):  # the limit is reached from above, then with some way to go
        upper = torch.where(free, iiwa.upper, wanted - below)
        result = dk.solve_ik(iiwa.replace(upper=upper), tasks, q0=at, **tight)
        assert result.success
        assert result.q[joint] == upper[joint]
        at = result.q
    # by the conditions of Karush, Kuhn and Tucker: stationary in what is free, pushed outward at the limit
    J = iiwa.jacobian(at)[:3]
    gradient = at - rest
    multipliers = torch.linalg.lstsq(J[:, free].mT, -gradient[free, None]).solution
    left = gradient + (J.mT @ multipliers).squeeze(-1)
    assert left[free].abs().max() < 1e-6
    assert left[joint] < -1e-2
