"""Options: made once, checked once, and honoured by both routes alike."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import diffkin as dk
from diffkin import ik
from diffkin.errors import OptionError, UnknownNameError
from diffkin.ik.options import SOLVERS, make_options
from diffkin.ik.solvers.newton import LevenbergMarquardt

ROUTES = [None, "reference"]


def test_defaults_are_those_of_the_solver():
    for name, solver in SOLVERS.items():
        options = make_options(torch.float64, name)
        assert options.method == solver()
        assert (options.max_iterations, options.max_restarts) == (solver.max_iterations, solver.max_restarts)
        assert options.early_iterations == getattr(solver, "early_iterations", solver.max_iterations)
    options = make_options(torch.float64)
    assert (options.position_tolerance, options.rotation_tolerance) == (1e-6, 1e-6)
    assert (options.seed, options.nearest_of, options.history, options.backend) == (0, 1, False, None)
    assert make_options(torch.float32).position_tolerance == 1e-5
    assert make_options(torch.float32).margin < make_options(torch.float64).margin < 1.0


def test_who_asks_for_a_budget_gets_it():
    assert make_options(torch.float64).gives_up
    assert make_options(torch.float64, LevenbergMarquardt()).gives_up
    for asked in (
        {"max_restarts": 100},
        {"max_iterations": 64},
        {"solver": "gauss_newton"},
        {"solver": LevenbergMarquardt(max_restarts=200)},
        {"solver": LevenbergMarquardt(patience=3)},
    ):
        assert not make_options(torch.float64, **asked).gives_up


def test_equal_options_are_one_object():
    assert make_options(torch.float64) is make_options(torch.float64)
    assert make_options(torch.float64, LevenbergMarquardt()) is make_options(torch.float64, LevenbergMarquardt())
    assert make_options(torch.float64, seed=1) is not make_options(torch.float64, seed=2)
    with pytest.raises(OptionError, match="seed"):  # True equals 1, but is no whole number
        make_options(torch.float64, seed=True)
    assert make_options(torch.float64, seed=np.int64(3)).seed == 3
    assert make_options(torch.float64, seed=2**70 + 1).seed == 1


def test_a_solver_that_changes_is_asked_again():
    class Mine:
        max_iterations = 5
        max_restarts = 1

        def start(self, problem, state): ...
        def step(self, problem, state, memory): ...

    solver = Mine()
    assert make_options(torch.float64, solver).max_iterations == 5
    solver.max_iterations = 9
    assert make_options(torch.float64, solver).max_iterations == 9


def test_iterations_from_the_caller_are_meant_for_every_start():
    given = make_options(torch.float64, max_iterations=30)
    assert (given.early_iterations, given.max_iterations) == (30, 30)
    own = make_options(torch.float64, LevenbergMarquardt(max_iterations=100))
    assert (own.early_iterations, own.max_iterations) == (LevenbergMarquardt.early_iterations, 100)
    short = make_options(torch.float64, LevenbergMarquardt(max_iterations=4))
    assert (short.early_iterations, short.max_iterations) == (4, 4)


@pytest.mark.parametrize(
    ("name", "value"),
    [("position_tolerance", 0.0), ("rotation_tolerance", math.inf), ("max_restarts", -1), ("max_iterations", 0),
     ("seed", -1), ("seed", 0.5), ("nearest_of", 0), ("nearest_of", [2])],
)  # fmt: skip
def test_options_out_of_range(name, value):
    with pytest.raises(OptionError, match=name):
        make_options(torch.float64, **{name: value})
    with pytest.raises(UnknownNameError, match="adam"):
        make_options(torch.float64, "adamw")
    with pytest.raises(OptionError, match="solver must be one of"):
        make_options(torch.float64, object())


# -- both routes ------------------------------------------------------------------------------------------------------


def solved(robot, T, q0=None, **options):
    """The results of the kernel and of plain torch."""
    return [dk.solve_ik(robot, T, q0, backend=route, **options) for route in ROUTES]


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-10])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_both_routes_meet_the_tolerances(dtype, tolerance):
    robot = dk.load_robot("xarm6").to(dtype)  # six joints: near q0 there is one solution
    q = robot.sample(60, seed=1)
    T, q0 = robot.forward_kinematics(q), q + 0.02
    both = solved(robot, T, q0, position_tolerance=tolerance, rotation_tolerance=tolerance, max_restarts=0)
    for result in both:
        assert torch.equal(result.success, (result.position_error <= tolerance) & (result.rotation_error <= tolerance))
    kernel, torch_ = both
    possible = not (dtype == torch.float32 and tolerance < 1e-6)
    assert bool(kernel.success.double().mean() > 0.9) == bool(torch_.success.double().mean() > 0.9) == possible
    if tolerance <= 1e-6 and possible:
        same = kernel.success & torch_.success & (robot.manipulability(kernel.q) > 0.01)
        assert same.sum() > 20
        assert ((kernel.q - torch_.q)[same].abs() < 1e-3).all()
    if possible:
        loose, tight = (
            dk.solve_ik(robot, T, q0, position_tolerance=t, rotation_tolerance=t).iterations.sum()
            for t in (10 * tolerance, tolerance)
        )
        assert loose <= tight


def test_tolerances_have_an_effect_on_both(iiwa):
    T, q0 = iiwa.forward_kinematics(iiwa.sample(40, seed=1)), iiwa.sample(40, seed=2)
    rough = solved(iiwa, T, q0, position_tolerance=1e-2, rotation_tolerance=1e-2)
    fine = solved(iiwa, T, q0, position_tolerance=1e-9, rotation_tolerance=1e-9)
    for first, second in zip(rough, fine, strict=True):
        assert first.success.all()
        assert second.success.all()
        assert first.iterations.sum() < second.iterations.sum()
        assert first.position_error.max() > 1e-6
        assert second.position_error.max() <= 1e-9


@pytest.mark.parametrize("most", [1, 2, 5])
def test_both_take_as_many_steps(iiwa, most):
    far = iiwa.forward_kinematics(iiwa.sample(10, seed=1))
    far[:, :3, 3] += 3.0
    patient = LevenbergMarquardt(patience=1000)
    for result in solved(iiwa, far, iiwa.sample(10, seed=2), solver=patient, max_iterations=most, max_restarts=2):
        assert (result.iterations == 4 * most).all()  # three starts and the last, from the best


def test_restarts_have_an_effect_on_both(panda):
    T = panda.forward_kinematics(panda.sample(200, seed=1))
    shares = {restarts: solved(panda, T, max_restarts=restarts) for restarts in (0, 30)}
    for few, many in zip(*shares.values(), strict=True):
        assert (few.restarts <= 1).all()  # the last start, from the best, counts
        assert 0.5 < few.success.double().mean() < 0.95
        assert many.success.double().mean() > 0.98
        assert torch.equal(few.q[many.restarts == 0], many.q[many.restarts == 0])


def test_seeds_have_an_effect_on_both(panda):
    T = panda.forward_kinematics(panda.sample(100, seed=1))  # out of the reach of one step, if not of the arm
    for route in ROUTES:
        first, again, other = (
            dk.solve_ik(panda, T, seed=seed, max_restarts=40, max_iterations=1, backend=route) for seed in (0, 0, 1)
        )
        assert torch.equal(first.q, again.q)
        assert not torch.equal(first.q, other.q)


@pytest.mark.parametrize(
    "change",
    [{"damping": 0.5}, {"patience": 2}, {"early_iterations": 3}, {"max_iterations": 6}, {"grow": 100.0},
     {"shrink": 1.0}],
    ids=str,
)  # fmt: skip
def test_settings_of_levenberg_marquardt_have_an_effect_on_both(panda, change):
    T = panda.forward_kinematics(panda.sample(300, seed=1))
    plain = solved(panda, T)
    for before, after, named in zip(
        plain, solved(panda, T, solver=LevenbergMarquardt(**change)), solved(panda, T, solver=LevenbergMarquardt()),
        strict=True,
    ):  # fmt: skip
        assert torch.equal(before.q, named.q)
        assert torch.equal(before.iterations, named.iterations)
        assert after.success.double().mean() > 0.95
        assert (after.iterations != before.iterations).any()


def test_levenberg_marquardt_with_settings_is_served_by_the_kernel(iiwa, monkeypatch):
    def nobody(*args):
        raise AssertionError("the plain torch path was taken")

    monkeypatch.setattr("diffkin.ik.solve.search", nobody)
    T = iiwa.forward_kinematics(iiwa.sample(5))
    solver = LevenbergMarquardt(max_iterations=100, damping=1e-2, patience=12, early_iterations=20, grow=8.0)
    assert dk.solve_ik(iiwa, T, solver=solver).success.all()
    assert dk.solve_ik(iiwa, ik.PositionTask(None, T[:, :3, 3]), solver=solver).success.all()
    with pytest.raises(AssertionError, match="plain torch"):
        dk.solve_ik(iiwa, T, solver=solver, backend="reference")


def test_nearest_of_on_both(iiwa):
    T, q0 = iiwa.forward_kinematics(iiwa.sample(30, seed=3)), iiwa.sample(30, seed=12)
    for first, nearest in zip(solved(iiwa, T, q0), solved(iiwa, T, q0, nearest_of=6), strict=True):
        far, near = ((result.q - q0).norm(dim=-1) for result in (first, nearest))
        assert (near <= far + 1e-9).all()
        assert (near < far - 1e-3).any()
