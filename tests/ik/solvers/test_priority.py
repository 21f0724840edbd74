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


def test_three_priorities_each_along_what_those_before_leave(iiwa):
    q = iiwa.sample(40, seed=1)
    q = q[iiwa.manipulability(q).topk(4).indices]
    T = iiwa.forward_kinematics(q)
    up = T[:, :3, 2] + 0.1  # a direction that can be had,
    far = iiwa.forward_kinematics(q, links=["lbr_iiwa_link_4"])[:, 0, :3, 3] * 1.5  # and a place that cannot
    first, rest = ik.PositionTask(None, T[:, :3, 3]), 0.5 * q
    point, elbow = (
        ik.RayDirectionTask(None, (0, 0, 1), up, priority=1),
        ik.PositionTask("lbr_iiwa_link_4", far, priority=1),
    )
    for second, met in ((point, True), (elbow, False)):
        two = dk.solve_ik(iiwa, [first, second], q0=q)
        three = dk.solve_ik(iiwa, [first, second, ik.PostureTask(rest, priority=2)], q0=q)
        assert three.success.all()
        costs = []
        for found in (two, three):
            free = torch.ones(7, dtype=torch.bool)
            problem = make_problem(iiwa, [second], torch.Size((4,)), free)
            costs.append(problem.residual(State(found.q, None, torch.arange(4))).norm(dim=-1))
        assert bool((costs[0] < 1e-6).all()) == met
        # the third has cost the second nothing that it could have had
        torch.testing.assert_close(costs[1], costs[0], rtol=1e-5, atol=1e-6)
        nearer = (three.q - rest).norm(dim=-1) <= (two.q - rest).norm(dim=-1) + 1e-6
        assert nearer.all()
        if met:
            assert ((three.q - rest).norm(dim=-1) < (two.q - rest).norm(dim=-1) - 1e-2).any()


def test_gradients_through_three_priorities(iiwa):
    q = iiwa.sample(50, seed=6)
    q = q[iiwa.manipulability(q).argmax()]
    T = iiwa.forward_kinematics(q)
    tight = {"position_tolerance": 1e-11, "rotation_tolerance": 1e-11}

    def solved(x: torch.Tensor, q0: torch.Tensor, differentiable: bool = False) -> torch.Tensor:
        tasks = [
            ik.PositionTask(None, T[:3, 3] + 0.1 * x),
            ik.RayDirectionTask(None, (0.0, 0.0, 1.0), T[:3, 2] + 0.2 * x, priority=1),
            ik.PostureTask(q + 0.05 + x, priority=2),
        ]
        return dk.solve_ik(iiwa, tasks, q0=q0, differentiable=differentiable, **tight).q

    zero = torch.zeros((), dtype=torch.float64)
    start = solved(zero, solved(zero, q))
    x = zero.clone().requires_grad_()
    rows = torch.stack([torch.autograd.grad(each, x, retain_graph=True)[0] for each in solved(x, start, True)])
    step = torch.tensor(1e-3, dtype=torch.float64)
    near, far = ((solved(s * step, start) - solved(-s * step, start)) / (2e-3 * s) for s in (1, 2))
    torch.testing.assert_close(rows, (4 * near - far) / 3, rtol=2e-5, atol=2e-5)
