"""Restarts: the lowest-ranked start that succeeds answers, whatever ran beside it."""

from __future__ import annotations

import torch

from diffkin import ik
from diffkin.ik.descent import descend
from diffkin.ik.options import make_options
from diffkin.ik.problem import State, make_problem
from diffkin.ik.search import Found, joined, search
from diffkin.ik.starts import Starts


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


def test_problems_solved_apart_are_joined():
    one = Found(torch.tensor([[1.0, 2.0, 3.0]]), None, torch.tensor([True]), torch.tensor([4]), torch.tensor([2]), None)
    two = Found(
        torch.tensor([[5.0, 6.0, 7.0]]), None, torch.tensor([False]), torch.tensor([3]), torch.tensor([9]), None
    )
    both = joined([one, two], [torch.tensor([True, False, False]), torch.tensor([False, True, False])])
    assert both.q.tolist() == [[1.0, 6.0, 3.0]]
    assert (both.met.tolist(), both.iterations.tolist(), both.restarts.tolist()) == ([False], [7], [9])
