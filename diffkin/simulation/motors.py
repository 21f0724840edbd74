"""Position control in PyBullet: Bullet's motors carry an arm to a configuration against gravity."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._given import steps_in
from diffkin.errors import OptionError
from diffkin.simulation.bullet_robot import BulletRobot
from diffkin.simulation.library import bullet
from diffkin.simulation.world import TIME_STEP

__all__ = ["Arrival", "drive_to"]


@dataclass(frozen=True, eq=False)
class Arrival:
    """Where an arm came to rest.

    Attributes:
        q: (dof,) coordinates reached.
        joint_error: (dof,) how far they are from those asked for [rad or m].
        seconds: Simulated time.
    """

    q: Float[Tensor, " dof"]
    joint_error: Float[Tensor, " dof"]
    seconds: float


def drive_to(
    arm: BulletRobot,
    q: Float[Tensor, " dof"],
    *,
    move_seconds: float | None = None,
    settle_seconds: float = 1.5,
    position_gain: float = 0.2,
    velocity_gain: float = 1.0,
    real_time: bool = False,
) -> Arrival:
    """Let Bullet's position motors carry an arm from where it is to ``q``, under gravity.

    The commanded positions run smoothly from the present ones to ``q`` (half a cosine), then stay there while the arm
    settles. Each motor may use the effort that the robot's file allows its joint; an arm whose motors cannot carry its
    own weight does not arrive. Joints that ``q`` does not move are held.

    Args:
        arm: The robot in Bullet.
        q: (dof,) coordinates to reach [rad or m].
        move_seconds: Simulated time of the movement; None takes what the file's joint speeds ask for, 1 s at least.
        settle_seconds: Simulated time of holding still afterwards.
        position_gain: Bullet's ``positionGains``: share of the position error that a step is to remove.
        velocity_gain: Bullet's ``velocityGains``.
        real_time: Wait where the simulation runs ahead of the clock, so that a viewer sees it at natural speed.

    Returns:
        Where the arm came to rest.

    Raises:
        diffkin.errors.OptionError: A time is negative.
    """
    if (move_seconds is not None and move_seconds < 0) or settle_seconds < 0:
        raise OptionError(f"Times must not be negative, got {move_seconds=}, {settle_seconds=}.")
    p = bullet()
    at = {"physicsClientId": arm.client}
    joints = list(arm.movable)
    p.setTimeStep(TIME_STEP, **at)
    infos = [p.getJointInfo(arm.body, joint, **at) for joint in joints]
    forces = [info[10] if info[10] > 0 else 1000.0 for info in infos]  # files may leave the effort out
    start = torch.tensor(
        [state[0] for state in p.getJointStates(arm.body, joints, **at)], dtype=torch.float64, device="cpu"
    )
    goal = torch.tensor(arm.joint_values(q), dtype=torch.float64, device="cpu")
    if move_seconds is None:
        speeds = torch.tensor(
            [info[11] if info[11] > 0 else math.inf for info in infos], dtype=torch.float64, device="cpu"
        )
        # half a cosine is at most pi / 2 times as fast as its mean; a fifth is kept in reserve
        move_seconds = max(1.0, float(1.2 * math.pi / 2 * ((goal - start).abs() / speeds).max()))
    moving = steps_in(move_seconds, TIME_STEP, "move_seconds")
    settling = steps_in(settle_seconds, TIME_STEP, "settle_seconds")
    began = time.monotonic()
    for step in range(1, moving + settling + 1):
        share = 0.5 - 0.5 * math.cos(math.pi * step / moving) if step < moving else 1.0
        p.setJointMotorControlArray(
            arm.body,
            joints,
            p.POSITION_CONTROL,
            targetPositions=(start + share * (goal - start)).tolist(),
            targetVelocities=[0.0] * len(joints),
            forces=forces,
            positionGains=[position_gain] * len(joints),
            velocityGains=[velocity_gain] * len(joints),
            **at,
        )
        p.stepSimulation(**at)
        if real_time:
            time.sleep(max(0.0, began + step * TIME_STEP - time.monotonic()))
    reached = arm.coordinates()
    return Arrival(reached, reached - q.detach().cpu().double(), (moving + settling) * TIME_STEP)
