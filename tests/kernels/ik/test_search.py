"""One turn of the search loop at a time: what is taken, what is refused, and how its books are kept."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
from numba import njit

from diffkin.kernels.ik import layout, program
from diffkin.kernels.ik.hope import PROVEN_STARTS
from diffkin.kernels.ik.layout import Workspace, open_block, open_desk
from diffkin.kernels.ik.search import keep_refused, keep_residual, propose, search, verdict
from diffkin.kernels.vectors.strict import W
from tests.kernels import ik_robots


@njit(error_model="numpy")
def run_verdict(state, residual, q, trial, settings, weighted):
    return verdict(state, residual, q, trial, settings, weighted)


@njit(error_model="numpy")
def run_keep(state, jac, old, residual, new):
    keep_refused(state, jac, old)
    keep_residual(state, residual, new)


@njit(error_model="numpy")
def run_propose(state, jac, residual, q, lower, upper, settings, y, trial):
    propose(state, jac, residual, q, lower, upper, settings, y, trial)


def settings_array(**values):
    out = np.zeros(layout.SETTINGS)
    out[layout.WEIGHTS :] = 1.0
    plain = {"POSITION2": 1e-6, "ROTATION2": 1e-6, "GROW": 4.0, "SHRINK": 0.5, "FAR2": 1e-4}
    for name, value in {**plain, **values}.items():
        out[getattr(layout, name)] = value
    return out


def test_verdict_takes_what_lowers_the_error_and_says_who_is_done():
    state = np.zeros((layout.NUMBERS, W))
    state[layout.RUNS] = 1.0
    state[layout.ERROR] = [1.0, 1.0, 1e-3, 1.0]
    state[layout.GROWTH] = [1.0, 1.0, 8.0, 8.0]
    state[layout.SPENT] = [2.0, 2.0, 2.0, 6.0]
    state[layout.PATIENT], state[layout.MOST] = 7.0, 9.0
    residual = np.zeros((6, W))
    residual[0] = [1e-4, 2.0, 0.02, 0.5]  # converged, worse, better, better but far with its patience used up
    q, trial = np.zeros((2, W)), np.ones((2, W))
    assert run_verdict(state, residual, q, trial, settings_array(), False)
    assert state[layout.TAKEN].tolist() == [1, 0, 1, 1]
    assert state[layout.CONVERGED].tolist() == [1, 0, 0, 0]
    assert state[layout.DONE].tolist() == [1, 0, 0, 1]
    assert q[0].tolist() == [1, 0, 1, 1]
    np.testing.assert_allclose(state[layout.ERROR], [1e-8, 1.0, 4e-4, 0.25])
    assert state[layout.GROWTH].tolist() == [1.0, 4.0, 4.0, 4.0]
    assert state[layout.SPENT].tolist() == [3, 3, 3, 7]
    state[layout.RUNS] = 0.0
    assert not run_verdict(state, residual, q, trial, settings_array(), False)


def test_weights_scale_the_error_but_not_the_tolerances():
    state = np.zeros((layout.NUMBERS, W))
    state[layout.ERROR], state[layout.MOST], state[layout.PATIENT] = np.inf, 9.0, 9.0
    residual = np.full((6, W), 5e-4)
    settings = settings_array()
    settings[layout.WEIGHTS :] = [3.0, 3.0, 3.0, 0.0, 0.0, 2.0]
    run_verdict(state, residual, np.zeros((1, W)), np.zeros((1, W)), settings, True)
    np.testing.assert_allclose(state[layout.ERROR], 5e-4**2 * (3 * 9 + 4))
    assert (state[layout.CONVERGED] == 1.0).all()


def test_what_was_refused_stays():
    state = np.zeros((layout.NUMBERS, W))
    state[layout.TAKEN] = [1, 0, 1, 0]
    jac, old, residual, new = np.ones((12, W)), np.zeros((12, W)), np.zeros((6, W)), np.ones((6, W))
    run_keep(state, jac, old, residual, new)
    assert (jac == state[layout.TAKEN]).all()
    assert (residual == state[layout.TAKEN]).all()


def test_a_step_is_the_damped_one_cut_off_at_the_bounds():
    rng = np.random.default_rng(0)
    m = 5
    jac, residual, q = rng.normal(size=(6 * m, W)), rng.normal(size=(6, W)), rng.uniform(-0.1, 0.1, (m, W))
    state = np.zeros((layout.NUMBERS, W))
    state[layout.ERROR], state[layout.GROWTH] = (residual**2).sum(axis=0), [1.0, 4.0, 16.0, 1.0]
    state[layout.FRESH] = [0, 0, 0, 1]
    lower, upper = np.full(m, -0.3), np.full(m, 0.3)
    settings = settings_array(DAMPING=0.01, FLOOR=1e-9, BEYOND=1e9)
    trial, start = np.zeros((m, W)), q.copy()
    run_propose(state, jac.copy(), residual, q, lower, upper, settings, np.zeros((6, W)), trial)
    cut = 0
    for l in range(3):
        j = jac[:, l].reshape(m, 6).T
        damping = state[layout.GROWTH, l] * (0.01 * state[layout.ERROR, l] + 1e-9)
        step = j.T @ np.linalg.solve(j @ j.T + damping * np.eye(6), residual[:, l])
        np.testing.assert_allclose(trial[:, l], np.clip(start[:, l] + step, lower, upper), atol=1e-9)
        cut += int((np.abs(trial[:, l]) == 0.3).sum())
    assert cut > 0
    assert np.array_equal(trial[:, 3], start[:, 3])  # a fresh start is looked at as it is
    assert not state[layout.FRESH].any()


def test_the_books_are_closed_when_all_is_done():
    robot = ik_robots.load("xarm6")
    targets = robot.poses(robot.sample(9, seed=1))
    call = robot.program().call(ik_robots.settings(starts=3))
    whole = program.solve(call, targets)
    workspace, out = Workspace(*call.size), program.new_solution(call, 9)
    workspace.take(0, 9)
    turns = 0
    while search(1, *workspace.arrays, *call.packed, targets, np.zeros((0, 0)), *out):
        desk = open_desk(*workspace.arrays[1:])
        busy = desk.slots[:, layout.TARGET] >= 0
        assert desk.chunk[layout.BUSY] == busy.sum()
        running = desk.lanes[:, layout.SLOT]
        assert [(running == s).sum() for s in np.flatnonzero(busy)] == desk.slots[busy, layout.RUNNING].tolist()
        ranks = desk.lanes[running >= 0, layout.RANK]
        assert ((ranks >= 0) & (ranks <= 3)).all()
        n, m = call.size[:2]
        block = open_block(workspace.arrays[0], n, m)
        assert np.array_equal(block.state[layout.RUNS] > 0.5, running >= 0)
        turns += 1
    assert turns > 5
    assert desk.chunk[layout.BUSY] == 0
    for ours, theirs in zip(out, whole, strict=True):
        assert np.array_equal(ours, theirs)


def test_who_gives_up_does_so_after_whole_rounds_and_the_same_in_any_batch():
    robot = ik_robots.load("xarm6")
    q = robot.sample(60, seed=4)
    targets = robot.poses(q)
    targets[::2, :3, :3] = targets[::2, :3, :3] @ np.diag(
        [1.0, -1.0, -1.0]
    )  # half of them turned round, hard or impossible
    near = ik_robots.solve(robot.program(), targets, starts=101)
    told = ik_robots.solve(robot.program(), targets, starts=101, gives_up=True)
    assert np.array_equal(told.success, near.success)
    assert np.array_equal(told.q[told.success], near.q[near.success])
    assert np.array_equal(told.whole[:, told.success], near.whole[:, near.success])
    lost = ~told.success
    assert 3 < lost.sum() < 50
    assert (told.rank[lost] < 101).all()
    assert (told.iterations[lost] <= near.iterations[lost]).all()
    for some in (slice(0, 1), slice(7, 12), slice(None, None, 3), slice(None, None, -1)):
        part = ik_robots.solve(robot.program(), targets[some], starts=101, gives_up=True)
        for ours, whole in zip((part.q, part.rank, part.iterations), (told.q, told.rank, told.iterations), strict=True):
            assert np.array_equal(ours, whole[some])


def test_a_target_far_from_all_that_its_starts_reach_is_given_up():
    robot = ik_robots.load("iiwa")
    targets = robot.poses(robot.sample(300, seed=4))
    program = robot.program(lower=robot.lower / 3, upper=robot.upper / 3)  # most of them are out of these limits
    near = ik_robots.solve(program, targets, starts=101)
    told = ik_robots.solve(program, targets, starts=101, gives_up=True)
    far = ~near.success & (near.rotation_error + near.position_error / program.chain.length > 0.6)
    far &= near.iterations > 1000  # no proof
    assert far.sum() > 3
    assert (told.rank[far] < 32).all()  # the best of a few rounds of starts, or the last, that goes on from there
    assert (told.iterations[far] < near.iterations[far] / 2).all()
    within = robot.poses(robot.sample(60, seed=5) / 3)
    assert ik_robots.solve(program, within, starts=101, gives_up=True).success.all()


def test_what_is_proven_to_be_out_of_reach_gets_few_starts_whatever_was_asked_for():
    robot = ik_robots.load("iiwa")
    targets = robot.poses(robot.sample(9, seed=2))
    targets[::2, :3, 3] *= 4.0
    found = ik_robots.solve(robot.program(), targets, starts=1001)
    assert found.success.tolist() == [False, True] * 4 + [False]
    lost = ~found.success
    assert (found.rank[lost] < PROVEN_STARTS).all()
    assert (found.iterations[lost] < 250).all()
    single = ik_robots.solve(robot.program(), targets[:1], starts=2)
    assert not single.success.any()
    assert (single.rank < 2).all()


def test_targets_go_into_lanes_in_the_terms_of_the_chain():
    robot = ik_robots.load("iiwa")
    targets = robot.poses(robot.sample(W, seed=1))
    call = robot.program().call(ik_robots.settings())
    workspace = Workspace(*call.size)
    workspace.take(0, W)
    search(0, *workspace.arrays, *call.packed, targets, np.zeros((0, 0)), *program.new_solution(call, W))
    chain = robot.program().chain
    last = pin.exp3(np.array([0.0, 0.0, np.arctan2(chain.last[1], chain.last[0])]))
    desk, block = open_desk(*workspace.arrays[1:]), open_block(workspace.arrays[0], *call.size[:2])
    for l in range(W):
        pose = targets[desk.slots[desk.lanes[l, layout.SLOT], layout.TARGET]]
        np.testing.assert_allclose(block.target[:9, l].reshape(3, 3).T @ last, pose[:3, :3], atol=1e-14)
        np.testing.assert_allclose(block.target[9:, l] * chain.length, pose[:3, 3], atol=1e-14)
