"""The formulas of one step in lanes, against Pinocchio, NumPy and closed forms."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest
from numba import njit

from diffkin.kernels.ik import step as ik_step
from diffkin.kernels.ik.chain import pack_chain
from diffkin.kernels.vectors import strict as ik_simd
from diffkin.kernels.vectors.strict import W, any_, fma, load, maximum, minimum, select, splat, sqrt, store
from tests.kernels import ik_robots


@njit(error_model="numpy")
def run_operators(a, out):
    x, y = load(a, 0), load(a, 1)
    store(out, 0, fma(x, 2.0, y) / 3.0 - 1.0)
    store(out, 1, select((x < 0.5) & (y >= 0.1), x, y))
    store(out, 2, minimum(x, y) * maximum(x, 0.25))
    store(out, 3, sqrt(1.0 + x * x))
    store(out, 4, select((x > 0.5) | (y <= 0.5), 1.0, splat(0.0)))
    s, c = ik_simd.sincos(20.0 * x)
    store(out, 5, s)
    store(out, 6, c)
    return any_(x > 0.99), any_(x <= 2.0)


@njit
def run_frames(chain_start, joints, column, first, q, frame, axes, jac):
    ik_step.frames(chain_start, joints, column, q, frame, axes)
    ik_step.jacobian(joints, column, first, frame, axes, jac)


@njit(error_model="numpy")
def run_error(frame, target, out):
    ik_step.error(frame, target, out)


@njit(error_model="numpy")
def run_weigh(weights, partial, out, jac):
    ik_step.weigh(weights, partial, out, jac)


@njit(error_model="numpy")
def run_solve(jac, residual, damping, y):
    ik_step.damped_solve(jac, residual, load(damping, 0), y)


@njit
def run_freeze(jac, q, lower, upper, v):
    return ik_step.freeze(jac, q, lower, upper, v)


def test_operators_of_lanes():
    a = np.random.default_rng(0).random((2, W))
    a[0, 1] = 0.2
    out = np.zeros((7, W))
    none, every = run_operators(np.minimum(a, 0.98), out)
    x, y = np.minimum(a, 0.98)
    np.testing.assert_allclose(out[0], (2 * x + y) / 3 - 1, rtol=1e-14)
    assert np.array_equal(out[1], np.where((x < 0.5) & (y >= 0.1), x, y))
    assert np.array_equal(out[2], np.minimum(x, y) * np.maximum(x, 0.25))
    np.testing.assert_allclose(out[3], np.sqrt(1 + x * x), rtol=1e-15)
    assert np.array_equal(out[4], ((x > 0.5) | (y <= 0.5)).astype(float))
    np.testing.assert_allclose(out[5], np.sin(20 * x), atol=5e-16)
    np.testing.assert_allclose(out[6], np.cos(20 * x), atol=5e-16)
    assert not none
    assert every


@pytest.mark.parametrize(
    "robot",
    [
        ik_robots.load("iiwa"),
        ik_robots.load("talos"),
        ik_robots.random_chain(6, 5, slides=0.4),
        ik_robots.planar(3),  # parallel axes
        ik_robots.build(  # antiparallel and nearly parallel ones
            [
                {"axis": (0, 0, 1), "origin": ik_robots.shift(z=0.1), "lower": -1.0, "upper": 1.0},
                {"axis": (0, 0, -1), "origin": ik_robots.shift(x=0.3), "lower": -1.0, "upper": 1.0},
                {"axis": (0, 1e-9, 1), "origin": ik_robots.shift(y=0.3), "lower": -1.0, "upper": 1.0},
                {"axis": (0, 3.7e-6, 1), "origin": ik_robots.shift(y=0.3), "lower": -1.0, "upper": 1.0},
            ]
        ),
    ],
)
def test_frames_and_jacobian(robot):
    offset = ik_robots.shift(0.1, -0.2, 0.3, pin.exp3(np.array([0.4, -1.0, 0.7])))
    chain = pack_chain(robot.mechanism(frame_offset=offset), 0)
    n, m = len(chain.joints), len(chain.moving)
    q = np.ascontiguousarray(robot.sample(W, seed=1).T)
    frame, axes, jac = np.zeros((12, W)), np.zeros((6 * n, W)), np.zeros((6 * m, W))
    run_frames(chain.start, chain.joints, chain.column, np.ones(n, np.int64), q, frame, axes, jac)
    poses = robot.poses(np.ascontiguousarray(q.T)) @ offset
    last = np.array([[chain.last[0], -chain.last[1], 0], [chain.last[1], chain.last[0], 0], [0, 0, 1]])
    data = robot.model.createData()
    for l in range(W):
        rotation = frame[:9, l].reshape(3, 3).T @ last
        np.testing.assert_allclose(rotation, poses[l, :3, :3], atol=1e-14)
        np.testing.assert_allclose(frame[9:, l] * chain.length, poses[l, :3, 3], atol=1e-14)
        full = robot.configuration(q[:, l])
        pin.computeJointJacobians(robot.model, data, full)
        root = data.oMi[robot.model.parents[robot.joints[0]]]
        body = pin.getJointJacobian(robot.model, data, robot.joints[-1], pin.ReferenceFrame.LOCAL)
        columns = [robot.model.joints[j].idx_v for j in robot.joints]
        body = pin.SE3(offset).inverse().toActionMatrix() @ body[:, columns]
        turn = np.kron(np.eye(2), (root.inverse() * data.oMi[robot.joints[-1]]).rotation @ offset[:3, :3])
        expected = turn @ body
        ours = jac[:, l].reshape(m, 6).T.copy()
        ours[:3] *= chain.length
        np.testing.assert_allclose(ours, expected, atol=1e-13)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-5, 0.3, 2.0, 2.9, 2.94, 3.0, 3.1, np.pi - 1e-4, np.pi - 1e-9])
def test_rotation_error_is_the_logarithm(angle):
    rng = np.random.default_rng(2)
    for _ in range(40):
        here, axis = pin.exp3(rng.normal(size=(3, W))[:, 0] * 2), rng.normal(size=3)
        if rng.random() < 0.3:
            axis[rng.integers(3)] = 0.0
        axis /= np.linalg.norm(axis)
        there = pin.exp3(angle * axis) @ here
        frame, target = np.zeros((12, W)), np.zeros((12, W))
        frame[:9], target[:9] = here.T.reshape(9, 1), there.T.reshape(9, 1)
        target[9:] = rng.normal(size=(3, 1))
        out = np.zeros((6, W))
        run_error(frame, target, out)
        np.testing.assert_allclose(out[3:, 0], angle * axis, rtol=1e-10, atol=1e-13)
        assert np.array_equal(out[:3], target[9:])
        assert (out == out[:, :1]).all()


def test_half_a_turn_has_an_error_of_pi():
    for axis in np.eye(3):
        target = np.zeros((12, W))
        target[:9] = pin.exp3(np.pi * axis).T.reshape(9, 1)
        frame = np.zeros((12, W))
        frame[[0, 4, 8]] = 1.0
        out = np.zeros((6, W))
        run_error(frame, target, out)
        np.testing.assert_allclose(np.abs(out[3:, 0]), np.pi * axis, atol=1e-7)


def test_jacobian_of_the_rotation_vector():
    rng = np.random.default_rng(3)
    for size in (1e-8, 0.5, 2.0, 3.1):
        e = rng.normal(size=3)
        e *= size / np.linalg.norm(e)
        out = np.zeros((6, W))
        out[3:] = e[:, None]
        jac = np.zeros((18, W))
        for c in range(3):
            jac[6 * c + 3 + c] = 1.0
        run_weigh(np.ones(6), True, out, jac)
        # log(exp(e) exp(w)) = e + J w
        np.testing.assert_allclose(jac.reshape(3, 6, W)[:, 3:, 0].T, pin.Jlog3(pin.exp3(e)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("columns", [1, 2, 6, 9])
@pytest.mark.parametrize("damping", [1e-9, 1e-3, 10.0])
def test_damped_solve(columns, damping):
    rng = np.random.default_rng(4)
    jac, e = rng.normal(size=(6 * columns, W)), rng.normal(size=(6, W))
    y = np.zeros((6, W))
    run_solve(jac, e, np.full((1, W), damping), y)
    for l in range(W):
        j = jac[:, l].reshape(columns, 6).T
        step = np.linalg.lstsq(
            np.concatenate([j, np.sqrt(damping) * np.eye(columns)]),
            np.concatenate([e[:, l], np.zeros(columns)]),
            rcond=None,
        )[0]
        np.testing.assert_allclose(j.T @ y[:, l], step, rtol=1e-5, atol=1e-6)


def test_freeze_holds_what_would_leave():
    jac = np.zeros((18, W))
    jac[[0, 7, 14]] = 1.0  # each coordinate moves along its own axis
    q = np.array([[0.0], [1.0], [0.5]]) * np.ones((1, W))
    lower, upper = np.zeros(3), np.ones(3)
    v = np.zeros((6, W))
    v[:3] = np.array([[-1.0], [1.0], [-1.0]])
    v[:3, 0] *= -1.0  # in lane 0 all point inward
    assert run_freeze(jac, q, lower, upper, v)
    assert (jac[[0, 7], 1:] == 0).all()
    assert (jac[[0, 7], 0] == 1).all()
    assert (jac[14] == 1).all()
    assert not run_freeze(jac, q, lower, upper, v)
