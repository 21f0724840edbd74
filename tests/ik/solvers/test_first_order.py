"""Descents by the gradient alone: where they end, beside SciPy's, and when they say so."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from diffkin import ik
from diffkin.errors import OptionError
from diffkin.ik.descent import descend
from diffkin.ik.problem import State, make_problem
from diffkin.ik.solvers.first_order import LBFGS, Adam, GradientDescent

METHODS = [GradientDescent(), Adam(), LBFGS()]


def problems(robot, target):
    task = ik.PositionTask(None, target)
    return make_problem(robot, [task], target.shape[:1], torch.ones(robot.dof, dtype=torch.bool), None, 1e-7, 1e-7)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_the_way_down_ends_at_the_solution(iiwa, method):
    q = iiwa.sample(8, seed=1)
    problem = problems(iiwa, iiwa.forward_kinematics(q)[:, :3, 3])
    end = descend(method, problem, State((q + 0.4).clamp(iiwa.lower, iiwa.upper), None, torch.arange(8)), 2000)
    assert end.met.all()
    reached = iiwa.forward_kinematics(end.state.q)[:, :3, 3]
    assert (reached - problem.tasks[0].target).norm(dim=-1).max() <= 1e-7
    assert ((end.state.q >= iiwa.lower) & (end.state.q <= iiwa.upper)).all()


@pytest.mark.parametrize("method", [GradientDescent(), LBFGS()], ids=lambda method: type(method).__name__)
def test_out_of_reach_it_converges_where_scipy_does(iiwa, method):
    target = torch.tensor([[0.9, 0.3, 1.6], [-0.5, 1.2, 1.0]], dtype=torch.float64)
    problem = problems(iiwa, target)
    start = torch.full((2, 7), 0.4, dtype=torch.float64)
    end = descend(method, problem, State(start, None, torch.arange(2)), 3000)
    assert not end.met.any()
    for k in range(2):

        def cost(q, k=k):
            state = State(torch.from_numpy(q)[None], None, torch.tensor([k]))
            residual, derivative = problem.linearize(state)
            return 0.5 * float(residual.square().sum()), (derivative[0].mT @ residual[0]).numpy()

        bounds = list(zip(iiwa.lower.tolist(), iiwa.upper.tolist(), strict=True))
        found = minimize(cost, start[k].numpy(), jac=True, bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-15})
        np.testing.assert_allclose(float(end.cost[k]), found.fun, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_at_a_solution_it_has_converged(iiwa, method):
    q = iiwa.sample(3, seed=1)
    q[0] += 0.2
    problem = problems(iiwa, iiwa.forward_kinematics(iiwa.sample(3, seed=1))[:, :3, 3])
    memory = method.start(problem, State(q, None, torch.arange(3)))
    assert memory.converged.tolist() == [False, True, True]
    assert not memory.stalled.any()
    assert not memory.diverged.any()


@pytest.mark.parametrize(
    ("method", "setting"),
    [
        (GradientDescent, {"learning_rate": 0.0}), (GradientDescent, {"learning_rate": "a"}),
        (Adam, {"learning_rate": float("nan")}), (Adam, {"betas": (0.9, 1.0)}),
        (LBFGS, {"history_size": 0}), (LBFGS, {"history_size": -1}), (LBFGS, {"history_size": 2.5}),
    ],
)  # fmt: skip
def test_bad_settings_are_refused(method, setting):
    with pytest.raises(OptionError, match=next(iter(setting))):
        method(**setting)
