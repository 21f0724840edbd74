"""Restarts: the lowest-ranked start that succeeds answers, whatever ran beside it."""

from __future__ import annotations

import pytest
import torch

import diffkin as dk
from diffkin import ik
from diffkin.ik.descent import descend
from diffkin.ik.options import make_options
from diffkin.ik.problem import State, make_problem
from diffkin.ik.search import Found, joined, search
from diffkin.ik.starts import Starts
from diffkin.kernels.ik.hope import HOPE, PROVEN_STARTS, ROUND


def searched(robot, T, q0=None, progress=None, **options):
    made = make_options(robot.dtype, **options)
    count = len(T)
    movable = torch.ones(robot.dof, dtype=torch.bool)
    problem = make_problem(robot, [ik.PoseTask(None, T)], T.shape[:1], movable, None, 1e-6, 1e-6)
    starts = Starts(problem, made, q0, None, count)
    return problem, starts, made, search(problem, made, starts, count, progress)


def test_the_lowest_start_that_succeeds_answers(panda):
    T = panda.forward_kinematics(panda.sample(40, seed=11))
    problem, starts, options, found = searched(panda, T)
    assert found.met.all()
    assert (found.restarts > 0).any()
    index = torch.arange(40)
    for rank in range(int(found.restarts.max()) + 1):
        start = starts.at(rank, index)
        most = (options.early_iterations + start.grace).clamp(max=options.max_iterations)
        end = descend(options.method, problem, start, most)
        assert not end.met[found.restarts > rank].any()
        here = found.restarts == rank
        assert end.met[here].all()
        torch.testing.assert_close(end.state.q[here], found.q[here], rtol=0, atol=1e-9)


def test_without_success_a_last_start_goes_on_from_the_best(panda):
    T = panda.forward_kinematics(panda.sample(30, seed=11))
    _, _, _, short = searched(panda, T, max_restarts=0)
    cut = searched(panda, T, max_restarts=0, max_iterations=3)
    problem, starts, options, found = cut
    first = descend(options.method, problem, starts.at(0, torch.arange(30)), 3)
    second = descend(options.method, problem, State(first.state.q, None, torch.arange(30)), 3)
    lost = ~first.met & ~second.met
    assert lost.any()
    torch.testing.assert_close(found.q[lost], second.state.q[lost], rtol=0, atol=1e-9)
    assert torch.equal(found.iterations[lost], torch.full_like(found.iterations[lost], 6))
    assert found.met.sum() < short.met.sum()


def test_progress_and_history(panda):
    T = panda.forward_kinematics(panda.sample(30, seed=11))
    T[0, :3, 3] *= 5.0
    told = []
    _, _, _, found = searched(
        panda, T, None, lambda done, total: told.append((done, total)), history=True, max_restarts=3
    )
    assert told == sorted(told)
    assert told[-1] == (30, 30)
    assert (found.history.diff(dim=0) <= 0).all()
    assert found.history.shape[1] == 30
    assert (found.history[-1][found.met] < 1e-5).all()
    assert found.history[-1, 0] > 1.0
    assert not found.met[0]


def test_the_nearest_of_several(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(15, seed=3))
    q0 = iiwa.sample(15, seed=12)
    distances = []
    for wanted in (1, 4):
        found = searched(iiwa, T, q0, nearest_of=wanted)[-1]
        assert found.met.all()
        distances.append((found.q - q0).norm(dim=-1))
    assert (distances[1] <= distances[0] + 1e-9).all()
    assert (distances[1] < distances[0] - 1e-3).any()


def test_proven_problems_get_few_starts_and_far_ones_whole_rounds(panda, monkeypatch):
    T = panda.forward_kinematics(panda.sample(20, seed=11))
    T[:6, :3, 3] += 4.0
    proven = torch.arange(20) < 3
    problem, starts, options, _ = searched(panda, T[:1])
    found = {}
    for hope in (HOPE, 1e9):
        monkeypatch.setattr("diffkin.ik.search.HOPE", hope)
        made = make_problem(
            panda, [ik.PoseTask(None, T)], T.shape[:1], torch.ones(7, dtype=torch.bool), None, 1e-6, 1e-6
        )
        found[hope] = search(made, options, Starts(made, options, None, None, 20), 20, proven=proven)
        assert found[hope].met.tolist() == [False] * 6 + [True] * 14
    told, whole = found[HOPE], found[1e9]
    assert (told.restarts[:3] < PROVEN_STARTS).all()
    assert torch.equal(told.iterations[:3], whole.iterations[:3])
    assert (told.restarts[3:6] < ROUND).all()  # metres away: a round of starts
    assert (told.iterations[3:6] < whole.iterations[3:6] / 4).all()
    assert torch.equal(told.q[6:], whole.q[6:])
    assert torch.equal(told.restarts[6:], whole.restarts[6:])
    alone = make_problem(
        panda, [ik.PoseTask(None, T[4:5])], torch.Size((1,)), torch.ones(7, dtype=torch.bool), None, 1e-6, 1e-6
    )
    monkeypatch.setattr("diffkin.ik.search.HOPE", HOPE)
    one = search(alone, options, Starts(alone, options, None, None, 1), 1)
    assert torch.equal(one.iterations, told.iterations[4:5])
    torch.testing.assert_close(one.q, told.q[4:5], rtol=0, atol=1e-9)


ROUTES = {
    "kernel": ({}, "pose"),
    "torch": ({"backend": "reference"}, "pose"),
    "another method": ({"solver": "gauss_newton"}, "pose"),
    "list": ({}, "list"),
    "preference": ({}, "preference"),
    "nearest": ({"nearest_of": 4}, "pose"),
    "free base": ({"free_base": "planar"}, "pose"),
    "locked": ({"locked": ["panda_joint1"]}, "pose"),
    "differentiable": ({"differentiable": True}, "pose"),
    "differentiable list": ({"differentiable": True}, "list"),
}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("limit", [1e-9, 1.5])
def test_whatever_the_time_left_flags_are_honest(panda, route, limit, monkeypatch):
    options, kind = ROUTES[route]
    count = 90
    q = panda.sample(count, seed=31)
    T = panda.forward_kinematics(q)
    T[1, :3, 3] += 9.0
    q0 = panda.sample(count, seed=32)
    q0[:, 0] = q[:, 0]
    q0[-1] = q[-1]  # the last one's start is its answer: nothing is left to do, and that counts
    target = [ik.PositionTask(None, T[:, :3, 3]), ik.RayDirectionTask(None, (0.0, 0.0, 1.0), T[:, :3, 2])]
    target = {"pose": T, "list": target, "preference": [*target, ik.PostureTask(q0, priority=1)]}[kind]
    clock = iter(range(10**6))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    result = dk.solve_ik(panda, target, q0=q0, time_limit=limit, **options)
    assert result.success.shape == (count,)
    assert ((result.q >= panda.lower) & (result.q <= panda.upper)).all()
    here = panda.forward_kinematics(result.q.detach(), base=result.base)
    error = (here - T)[:, :3, 3].norm(dim=-1)
    torch.testing.assert_close(result.position_error.detach(), error, rtol=0, atol=1e-9)
    assert (error[result.success] <= 1e-6).all()
    missed = ~result.success
    assert (torch.maximum(result.position_error, result.rotation_error)[missed] > 0.99e-6).all()
    if route != "free base":
        assert missed[1]
    assert result.success[-1]
    assert missed.sum() < count - 1


def test_problems_solved_apart_are_joined():
    one = Found(torch.tensor([[1.0, 2.0, 3.0]]), None, torch.tensor([True]), torch.tensor([4]), torch.tensor([2]), None)
    two = Found(
        torch.tensor([[5.0, 6.0, 7.0]]), None, torch.tensor([False]), torch.tensor([3]), torch.tensor([9]), None
    )
    both = joined([one, two], [torch.tensor([True, False, False]), torch.tensor([False, True, False])])
    assert both.q.tolist() == [[1.0, 6.0, 3.0]]
    assert (both.met.tolist(), both.iterations.tolist(), both.restarts.tolist()) == ([False], [7], [9])


@pytest.mark.parametrize("solver", ["adam", "gradient_descent", "lbfgs"])
def test_a_first_start_that_is_a_solution_costs_no_step(panda, solver, monkeypatch):
    method = ik.SOLVERS[solver]
    steps, step = [], method.step
    monkeypatch.setattr(method, "step", lambda *arguments: steps.append(1) or step(*arguments))
    q0 = panda.sample(1, seed=5)
    found = dk.solve_ik(panda, panda.forward_kinematics(q0), q0=q0, solver=solver)
    assert found.success.all()
    assert torch.equal(found.q, q0)
    assert steps == []
