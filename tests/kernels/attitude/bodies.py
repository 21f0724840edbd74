"""Random bodies for the attitude kernels, and the kernels called on them without torch between."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from diffkin.kernels.attitude.adjoint import adjoint
from diffkin.kernels.attitude.constants import (
    DAMPING,
    OWN_INERTIA,
    OWN_INVERSE,
    OWN_ROTOR,
    OWN_TORQUE,
    STEP,
    TORQUE_EACH_STEP,
)
from diffkin.kernels.attitude.simulate import simulate


class Bodies(NamedTuple):
    """Inputs of ``simulate``, each body with its own."""

    R0: NDArray
    omega0: NDArray
    inertia: NDArray
    inverse: NDArray
    rotor: NDArray
    torque: NDArray

    def part(self, chosen: slice) -> Bodies:
        return Bodies(*(np.ascontiguousarray(array[chosen]) for array in self))


def random_bodies(count: int, torques: int, dtype: type, seed: int = 0) -> Bodies:
    """Bodies that turn at about a radian a second, with ``torques`` torques each."""
    rng = np.random.default_rng(seed)
    square = rng.normal(size=(count, 3, 3))
    inertia = square @ square.transpose(0, 2, 1) + 3 * np.eye(3)
    arrays = (
        Rotation.random(count, random_state=seed).as_matrix().reshape(count, 9),
        rng.normal(size=(count, 3)),
        inertia.reshape(count, 9),
        np.linalg.inv(inertia).reshape(count, 9),
        rng.normal(size=(count, 3)),
        rng.normal(size=(count, torques, 3)),
    )
    return Bodies(*(np.ascontiguousarray(array, dtype) for array in arrays))


def packed(each_step: bool, dt: float, damping: float) -> tuple[NDArray, NDArray]:
    """``flags`` and ``options`` of the kernels."""
    flags, options = np.zeros(5, np.int64), np.zeros(2)
    flags[[OWN_INERTIA, OWN_INVERSE, OWN_ROTOR, OWN_TORQUE]] = 1
    flags[TORQUE_EACH_STEP] = each_step
    options[STEP], options[DAMPING] = dt, damping
    return flags, options


def run(bodies: Bodies, kind: int, steps: int, dt: float, damping: float) -> tuple[NDArray, NDArray, NDArray]:
    """R (count, steps + 1, 9), omega (count, steps + 1, 3) and events (count,)."""
    count, dtype = len(bodies.R0), bodies.R0.dtype
    R, omega = np.empty((count, steps + 1, 9), dtype), np.empty((count, steps + 1, 3), dtype)
    events = np.zeros(count, np.uint8)
    shared = packed(bodies.torque.shape[1] > 1, dt, damping)
    simulate(*bodies, *shared, kind, R, omega, events, 0, count)
    return R, omega, events


def pull_back(
    bodies: Bodies, kind: int, R: NDArray, omega: NDArray, dt: float, damping: float, seeds: tuple[NDArray, NDArray]
) -> Bodies:
    """Gradients of every input, from ``seeds`` on R and omega."""
    grads = Bodies(*(np.empty_like(array) for array in bodies))
    shared = packed(bodies.torque.shape[1] > 1, dt, damping)
    adjoint(R, omega, *bodies[2:], *shared, kind, *seeds, *grads, 0, len(R))
    return grads
