"""Free bodies in PyBullet beside our integrators of attitude dynamics."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import apply
from diffkin.aircraft import check_inertia, simulate_attitude
from diffkin.errors import ShapeError
from diffkin.rotations import angle_between, matrix_to_quat_xyzw, quat_xyzw_to_matrix, random_rotation
from diffkin.simulation.library import bullet
from diffkin.simulation.world import TIME_STEP, open_world

__all__ = [
    "BULLET_DAMPING",
    "SPACING",
    "compare_bullet_integrator",
    "compare_integrators",
    "difference_ratio",
    "read_attitudes",
    "step_free_bodies",
]

BULLET_DAMPING = 0.03999999910593033
"""Bullet's default angular damping, 0.04 in single precision [1/s]."""

SPACING = 20.0
"""Between bodies that share a world [m]."""


def step_free_bodies(
    R0: Float[Tensor, "n 3 3"],
    omega0: Float[Tensor, "n 3"],
    inertia: Float[Tensor, "*n 3 3"],
    torque: Float[Tensor, "n steps 3"] | None,
    *,
    dt: float = TIME_STEP,
    steps: int = 2400,
    damping: float = 0.0,
) -> tuple[Float[Tensor, "n steps1 3 3"], Float[Tensor, "n steps1 3"]]:
    """Free bodies without a shape, stepped by Bullet itself: what the integrator "bullet" copies.

    Bullet keeps bodies in their principal axes; attitudes, rates and torques are carried there and back.

    Args:
        R0: (n, 3, 3) attitudes, body to an inertial frame.
        omega0: (n, 3) angular velocities in body axes [rad/s].
        inertia: (3, 3) or (n, 3, 3) in body axes [kg m^2].
        torque: (n, steps, 3) in body axes, held over each step [N m]; None for none.
        dt: Step [s].
        steps: How many.
        damping: Bullet's angular damping [1/s].

    Returns:
        R (n, steps + 1, 3, 3) and omega_body (n, steps + 1, 3).

    Raises:
        diffkin.errors.MissingDependencyError: pybullet is not installed.
        diffkin.errors.ShapeError: Shapes do not fit.
        diffkin.errors.AttitudeError: The inertia is that of no body.
    """
    p = bullet()
    count = len(R0)
    if omega0.shape != (count, 3) or (torque is not None and torque.shape != (count, steps, 3)):
        raise ShapeError(
            f"R0 (n, 3, 3), omega0 (n, 3) and torque (n, {steps}, 3) must have one n; got {tuple(R0.shape)}, "
            f"{tuple(omega0.shape)} and {None if torque is None else tuple(torque.shape)}."
        )
    moments, axes = torch.linalg.eigh(check_inertia(inertia).double())
    axes = axes * torch.linalg.det(axes)[..., None, None]  # right-handed
    axes, moments = axes.expand(count, 3, 3), moments.expand(count, 3)
    start = R0.double() @ axes
    spin = apply(R0.double(), omega0.double())
    with open_world(gravity=0.0) as client:
        p.setTimeStep(dt, physicsClientId=client)
        bodies = []
        for k in range(count):
            body = p.createMultiBody(
                1.0,
                basePosition=[SPACING * k, 0.0, 0.0],
                baseOrientation=matrix_to_quat_xyzw(start[k]).tolist(),
                physicsClientId=client,
            )
            p.changeDynamics(
                body,
                -1,
                localInertiaDiagonal=moments[k].tolist(),
                linearDamping=0.0,
                angularDamping=damping,
                physicsClientId=client,
            )
            p.resetBaseVelocity(body, [0.0, 0.0, 0.0], spin[k].tolist(), physicsClientId=client)
            bodies.append(body)
        rotation, rate = read_attitudes(client, bodies)
        attitudes, rates = [rotation], [rate]
        for step in range(steps):
            if torque is not None:
                turning = apply(rotation @ axes.mT, torque[:, step].double())
                for body, vector in zip(bodies, turning.tolist()):
                    p.applyExternalTorque(body, -1, vector, p.WORLD_FRAME, physicsClientId=client)
            p.stepSimulation(physicsClientId=client)
            rotation, rate = read_attitudes(client, bodies)
            attitudes.append(rotation)
            rates.append(rate)
    R = torch.stack(attitudes, dim=1) @ axes.mT.unsqueeze(1)
    return R, apply(R.mT, torch.stack(rates, dim=1))


def compare_bullet_integrator(
    R0: Tensor,
    omega0: Tensor,
    inertia: Tensor,
    torque: Tensor | None,
    *,
    dt: float = TIME_STEP,
    steps: int = 2400,
    damping: float = 0.0,
    integrator: str = "bullet",
) -> float:
    """Largest angle [rad] between our path and Bullet's, over bodies and steps; arguments as ``step_free_bodies``."""
    theirs, _ = step_free_bodies(R0, omega0, inertia, torque, dt=dt, steps=steps, damping=damping)
    ours, _ = simulate_attitude(
        R0.double(), omega0.double(), inertia, torque, dt=dt, steps=steps, integrator=integrator, damping=damping
    )
    return float(angle_between(ours, theirs).max())


def difference_ratio(
    R0: Tensor, omega0: Tensor, inertia: Tensor, *, dt: float = TIME_STEP, steps: int = 240, integrator: str = "rk4"
) -> float:
    """How many times nearer an accurate integrator and Bullet are after halving the step; 2 where Bullet is of order 1.

    Args:
        R0: (n, 3, 3) attitudes.
        omega0: (n, 3) angular velocities in body axes [rad/s].
        inertia: (3, 3) or (n, 3, 3) [kg m^2].
        dt: The longer step [s].
        steps: How many of the longer steps.
        integrator: "rk4" or "lie_midpoint".

    Returns:
        The ratio of the mean angles between the two paths at the end, at ``dt`` over at ``dt / 2``.
    """
    ends = []
    for halving in (1, 2):
        theirs, _ = step_free_bodies(R0, omega0, inertia, None, dt=dt / halving, steps=steps * halving)
        ours, _ = simulate_attitude(
            R0.double(), omega0.double(), inertia, dt=dt / halving, steps=steps * halving, integrator=integrator
        )
        ends.append(float(angle_between(ours[:, -1], theirs[:, -1]).mean()))
    return ends[0] / ends[1]


def compare_integrators(inertia: Float[Tensor, "3 3"], seed: int = 0) -> dict[str, float]:
    """Our integrators beside Bullet's own step, for four bodies with this inertia that tumble at random.

    Args:
        inertia: (3, 3) in body axes [kg m^2].
        seed: Of attitudes, rates and torques.

    Returns:
        ``bullet_integrator_difference_rad``, the largest angle between the paths over 2400 steps with torques and
        damping; ``rk4_difference_ratio`` and ``lie_difference_ratio``, how the difference from Bullet shrinks as the
        step is halved (see ``difference_ratio``).
    """
    generator = torch.Generator().manual_seed(seed)
    start = random_rotation(4, seed=generator)
    rate = torch.randn(4, 3, generator=generator, device="cpu", dtype=torch.float64)
    torque = torch.randn(4, 2400, 3, generator=generator, device="cpu", dtype=torch.float64) * inertia.diagonal()
    apart = compare_bullet_integrator(start, rate, inertia, torque, damping=BULLET_DAMPING)
    return {
        "bullet_integrator_difference_rad": apart,
        "rk4_difference_ratio": difference_ratio(start, rate, inertia, integrator="rk4"),
        "lie_difference_ratio": difference_ratio(start, rate, inertia, integrator="lie_midpoint"),
    }


def read_attitudes(client: int, bodies: list[int]) -> tuple[Tensor, Tensor]:
    """Attitudes (n, 3, 3) of the bodies' inertial frames and angular velocities (n, 3), in world axes."""
    p = bullet()
    poses = [p.getBasePositionAndOrientation(body, physicsClientId=client)[1] for body in bodies]
    rates = [p.getBaseVelocity(body, physicsClientId=client)[1] for body in bodies]
    rotation = quat_xyzw_to_matrix(torch.tensor(poses, dtype=torch.float64, device="cpu"))
    return rotation, torch.tensor(rates, dtype=torch.float64, device="cpu")
