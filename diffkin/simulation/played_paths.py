"""Paths in PyBullet: Bullet's motors carry an arm along commanded coordinates, tick by tick, against gravity."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._given import steps_in
from diffkin.errors import OptionError, ShapeError
from diffkin.robot import Robot
from diffkin.simulation.bullet_robot import BulletRobot, load
from diffkin.simulation.library import bullet
from diffkin.simulation.pictures import frame_camera
from diffkin.simulation.window import run_in_window
from diffkin.simulation.world import TIME_STEP

__all__ = ["PlayedPath", "play_path", "show_path"]


@dataclass(frozen=True, eq=False)
class PlayedPath:
    """Where the motors were at every tick.

    Attributes:
        q: (n, dof) coordinates.
        T: (n, 4, 4) pose of the tip in the base, read from Bullet.
        joint_error: (n, dof) how far the coordinates are from those commanded [rad or m].
        tip_error: (n,) how far the tip is from where those commanded would have it [m].
    """

    q: Float[Tensor, "n dof"]
    T: Float[Tensor, "n 4 4"]
    joint_error: Float[Tensor, "n dof"]
    tip_error: Float[Tensor, " n"]


def play_path(
    arm: BulletRobot,
    q: Float[Tensor, "n dof"],
    dt: float,
    *,
    position_gain: float = 0.4,
    velocity_gain: float = 1.0,
    real_time: bool = False,
) -> PlayedPath:
    """Let Bullet's position motors follow coordinates that change every tick, under gravity.

    The arm starts at rest at the first. Between ticks the commanded positions run straight, and their speed is commanded
    with them. Each motor may use the effort that the robot's file allows its joint.

    Args:
        arm: The robot in Bullet.
        q: (n, dof) coordinates [rad or m], one a tick.
        dt: Length of a tick [s]; rounded to whole steps of the simulation, one at least.
        position_gain: Bullet's ``positionGains``: share of the position error that a step is to remove.
        velocity_gain: Bullet's ``velocityGains``.
        real_time: Wait where the simulation runs ahead of the clock, so that a viewer sees it at natural speed.

    Returns:
        What was reached at every tick.

    Raises:
        diffkin.errors.ShapeError: ``q`` is not (n, dof), or there is none.
        diffkin.errors.OptionError: ``dt`` is not above 0.
    """
    if q.ndim != 2 or not len(q) or q.shape[-1] != arm.robot.dof:
        raise ShapeError(f"q must be (n, {arm.robot.dof}), n > 0, got {tuple(q.shape)}.")
    if not dt > 0.0:
        raise OptionError(f"dt must be above 0, got {dt!r}.")
    p = bullet()
    at = {"physicsClientId": arm.client}
    joints, count = list(arm.movable), max(1, steps_in(dt, TIME_STEP, "dt"))
    p.setTimeStep(TIME_STEP, **at)
    infos = [p.getJointInfo(arm.body, joint, **at) for joint in joints]
    forces = [info[10] if info[10] > 0 else 1000.0 for info in infos]  # files may leave the effort out
    wanted = q.detach().cpu().double()
    arm.reset(wanted[0])
    commands = torch.tensor([arm.joint_values(row) for row in wanted], dtype=torch.float64, device="cpu")
    reached, tips = [arm.coordinates()], [arm.link_pose(_tip(arm))]
    began, steps = time.monotonic(), 0
    for before, after in zip(commands, commands[1:], strict=False):
        for step in range(1, count + 1):
            p.setJointMotorControlArray(
                arm.body,
                joints,
                p.POSITION_CONTROL,
                targetPositions=(before + step / count * (after - before)).tolist(),
                targetVelocities=((after - before) / (count * TIME_STEP)).tolist(),
                forces=forces,
                positionGains=[position_gain] * len(joints),
                velocityGains=[velocity_gain] * len(joints),
                **at,
            )
            p.stepSimulation(**at)
            steps += 1
            if real_time:
                time.sleep(max(0.0, began + steps * TIME_STEP - time.monotonic()))
        reached.append(arm.coordinates())
        tips.append(arm.link_pose(_tip(arm)))
    there, poses = torch.stack(reached), torch.stack(tips)
    asked = arm.robot.to(torch.float64).forward_kinematics(wanted)
    return PlayedPath(there, poses, there - wanted, (poses - asked)[:, :3, 3].norm(dim=-1))


def show_path(robot: Robot, q: Float[Tensor, "n dof"], dt: float) -> str:
    """Play a path in PyBullet's window at natural speed; returns as ``run_in_window``."""
    robot = robot.to(dtype=torch.float64, device="cpu")
    return run_in_window(_show, robot, q.detach().cpu().numpy(), dt)


def _show(client: int, robot: Robot, q: Any, dt: float) -> None:
    arm, path = load(client, robot), torch.from_numpy(q).double()
    camera = frame_camera(arm, path)
    bullet().resetDebugVisualizerCamera(
        camera.distance, camera.yaw_deg, camera.pitch_deg, camera.target, physicsClientId=client
    )
    play_path(arm, path, dt, real_time=True)
    time.sleep(1.0)


def _tip(arm: BulletRobot) -> str:
    return arm.robot.link_names[arm.robot.link_index(None)]
