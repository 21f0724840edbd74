"""Learned attitude policies that fly airframes in PyBullet, through motors with a lag."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from diffkin._given import steps_in
from diffkin.aircraft import Airframe
from diffkin.learning.policy import Craft, FlightStarts, flight_state
from diffkin.rotations import matrix_to_quat_xyzw, quat_xyzw_to_matrix
from diffkin.simulation.flights import Flight, fly

__all__ = ["fly_policy"]


def fly_policy(
    airframe: Airframe,
    policy: nn.Module,
    craft: Craft,
    starts: FlightStarts,
    *,
    seconds: float = 4.0,
    substeps: int = 4,
) -> Flight:
    """Let a policy turn an airframe to level flight to the north, by Bullet's own dynamics.

    Torque limits are those of the craft scaled to the airframe's inertia, so that the policy meets the angular
    accelerations it was trained with. It is asked every ``craft.dt``; the motors' lag is exact in every step of Bullet.

    Args:
        airframe: An airframe loaded from a URDF.
        policy: ``(state, craft) -> (3, n)`` torques [N m].
        craft: The body that the policy was trained on.
        starts: Attitudes (body to NED) and rates to begin with; the moments of inertia are the airframe's own.
        seconds: How long; a whole number of commands is flown, the nearest one.
        substeps: Steps of Bullet between commands.

    Returns:
        The flight, one state for each command and the last one; ``torque`` is the mean between commands.

    Raises:
        diffkin.errors.MissingDependencyError: pybullet is not installed.
    """
    body = craft.scaled_to(airframe.mass_properties().inertia.to(craft.inertia))
    dt = craft.dt / substeps
    decay = math.exp(-dt / craft.lag)
    share = (1.0 - decay) * craft.lag / dt  # of what is left of the difference, in the mean over a step
    torque = torch.zeros_like(starts.omega)
    command = torch.zeros_like(starts.omega)

    @torch.no_grad()
    def controller(k: int, R_ned_body: Tensor, omega_body: Tensor) -> Tensor:
        nonlocal torque, command
        if k % substeps == 0:
            quat = matrix_to_quat_xyzw(R_ned_body).T
            command = policy(flight_state(quat.to(torque), omega_body.T.to(torque), torque), body)
        away = torque - command
        torque = command + decay * away
        return (command + share * away).T

    R0 = quat_xyzw_to_matrix(starts.quat_xyzw.T.double())
    commands = max(1, steps_in(seconds, craft.dt))
    flown = fly(airframe, controller, R0, starts.omega.T, seconds=commands * craft.dt, dt=dt)
    mean = flown.torque.unflatten(1, (-1, substeps)).mean(2)
    return Flight(flown.time[::substeps], flown.R_ned_body[:, ::substeps], flown.omega_body[:, ::substeps], mean)
