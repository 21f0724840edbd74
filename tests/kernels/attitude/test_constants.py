"""The numbering of integrators and Bullet's clamps: what both paths read."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pybullet

from diffkin.aircraft import simulate_attitude
from diffkin.aircraft.dynamics.integrators import INTEGRATORS as TORCH
from diffkin.kernels.attitude import constants


def test_names_stand_in_the_order_of_their_numbers():
    numbers = constants.RK4, constants.LIE_MIDPOINT, constants.BULLET
    assert numbers == tuple(range(len(constants.INTEGRATORS)))
    assert [constants.INTEGRATORS[k] for k in numbers] == ["rk4", "lie_midpoint", "bullet"]
    assert set(TORCH) == set(constants.INTEGRATORS)


def test_no_two_flags_share_a_place():
    flags = [getattr(constants, name) for name in constants.__all__ if name.startswith("OWN")]
    assert sorted([*flags, constants.TORQUE_EACH_STEP]) == list(range(5))
    assert sorted([constants.STEP, constants.DAMPING]) == [0, 1]


def test_import_is_light():
    code = "import sys, diffkin.kernels.attitude.constants; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_clamps_are_those_of_pybullet():
    """A body that PyBullet is asked to spin faster than it can: rate and turn after one step."""
    import torch

    client = pybullet.connect(pybullet.DIRECT)
    try:
        dt = 0.02
        pybullet.setTimeStep(dt, physicsClientId=client)
        shape = pybullet.createCollisionShape(pybullet.GEOM_BOX, halfExtents=[0.1, 0.1, 0.1], physicsClientId=client)
        body = pybullet.createMultiBody(1.0, shape, physicsClientId=client)
        pybullet.changeDynamics(body, -1, linearDamping=0, angularDamping=0, physicsClientId=client)
        inertia = pybullet.getDynamicsInfo(body, -1, physicsClientId=client)[2]
        for asked in (0.9 * constants.BULLET_MAX_TURN / dt, 1.2 * constants.BULLET_MAX_TURN / dt, 150.0):
            pybullet.resetBasePositionAndOrientation(body, [0, 0, 0], [0, 0, 0, 1], physicsClientId=client)
            pybullet.resetBaseVelocity(body, [0, 0, 0], [0, 0, asked], physicsClientId=client)
            pybullet.stepSimulation(physicsClientId=client)
            quat = pybullet.getBasePositionAndOrientation(body, physicsClientId=client)[1]
            rate = pybullet.getBaseVelocity(body, physicsClientId=client)[1]
            want = np.array(pybullet.getMatrixFromQuaternion(quat)).reshape(3, 3)
            R, omega = simulate_attitude(
                torch.eye(3, dtype=torch.float64),
                torch.tensor([0.0, 0.0, asked], dtype=torch.float64),
                torch.tensor(inertia, dtype=torch.float64),
                dt=dt,
                steps=1,
                integrator="bullet",
            )
            np.testing.assert_allclose(R[1], want, rtol=0, atol=1e-9)
            np.testing.assert_allclose(omega[1], rate, rtol=1e-12, atol=1e-12)
            if asked > constants.BULLET_MAX_RATE:
                assert rate[2] == constants.BULLET_MAX_RATE
    finally:
        pybullet.disconnect(client)
