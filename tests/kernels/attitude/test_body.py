"""Where the numbers of bodies stand in lanes, and the equations of motion, beside NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from diffkin.kernels.attitude.body import (
    INERTIA,
    INVERSE,
    ROTOR,
    ROWS,
    TORQUE,
    drag,
    held,
    momentum,
    momentum_rate,
    rate_of,
    read_body,
    read_lanes,
    read_step,
)
from diffkin.kernels.attitude.constants import OWN_INERTIA, OWN_INVERSE, OWN_ROTOR, OWN_TORQUE
from diffkin.kernels.compiled import kernel
from diffkin.kernels.vectors.wide import load, store
from tests.kernels.attitude.bodies import random_bodies
from tests.kernels.attitude.test_turns import DTYPES, LANES


@kernel
def _read(inertia, inverse, rotor, torque, flags, first, body, rates, step):
    read_body(inertia, inverse, rotor, torque, flags, first, rates.shape[0], body)
    read_lanes(rates, 3, first, rates.shape[0], 1, step, 0)
    read_step(torque, 3, first, rates.shape[0], 1, 1, step, 3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("own", [[1, 1, 1, 1], [0, 1, 0, 1], [1, 0, 1, 1], [0, 0, 0, 1]])
def test_bodies_past_the_last_are_copies_and_shared_rows_serve_all(dtype, own):
    count, lanes = LANES[dtype] + 3, LANES[dtype]
    bodies = random_bodies(count, 2, dtype)
    flags = np.zeros(5, np.int64)
    flags[[OWN_INERTIA, OWN_INVERSE, OWN_ROTOR, OWN_TORQUE]] = own
    arrays = [array if each else array[:1].copy() for array, each in zip(bodies[2:], own, strict=True)]
    for first in (0, lanes):
        body, step = np.full((ROWS, lanes), np.nan, dtype), np.full((6, lanes), np.nan, dtype)
        _read(*arrays, flags, first, body, bodies.omega0, step)
        at = np.minimum(first + np.arange(lanes), count - 1)
        for row, array, each in zip((INERTIA, INVERSE, ROTOR), arrays, own, strict=False):
            want = array[at if each else 0 * at]
            assert np.array_equal(body[row : row + want.shape[1]].T, want)
        assert np.array_equal(body[TORQUE : TORQUE + 3].T, bodies.torque[at, 0])
        assert np.array_equal(step[:3].T, bodies.omega0[at])
        assert np.array_equal(step[3:].T, bodies.torque[at, 1])


@kernel
def _motion(body, w, damping, out):
    w0, w1, w2 = load(w, 0), load(w, 1), load(w, 2)
    p0, p1, p2 = momentum(body, w0, w1, w2)
    b = rate_of(body, p0, p1, p2)
    c = held(body, p0, p1, p2, w0, w1, w2, damping)
    d = momentum_rate(body, p0, p1, p2, w0, w1, w2, damping)
    store(out, 0, p0)
    store(out, 1, p1)
    store(out, 2, p2)
    for k in range(3):
        store(out, 3 + k, b[k])
        store(out, 6 + k, c[k])
        store(out, 9 + k, d[k])
    store(out, 12, drag(w0, w1, w2, damping))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_equations_of_motion(dtype, damping):
    lanes = LANES[dtype]
    bodies = random_bodies(lanes, 1, dtype)
    body = np.empty((ROWS, lanes), dtype)
    body[INERTIA : INERTIA + 9], body[INVERSE : INVERSE + 9] = bodies.inertia.T, bodies.inverse.T
    body[ROTOR : ROTOR + 3], body[TORQUE : TORQUE + 3] = bodies.rotor.T, bodies.torque[:, 0].T
    out = np.empty((13, lanes), dtype)
    _motion(body, np.ascontiguousarray(bodies.omega0.T), damping, out)
    J, w, h, t = (array.astype(float) for array in (bodies.inertia, bodies.omega0, bodies.rotor, bodies.torque[:, 0]))
    spin = np.einsum("kij,kj->ki", J.reshape(-1, 3, 3), w)
    size = damping * (1 + np.linalg.norm(w, axis=1))
    loss = t - spin * size[:, None]
    for row, want in ((0, spin + h), (3, w), (6, loss), (9, np.cross(spin + h, w) + loss)):
        np.testing.assert_allclose(out[row : row + 3].T, want, rtol=0, atol=500 * np.finfo(dtype).eps)
    np.testing.assert_allclose(out[12], size, rtol=4 * np.finfo(dtype).eps)
