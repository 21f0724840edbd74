"""Levenberg-Marquardt and Gauss-Newton: their step, their settings, when they give up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from diffkin import ik
from diffkin.errors import OptionError
from diffkin.ik.descent import descend
from diffkin.ik.problem import State, make_problem
from diffkin.ik.solvers.newton import FAR, FLOOR, GaussNewton, LevenbergMarquardt, damped_step

CONFIGS = Path(__file__).parents[3] / "configs" / "solver"


def problems(robot, q, tolerance=1e-9):
    task = ik.PoseTask(None, robot.forward_kinematics(q))
    return make_problem(robot, [task], q.shape[:1], torch.ones(7, dtype=torch.bool), None, tolerance, tolerance)


@pytest.mark.parametrize("name", list(ik.SOLVERS))
def test_the_configuration_holds_the_defaults(name):
    given = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text(encoding="utf-8"))
    solver = ik.SOLVERS[name]()
    settings = {key: value for key, value in vars(solver).items() if key not in ("max_iterations", "max_restarts")}
    assert {key: tuple(v) if isinstance(v := given[key], list) else v for key in settings} == settings
    text = (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8")
    assert f"max_iterations: null # for each start; null: the solver's own, {solver.max_iterations}\n" in text
    assert f"max_restarts: null # starts after the first; null: the solver's own, {solver.max_restarts}\n" in text


@pytest.mark.parametrize("damping", [1e-9, 1e-2, 3.0])
def test_damped_step_is_the_least_squares_solution(damping):
    generator = torch.Generator().manual_seed(0)
    residual = torch.randn(5, 6, generator=generator, dtype=torch.float64)
    derivative = torch.randn(5, 6, 7, generator=generator, dtype=torch.float64)
    free = torch.ones(5, 7, dtype=torch.bool)
    free[1, 2] = free[3, :4] = False
    step = damped_step(residual, derivative, free, torch.full((5,), damping, dtype=torch.float64))
    for k in range(5):
        active = derivative[k, :, free[k]].numpy()
        rows = np.concatenate([active, np.sqrt(damping) * np.eye(active.shape[1])])
        goal = np.concatenate([-residual[k].numpy(), np.zeros(active.shape[1])])
        np.testing.assert_allclose(step[k, free[k]], np.linalg.lstsq(rows, goal, rcond=None)[0], rtol=1e-5, atol=1e-6)
        assert (step[k, ~free[k]] == 0).all()


def test_a_step_of_levenberg_marquardt(iiwa):
    q = iiwa.sample(30, seed=1)
    problem, state = problems(iiwa, q), State(iiwa.sample(30, seed=2), None, torch.arange(30))
    method = LevenbergMarquardt(damping=1e-6, grow=3.0, shrink=0.25)
    first = method.start(problem, state)
    residual, derivative = problem.linearize(state)
    damping = 1e-6 * residual.square().sum(-1) + FLOOR
    free = problem.free(state, (derivative.mT @ residual[..., None])[..., 0])
    expected = problem.move(state, damped_step(residual, derivative, free, damping))
    moved, second = method.step(problem, state, first)
    better = problem.residual(expected).square().sum(-1) < residual.square().sum(-1)
    assert better.any()
    assert not better.all()
    torch.testing.assert_close(moved.q[better], expected.q[better], rtol=0, atol=1e-12)
    assert torch.equal(moved.q[~better], state.q[~better])  # taken back
    assert torch.equal(second.growth, torch.where(better, 1.0, 3.0).double())
    _, third = method.step(problem, moved, second)
    assert set(third.growth.tolist()) <= {1.0, 3.0, 9.0}


def test_patience_counts_where_the_error_is_far(iiwa):
    q = iiwa.sample(4, seed=1)
    problem = problems(iiwa, q)
    away = torch.tensor([0.0, 1e-3, 0.5, 0.5], dtype=torch.float64)[:, None]
    grace = torch.tensor([0.0, 0.0, 0.0, 9.0], dtype=torch.float64)
    state = State((q + away).clamp(iiwa.lower, iiwa.upper), None, torch.arange(4), grace)
    memory = LevenbergMarquardt(patience=0).start(problem, state)
    assert ((2.0 * memory.cost).sqrt() > FAR).tolist() == [False, False, True, True]
    assert memory.stalled.tolist() == [False, False, True, False]
    assert not memory.converged.any()
    assert not memory.diverged.any()


def test_gauss_newton_gives_up_where_nothing_gets_better(iiwa):
    q = iiwa.sample(5, seed=1)
    far = problems(iiwa, q)
    far.tasks[0].target[:, :3, 3] *= 5.0
    state = State(iiwa.sample(5, seed=2), None, torch.arange(5))
    end = descend(GaussNewton(patience=3), far, state, 64)
    assert (end.iterations < 64).all()
    assert not end.met.any()
    near = descend(GaussNewton(), problems(iiwa, q), State(q + 0.01, None, torch.arange(5)), 64)
    assert near.met.all()
    assert (near.iterations <= 5).all()  # the error squares each time
    longest = descend(GaussNewton(max_step=0.1), problems(iiwa, q), state, 1)
    assert (longest.state.q - state.q).abs().max() <= 0.1 + 1e-12


@pytest.mark.parametrize(
    "setting",
    [{"damping": -1.0}, {"damping": float("nan")}, {"damping": "a"}, {"grow": 1.0}, {"shrink": 0.0}, {"shrink": 2.0}, {"patience": -1},
     {"early_iterations": 0}],
)  # fmt: skip
def test_bad_settings_are_refused(setting):
    with pytest.raises(OptionError, match=next(iter(setting))):
        LevenbergMarquardt(**setting)


@pytest.mark.parametrize("setting", [{"max_step": 0.0}, {"max_step": float("inf")}, {"patience": -1}])
def test_bad_settings_of_gauss_newton_are_refused(setting):
    with pytest.raises(OptionError, match=next(iter(setting))):
        GaussNewton(**setting)
