"""Flights in PyBullet: controllers that turn airframes by Bullet's own dynamics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._algebra import apply
from diffkin._given import steps_in
from diffkin.aircraft import Airframe, attitude_enu_flu_to_ned_frd, attitude_ned_frd_to_enu_flu, frd_to_flu
from diffkin.errors import OptionError, ShapeError
from diffkin.rotations import angle_between, matrix_to_quat_xyzw
from diffkin.simulation.bullet_robot import to_pose, urdf_file
from diffkin.simulation.free_bodies import BULLET_DAMPING, SPACING, read_attitudes
from diffkin.simulation.library import bullet
from diffkin.simulation.world import TIME_STEP, open_world

__all__ = ["Flight", "fly", "load_flying"]


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
    count, steps = len(R_ned_body), steps_in(seconds, dt, least=1)
    start = attitude_ned_frd_to_enu_flu(R_ned_body.detach().double())
    spin = None if omega_body is None else apply(start, frd_to_flu(omega_body.detach().double()))
    angles = (airframe.neutral() if q is None else q.detach()).double().expand(count, airframe.dof)
    with open_world(gravity=0.0) as client, urdf_file(airframe.robot) as path:
        p.setTimeStep(dt, physicsClientId=client)
        side = int(count**0.5) + 1
        places = [[SPACING * (k % side), SPACING * (k // side), 0.0] for k in range(count)]
        loaded = [load_flying(client, airframe, path, start[k], places[k], angles[k], damping) for k in range(count)]
        bodies = [body for body, _ in loaded]
        inertial = torch.stack([turn for _, turn in loaded])
        if spin is not None:
            for body, vector in zip(bodies, spin.tolist()):
                p.resetBaseVelocity(body, [0.0, 0.0, 0.0], vector, physicsClientId=client)
        attitudes, rates, torques = [], [], []
        for step in range(steps + 1):
            rotation, rate = read_attitudes(client, bodies)
            flu = rotation @ inertial.mT
            attitudes.append(attitude_enu_flu_to_ned_frd(flu))
            rates.append(frd_to_flu(apply(flu.mT, rate)))
            if step == steps:
                break
            torque = controller(step, attitudes[-1], rates[-1])
            if torque.shape != (count, 3):
                raise ShapeError(f"The controller must return torques ({count}, 3), got {tuple(torque.shape)}.")
            torques.append(torque.detach().double())
            for body, vector in zip(bodies, apply(flu, frd_to_flu(torques[-1])).tolist()):
                p.applyExternalTorque(body, -1, vector, p.WORLD_FRAME, physicsClientId=client)
            p.stepSimulation(physicsClientId=client)
    time = torch.arange(steps + 1, dtype=torch.float64, device="cpu") * dt
    return Flight(time, torch.stack(attitudes, dim=1), torch.stack(rates, dim=1), torch.stack(torques, dim=1))


def load_flying(
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
