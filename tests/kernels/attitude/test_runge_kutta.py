"""The stages of a Runge-Kutta step beside the textbook's in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from diffkin.kernels.attitude.body import INERTIA, INVERSE, ROTOR, ROWS, TORQUE, momentum
from diffkin.kernels.attitude.runge_kutta import stage_rates, turn_stages
from diffkin.kernels.compiled import kernel
from diffkin.kernels.vectors.wide import load, store
from tests.kernels.attitude.bodies import random_bodies
from tests.kernels.attitude.test_turns import DTYPES, LANES


@kernel
def _step(body, w, dt, damping, stage_p, stage_w, out):
    w0, w1, w2 = load(w, 0), load(w, 1), load(w, 2)
    p0, p1, p2 = momentum(body, w0, w1, w2)
    p0, p1, p2 = stage_rates(body, p0, p1, p2, w0, w1, w2, dt, damping, stage_p, stage_w)
    second, third, fourth, after = turn_stages(stage_w, dt)
    for k in range(4):
        store(out, k, second[k])
        store(out, 4 + k, third[k])
        store(out, 8 + k, fourth[k])
        store(out, 12 + k, after[k])
    store(out, 16, p0)
    store(out, 17, p1)
    store(out, 18, p2)


def _textbook(J, h, torque, damping, w, dt):
    """Stages (momentum, rate, quaternion) of y' = f(y) for y = (p, q), and y after the step."""

    def slope(y):
        p, q = y[:3], y[3:]
        rate = np.linalg.solve(J, p - h)
        force = np.cross(p, rate) + torque - (p - h) * damping * (1 + np.linalg.norm(rate))
        turn = 0.5 * np.array([*(q[3] * rate + np.cross(q[:3], rate)), -q[:3] @ rate])
        return np.concatenate([force, turn])

    y = np.concatenate([J @ w + h, [0, 0, 0, 1]])
    stages, slopes = [y], [slope(y)]
    for share in (0.5, 0.5, 1.0):
        stages.append(y + share * dt * slopes[-1])
        slopes.append(slope(stages[-1]))
    after = y + dt / 6 * (slopes[0] + 2 * slopes[1] + 2 * slopes[2] + slopes[3])
    return stages, after


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_stages_are_the_textbooks(dtype, damping):
    lanes, dt = LANES[dtype], 0.1
    bodies = random_bodies(lanes, 1, dtype)
    body = np.empty((ROWS, lanes), dtype)
    body[INERTIA : INERTIA + 9], body[INVERSE : INVERSE + 9] = bodies.inertia.T, bodies.inverse.T
    body[ROTOR : ROTOR + 3], body[TORQUE : TORQUE + 3] = bodies.rotor.T, bodies.torque[:, 0].T
    p, w, out = np.empty((12, lanes), dtype), np.empty((12, lanes), dtype), np.empty((19, lanes), dtype)
    _step(body, np.ascontiguousarray(bodies.omega0.T), dt, damping, p, w, out)
    close = {"rtol": 0, "atol": 500 * np.finfo(dtype).eps}
    for k in range(lanes):
        J = bodies.inertia[k].reshape(3, 3).astype(float)
        given = (array[k].astype(float) for array in (bodies.rotor, bodies.torque[:, 0]))
        stages, after = _textbook(J, *given, damping, bodies.omega0[k].astype(float), dt)
        for stage in range(4):
            np.testing.assert_allclose(p[3 * stage : 3 * stage + 3, k], stages[stage][:3], **close)
            rate = np.linalg.solve(J, stages[stage][:3] - bodies.rotor[k])
            np.testing.assert_allclose(w[3 * stage : 3 * stage + 3, k], rate, **close)
        turns = [*(stage[3:] for stage in stages[1:]), after[3:]]
        np.testing.assert_allclose(out[:16, k].reshape(4, 4), turns, **close)
        np.testing.assert_allclose(out[16:, k], after[:3], **close)
