"""The adjoint of every input beside central differences of the simulation, and independent of the batch."""

from __future__ import annotations

import numpy as np
import pytest

from diffkin.kernels.attitude.constants import BULLET, INTEGRATORS, LIE_MIDPOINT, RK4
from tests.kernels.attitude.bodies import Bodies, pull_back, random_bodies, run

STEPS, DT = 4, 0.1


def _value(bodies: Bodies, kind: int, damping: float, seeds) -> np.ndarray:
    """One number a body, whose gradient is asked for."""
    R, omega, _ = run(bodies, kind, STEPS, DT, damping)
    return (R * seeds[0]).sum((1, 2)) + (omega * seeds[1]).sum((1, 2))


@pytest.mark.parametrize("kind", [RK4, LIE_MIDPOINT, BULLET], ids=INTEGRATORS)
@pytest.mark.parametrize("damping", [0.0, 0.3])
@pytest.mark.parametrize("torques", [1, STEPS])
def test_gradients_are_those_of_differences(kind, damping, torques):
    bodies = random_bodies(3, torques, np.float64)
    rng = np.random.default_rng(1)
    seeds = rng.normal(size=(3, STEPS + 1, 9)), rng.normal(size=(3, STEPS + 1, 3))
    R, omega, events = run(bodies, kind, STEPS, DT, damping)
    assert not events.any()
    grads = pull_back(bodies, kind, R, omega, DT, damping, seeds)
    K, by_inverse = bodies.inverse.reshape(3, 3, 3), grads.inverse.reshape(3, 3, 3)
    through_inverse = -np.swapaxes(K, 1, 2) @ by_inverse @ np.swapaxes(K, 1, 2)
    wanted = {"inertia": grads.inertia + through_inverse.reshape(3, 9)}
    wanted |= {name: getattr(grads, name) for name in ("omega0", "rotor", "torque")}
    step = 1e-5
    for name, grad in wanted.items():
        for place in np.ndindex(grad.shape[1:]):
            moved = []
            for sign in (1, -1):
                array = getattr(bodies, name).copy()
                array[(slice(None), *place)] += sign * step
                other = bodies._replace(**{name: array})
                if name == "inertia":
                    other = other._replace(inverse=np.linalg.inv(array.reshape(3, 3, 3)).reshape(3, 9))
                moved.append(_value(other, kind, damping, seeds))
            want = (moved[0] - moved[1]) / (2 * step)
            np.testing.assert_allclose(grad[(slice(None), *place)], want, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", [RK4, LIE_MIDPOINT, BULLET], ids=INTEGRATORS)
def test_gradient_of_the_first_attitude_is_tangent_and_that_of_differences(kind):
    bodies = random_bodies(3, 1, np.float64)
    rng = np.random.default_rng(1)
    seeds = rng.normal(size=(3, STEPS + 1, 9)), rng.normal(size=(3, STEPS + 1, 3))
    R, omega, _ = run(bodies, kind, STEPS, DT, 0.0)
    G = pull_back(bodies, kind, R, omega, DT, 0.0, seeds).R0.reshape(3, 3, 3)
    R0, step = bodies.R0.reshape(3, 3, 3), 1e-5
    np.testing.assert_allclose(np.swapaxes(R0, 1, 2) @ G, -np.swapaxes(G, 1, 2) @ R0, atol=1e-12)
    for axis in np.eye(3):
        hat = np.cross(np.eye(3), axis)  # its transpose and back again: a turn about the axis, one way or the other
        turned = [
            bodies._replace(R0=(R0 + sign * step * R0 @ hat + 0.5 * step**2 * R0 @ hat @ hat).reshape(3, 9))
            for sign in (1, -1)
        ]
        up, down = (_value(one, kind, 0.0, seeds) for one in turned)
        np.testing.assert_allclose((G * (R0 @ hat)).sum((1, 2)), (up - down) / (2 * step), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", [RK4, LIE_MIDPOINT, BULLET], ids=INTEGRATORS)
def test_bits_do_not_depend_on_the_batch(kind, dtype):
    count = 77
    bodies = random_bodies(count, STEPS, dtype)
    bodies.omega0[5] *= 6
    rng = np.random.default_rng(1)
    seeds = rng.normal(size=(count, STEPS + 1, 9)).astype(dtype), rng.normal(size=(count, STEPS + 1, 3)).astype(dtype)
    R, omega, _ = run(bodies, kind, STEPS, DT, 0.1)
    whole = pull_back(bodies, kind, R, omega, DT, 0.1, seeds)
    for size in (1, 2, 7, 17, 33):
        for start in (0, 3, 30, count - size):
            part = slice(start, start + size)
            cut = [np.ascontiguousarray(array[part]) for array in (R, omega, *seeds)]
            found = pull_back(bodies.part(part), kind, *cut[:2], DT, 0.1, (cut[2], cut[3]))
            for one, among in zip(found, whole, strict=True):
                assert np.array_equal(one, among[part])
