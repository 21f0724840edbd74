"""Attitude dynamics in PyBullet: free bodies beside our integrators, and controllers that fly airframes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin.aircraft import (
    Airframe,
    attitude_enu_flu_to_ned_frd,
    attitude_ned_frd_to_enu_flu,
    check_inertia,
    frd_to_flu,
    simulate_attitude,
)
from diffkin.errors import ModelFileError, OptionError, ShapeError
from diffkin.rotations import angle_between, matrix_to_quat_xyzw, quat_xyzw_to_matrix
from diffkin.simulation.world import bullet, open_world, to_pose

__all__ = ["BULLET_DAMPING", "Flight", "compare_bullet_integrator", "difference_ratio", "fly", "step_free_bodies"]

TIME_STEP = 1.0 / 240.0
"""Bullet's default step [s]."""

BULLET_DAMPING = 0.03999999910593033
"""Bullet's default angular damping, 0.04 in single precision [1/s]."""

_SPACING = 20.0  # between aircraft that share a world [m]


# -- free bodies ----------------------------------------------------------------------------------------------------


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
    spin = _turn(R0.double(), omega0.double())
    with open_world(gravity=0.0) as client:
        p.setTimeStep(dt, physicsClientId=client)
        bodies = []
        for k in range(count):
            body = p.createMultiBody(
                1.0,
                basePosition=[_SPACING * k, 0.0, 0.0],
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
        rotation, rate = _read(client, bodies)
        attitudes, rates = [rotation], [rate]
        for step in range(steps):
            if torque is not None:
                turning = _turn(rotation @ axes.mT, torque[:, step].double())
                for body, vector in zip(bodies, turning.tolist()):
                    p.applyExternalTorque(body, -1, vector, p.WORLD_FRAME, physicsClientId=client)
            p.stepSimulation(physicsClientId=client)
            rotation, rate = _read(client, bodies)
            attitudes.append(rotation)
            rates.append(rate)
    R = torch.stack(attitudes, dim=1) @ axes.mT.unsqueeze(1)
    return R, _turn(R.mT, torch.stack(rates, dim=1))


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


# -- flying ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Flight:
    """How a batch of aircraft flew.

    Attributes:
        time: (steps + 1,) [s].
        R_ned_body: (n, steps + 1, 3, 3) attitudes as Bullet has them.
        omega_body: (n, steps + 1, 3) angular velocities in FRD body axes [rad/s].
        torque: (n, steps, 3) torques that acted, in FRD body axes [N m].
    """

    time: Float[Tensor, " steps1"]
    R_ned_body: Float[Tensor, "n steps1 3 3"]
    omega_body: Float[Tensor, "n steps1 3"]
    torque: Float[Tensor, "n steps 3"]

    def error(self, R_desired: Float[Tensor, "n 3 3"]) -> Float[Tensor, "n steps1"]:
        """(n, steps + 1) angle to the attitudes that were to be reached [rad]."""
        return angle_between(self.R_ned_body, R_desired.unsqueeze(1))


def fly(
    airframe: Airframe,
    controller: Callable[[int, Tensor, Tensor], Tensor],
    R_ned_body: Float[Tensor, "n 3 3"],
    omega_body: Float[Tensor, "n 3"] | None = None,
    q: Float[Tensor, "*n dof"] | None = None,
    *,
    seconds: float = 3.0,
    dt: float = TIME_STEP,
    damping: float = BULLET_DAMPING,
) -> Flight:
    """Let a controller turn a batch of aircraft in one PyBullet world, by Bullet's own dynamics.

    Every aircraft is its whole URDF with the masses and inertias written there, its hinges and gimbal held by Bullet's
    motors; there is no gravity, no air but Bullet's damping, and no contact. The torque acts on the base link.

    Args:
        airframe: An airframe loaded from a URDF.
        controller: ``(k, R_ned_body, omega_body) -> torque``, (n, 3) in FRD body axes [N m], asked before step k.
        R_ned_body: (n, 3, 3) attitudes at the start.
        omega_body: (n, 3) angular velocities at the start [rad/s]; at rest if None.
        q: (dof,) or (n, dof) where hinges and gimbal are held [rad]; neutral if None.
        seconds: How long.
        dt: Step [s].
        damping: Bullet's angular damping [1/s].

    Returns:
        The flight.

    Raises:
        diffkin.errors.MissingDependencyError: pybullet is not installed.
        diffkin.errors.OptionError: ``seconds`` or ``dt`` is not positive.
        diffkin.errors.ShapeError: ``R_ned_body`` is not (n, 3, 3), or the controller's torque not (n, 3).
    """
    p = bullet()
    if not (seconds > 0.0 and dt > 0.0):
        raise OptionError(f"seconds and dt must be positive, got {seconds!r} and {dt!r}.")
    if R_ned_body.ndim != 3 or R_ned_body.shape[1:] != (3, 3):
        raise ShapeError(f"R_ned_body must have shape (n, 3, 3), got {tuple(R_ned_body.shape)}.")
    count, steps = len(R_ned_body), round(seconds / dt)
    start = attitude_ned_frd_to_enu_flu(R_ned_body.detach().double())
    spin = None if omega_body is None else _turn(start, frd_to_flu(omega_body.detach().double()))
    angles = (airframe.neutral() if q is None else q.detach()).double().expand(count, airframe.dof)
    with open_world(gravity=0.0) as client, _urdf(airframe) as path:
        p.setTimeStep(dt, physicsClientId=client)
        side = int(count**0.5) + 1
        places = [[_SPACING * (k % side), _SPACING * (k // side), 0.0] for k in range(count)]
        loaded = [_load_free(client, airframe, path, start[k], places[k], angles[k], damping) for k in range(count)]
        bodies = [body for body, _ in loaded]
        inertial = torch.stack([turn for _, turn in loaded])
        if spin is not None:
            for body, vector in zip(bodies, spin.tolist()):
                p.resetBaseVelocity(body, [0.0, 0.0, 0.0], vector, physicsClientId=client)
        attitudes, rates, torques = [], [], []
        for step in range(steps + 1):
            rotation, rate = _read(client, bodies)
            flu = rotation @ inertial.mT
            attitudes.append(attitude_enu_flu_to_ned_frd(flu))
            rates.append(frd_to_flu(_turn(flu.mT, rate)))
            if step == steps:
                break
            torque = controller(step, attitudes[-1], rates[-1])
            if torque.shape != (count, 3):
                raise ShapeError(f"The controller must return torques ({count}, 3), got {tuple(torque.shape)}.")
            torques.append(torque.detach().double())
            for body, vector in zip(bodies, _turn(flu, frd_to_flu(torques[-1])).tolist()):
                p.applyExternalTorque(body, -1, vector, p.WORLD_FRAME, physicsClientId=client)
            p.stepSimulation(physicsClientId=client)
    time = torch.arange(steps + 1, dtype=torch.float64) * dt
    return Flight(time, torch.stack(attitudes, dim=1), torch.stack(rates, dim=1), torch.stack(torques, dim=1))


def _load_free(
    client: int, airframe: Airframe, path: str, rotation: Tensor, place: list[float], q: Tensor, damping: float
) -> tuple[int, Tensor]:
    """A flying copy of the airframe, its joints held; Bullet's number and the axes of the base's inertial frame."""
    p = bullet()
    body = p.loadURDF(path, useFixedBase=False, flags=p.URDF_USE_INERTIA_FROM_FILE, physicsClientId=client)
    joints = [p.getJointInfo(body, k, physicsClientId=client) for k in range(p.getNumJoints(body, client))]
    tree, names = airframe.robot.tree, airframe.robot.link_names
    for joint in joints:
        if joint[2] == p.JOINT_FIXED:
            continue
        carrier = tree.link_joint[names.index(joint[12].decode())]  # mimic joints, which Bullet does not know, included
        value = float(tree.multiplier[carrier] * q[tree.coordinate[carrier]] + tree.offset[carrier])
        p.resetJointState(body, joint[0], value, 0.0, physicsClientId=client)
        p.setJointMotorControl2(
            body, joint[0], p.POSITION_CONTROL, value, force=joint[10], maxVelocity=joint[11], physicsClientId=client
        )
    for link in range(-1, len(joints)):
        p.changeDynamics(body, link, linearDamping=0.0, angularDamping=damping, physicsClientId=client)
    inertial = to_pose(*p.getDynamicsInfo(body, -1, physicsClientId=client)[3:5])[:3, :3]
    at = matrix_to_quat_xyzw(rotation @ inertial).tolist()
    p.resetBasePositionAndOrientation(body, place, at, physicsClientId=client)
    return body, inertial


@contextmanager
def _urdf(airframe: Airframe) -> Iterator[str]:
    """Path of the airframe's URDF; a temporary file where it was given as text."""
    source = airframe.robot.source
    if not source:
        raise ModelFileError(f"Robot {airframe.robot.name!r} was made from no file, so PyBullet cannot load it.")
    if not source.lstrip("\ufeff \t\r\n").startswith("<"):
        yield source
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "robot.urdf"
        path.write_text(source, encoding="utf-8")
        yield str(path)


def _read(client: int, bodies: list[int]) -> tuple[Tensor, Tensor]:
    """Attitudes (n, 3, 3) of the bodies' inertial frames and angular velocities (n, 3), in world axes."""
    p = bullet()
    poses = [p.getBasePositionAndOrientation(body, physicsClientId=client)[1] for body in bodies]
    rates = [p.getBaseVelocity(body, physicsClientId=client)[1] for body in bodies]
    rotation = quat_xyzw_to_matrix(torch.tensor(poses, dtype=torch.float64))
    return rotation, torch.tensor(rates, dtype=torch.float64)


def _turn(rotation: Tensor, vector: Tensor) -> Tensor:
    return (rotation * vector.unsqueeze(-2)).sum(-1)
