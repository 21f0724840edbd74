"""Descents side by side: each stops on its own; a method of one's own takes a few lines."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

import diffkin as dk
from diffkin import ik
from diffkin.ik.descent import Memory, descend
from diffkin.ik.problem import Problem, State, make_problem
from diffkin.ik.solvers.newton import LevenbergMarquardt


@dataclass(frozen=True)
class Transpose:
    """The Jacobian transpose method (Wolovich & Elliott 1984), with the step that is best to first order."""

    max_iterations: int = 3000
    max_restarts: int = 5

    def start(self, problem: Problem, state: State) -> Memory:
        return Memory(0.5 * problem.residual(state).square().sum(-1))

    def step(self, problem: Problem, state: State, memory: Memory) -> tuple[State, Memory]:
        residual, derivative = problem.linearize(state)
        slope = dk._algebra.apply(derivative.mT, residual)
        change = dk._algebra.apply(derivative, slope)
        rate = slope.square().sum(-1) / change.square().sum(-1)
        moved = problem.move(state, -0.5 * rate[:, None] * slope)
        return moved, self.start(problem, moved)


@dataclass(frozen=True, eq=False)
class Counted(Memory):
    left: Tensor

    @property
    def stalled(self) -> Tensor:
        return self.left <= 0

    @property
    def converged(self) -> Tensor:
        return self.cost == 3.0


@dataclass(frozen=True)
class Countdown:
    """Stays where it is; descent k stalls after k steps, turns to NaN, or converges."""

    max_iterations: int = 50
    max_restarts: int = 0

    def start(self, problem: Problem, state: State) -> Counted:
        return Counted(torch.ones(len(state.q)), state.problem.clone())

    def step(self, problem: Problem, state: State, memory: Counted) -> tuple[State, Counted]:
        cost = torch.where(state.problem == 8, torch.nan, torch.where(state.problem == 9, 3.0, memory.cost))
        return state, Counted(cost, memory.left - 1)


def problems(robot, count, **tolerances):
    T = robot.forward_kinematics(robot.sample(count, seed=1))
    T[:, :3, 3] += 9.0  # never met
    movable = torch.ones(robot.dof, dtype=torch.bool)
    return make_problem(robot, [ik.PoseTask(None, T)], torch.Size((count,)), movable)


def test_each_stops_on_its_own(iiwa):
    state = State(iiwa.sample(12), None, torch.arange(12))
    end = descend(Countdown(), problems(iiwa, 12), state, 10)
    assert end.iterations.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 1, 1, 10, 10]
    assert not end.met.any()
    assert torch.equal(end.state.q, state.q)
    most = torch.full((12,), 4.0)
    most[11] = 2.25  # steps are whole
    assert descend(Countdown(), problems(iiwa, 12), state, most).iterations.tolist()[9:] == [1, 4, 3]


def test_ends_are_in_the_order_of_the_starts(panda):
    q = panda.sample(20, seed=1)
    problem = make_problem(
        panda, [ik.PoseTask(None, panda.forward_kinematics(q))], q.shape[:1], torch.ones(7, dtype=torch.bool), None,
        1e-6, 1e-6,
    )  # fmt: skip
    state = State(panda.sample(20, seed=2), None, torch.arange(20))
    seen = []
    end = descend(LevenbergMarquardt(), problem, state, 30, lambda index, cost: seen.append((index, cost)))
    assert 0 < end.met.sum() < 20
    position, rotation = problem.errors(State(end.state.q, None, state.problem))
    assert torch.equal((position <= 1e-6) & (rotation <= 1e-6), end.met)
    assert len(seen) == int(end.iterations.max()) + 1
    assert len(seen[0][0]) == 20
    assert len(seen[-1][0]) < 20


def test_a_method_of_ones_own_in_a_few_lines(iiwa):
    p = iiwa.forward_kinematics(iiwa.sample(5, seed=3))[:, :3, 3]
    result = dk.solve_ik(iiwa, ik.PositionTask(None, p), solver=Transpose())
    assert result.success.all()
    torch.testing.assert_close(iiwa.forward_kinematics(result.q)[:, :3, 3], p, rtol=0, atol=1e-6)
    short = dk.solve_ik(iiwa, ik.PositionTask(None, p), solver=Transpose(max_iterations=2, max_restarts=0))
    assert short.iterations.max() <= 4  # of the start and of the last try from where it ended
    with pytest.raises(dk.errors.OptionError, match="max_iterations"):
        dk.solve_ik(iiwa, ik.PositionTask(None, p), solver=Transpose(max_iterations=0))


def test_memory_takes_rows_of_all_its_fields():
    memory = Counted(torch.arange(4.0), torch.arange(4) + 10)
    part = memory.take(torch.tensor([3, 1]))
    assert type(part) is Counted
    assert part.cost.tolist() == [3.0, 1.0]
    assert part.left.tolist() == [13, 11]
    assert part.converged.tolist() == [True, False]
    assert not part.diverged.any()


def test_descents_are_left_once_one_before_them_has_met_the_same_problem(panda):
    T = panda.forward_kinematics(panda.sample(6, seed=1))
    problem = make_problem(
        panda, [ik.PoseTask(None, T)], T.shape[:1], torch.ones(7, dtype=torch.bool), None, 1e-6, 1e-6
    )
    starts = 8
    state = State(panda.sample(6 * starts, seed=2), None, torch.arange(6).repeat(starts))
    whole = descend(LevenbergMarquardt(), problem, state, 30)
    cut = descend(LevenbergMarquardt(), problem, state, 30, one_will_do=True)
    assert whole.met.sum() > cut.met.sum() > 0
    assert not (cut.met & ~whole.met).any()
    for k in range(6):
        rows = torch.arange(k, 6 * starts, 6)
        first = int(whole.met[rows].long().argmax())  # 0 where none has met
        assert torch.equal(cut.met[rows[: first + 1]], whole.met[rows[: first + 1]])
        assert torch.equal(cut.iterations[rows[: first + 1]], whole.iterations[rows[: first + 1]])
        torch.testing.assert_close(cut.state.q[rows[: first + 1]], whole.state.q[rows[: first + 1]], rtol=0, atol=1e-9)
        if whole.met[rows].any():
            assert (cut.iterations[rows] <= whole.iterations[rows]).all()
            assert cut.iterations[rows].max() <= whole.iterations[rows[: first + 1]].max()
