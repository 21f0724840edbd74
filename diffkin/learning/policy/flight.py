"""A rigid body with motors, flown by a policy in few tensor operations: what attitude policies are trained through.

Everything has the batch on its last axis, (3, batch) and (4, batch), so that each operation works on long rows. The
attitude to reach is the identity; an attitude is then its own error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from diffkin._checks import check_finite, check_floating
from diffkin._given import generator_of, real, whole
from diffkin.errors import OptionError, ShapeError
from diffkin.learning.policy.craft import Craft
from diffkin.learning.sizes import check_memory
from diffkin.learning.training.seeds import held_out_seed
from diffkin.rotations import matrix_to_quat_xyzw, random_rotation

__all__ = [
    "FlightStarts",
    "FlightState",
    "Flights",
    "TorqueLaw",
    "draw_starts",
    "flight",
    "flight_state",
    "flight_step",
    "held_out_starts",
]

TorqueLaw = Callable[["FlightState", Craft], Tensor]
"""``(state, craft) -> (3, n)``: whatever gives the torques [N m] of a flight, a policy or any other function."""


class FlightStarts(NamedTuple):
    """Where flights begin, and the bodies that fly.

    Attributes:
        quat_xyzw: (4, n) attitudes, w not negative.
        omega: (3, n) angular velocities in body axes [rad/s].
        moments: (3, n) true principal moments [kg m^2].
    """

    quat_xyzw: Tensor
    omega: Tensor
    moments: Tensor


class FlightState(NamedTuple):
    """What a policy sees.

    Attributes:
        quat_xyzw: (4, n) attitude, w not negative.
        omega: (3, n) angular velocity in body axes [rad/s].
        torque: (3, n) what the motors give now [N m].
        rotvec: (3, n) rotation vector of the attitude [rad].
        angle: (n,) its length.
    """

    quat_xyzw: Tensor
    omega: Tensor
    torque: Tensor
    rotvec: Tensor
    angle: Tensor


class Flights(NamedTuple):
    """A batch of flights; the state before each command and after the last.

    Attributes:
        quat_xyzw: (steps + 1, 4, n).
        omega: (steps + 1, 3, n) [rad/s].
        angle: (steps + 1, n) [rad].
        command: (steps, 3, n) what the policy asked for [N m].
        dt: Time between commands [s].
    """

    quat_xyzw: Tensor
    omega: Tensor
    angle: Tensor
    command: Tensor
    dt: float


def draw_starts(
    craft: Craft, count: int, generator: torch.Generator, *, rate: float = 1.5, spread: float = 0.3
) -> FlightStarts:
    """Attitudes uniform on SO(3), normal rates, and moments of inertia off the nominal ones.

    Args:
        craft: The nominal body.
        count: How many.
        generator: Source of randomness.
        rate: Standard deviation of each component of the rate [rad/s].
        spread: Moments are the nominal ones times factors uniform in ``1 +- spread``.

    Returns:
        The starts, in the craft's dtype on the CPU.
    """
    if not isinstance(craft, Craft):
        raise OptionError(f"Flights need a Craft, got a {type(craft).__name__}.")
    count, generator = whole(count, "count", 1), generator_of(generator, "generator")
    rate, spread = real(rate, "rate", least=0.0), real(spread, "spread", least=0.0, below=1.0)
    check_memory(8 * 20 * count, f"{count} starts", "Draw fewer.")
    dtype = craft.inertia.dtype
    quat = matrix_to_quat_xyzw(random_rotation(count, seed=generator)).to(dtype)
    omega = rate * torch.randn(count, 3, generator=generator, dtype=dtype, device="cpu")
    factor = 1.0 + spread * (2.0 * torch.rand(count, 3, generator=generator, dtype=dtype, device="cpu") - 1.0)
    return FlightStarts(quat.T.contiguous(), omega.T.contiguous(), (craft.moments.cpu() * factor).T.contiguous())


def held_out_starts(craft: Craft, count: int, *, spread: float = 0.3, seed: int = 0) -> FlightStarts:
    """Starts that no training run draws."""
    return draw_starts(craft, count, generator_of(held_out_seed(seed)), spread=spread)


def flight_state(quat_xyzw: Tensor, omega: Tensor, torque: Tensor) -> FlightState:
    """The state with the rotation vector ``2 atan2(|v|, w) v / |v|`` of the quaternion (v, w), w not negative.

    Args:
        quat_xyzw: (4, n).
        omega: (3, n) [rad/s].
        torque: (3, n) [N m].

    Returns:
        The state; smooth at the identity.
    """
    vector = quat_xyzw[:3]
    size = (vector.square().sum(0) + _tiny(quat_xyzw)).sqrt()  # never zero, whose root has no slope
    angle = 2.0 * torch.atan2(size, quat_xyzw[3])
    return FlightState(quat_xyzw, omega, torque, vector * (angle / size), angle)


def flight_step(state: FlightState, command: Tensor, moments: Tensor, craft: Craft) -> FlightState:
    """One step under a held command: motors of first order, Euler's equations, and a turn.

    The motors' mean torque over the step is exact. The rate is advanced by the midpoint rule, the attitude by the
    rate at the midpoint, as the quaternion ``(tan(t/2) axis, 1)`` normalised; both are of order 2.

    Args:
        state: The state.
        command: (3, n) torques asked for [N m].
        moments: (3, n) true principal moments [kg m^2].
        craft: Lag and step.

    Returns:
        The state ``craft.dt`` later.
    """
    decay = math.exp(-craft.dt / craft.lag)
    away = state.torque - command
    acting = torch.add(command, away, alpha=(1.0 - decay) * craft.lag / craft.dt)
    torque = torch.add(command, away, alpha=decay)
    omega = state.omega
    step = craft.dt / moments
    middle = torch.addcmul(omega, step, acting - torch.linalg.cross(omega, moments * omega, dim=0), value=0.5)
    omega = torch.addcmul(omega, step, acting - torch.linalg.cross(middle, moments * middle, dim=0))
    turn = (0.5 * craft.dt) * middle
    turn = turn * (1.0 + turn.square().sum(0) / 3.0)  # tan(x) = x + x^3 / 3 + ...
    vector, scalar = state.quat_xyzw[:3], state.quat_xyzw[3]
    turned = torch.addcmul(vector, scalar, turn) + torch.linalg.cross(vector, turn, dim=0)
    quat = torch.cat([turned, (scalar - (vector * turn).sum(0))[None]])
    quat = quat * torch.copysign(quat.square().sum(0).rsqrt(), quat[3])
    return flight_state(quat, omega, torque)


def flight(policy: TorqueLaw, starts: FlightStarts, craft: Craft, steps: int) -> Flights:
    """Fly from a batch of starts to the identity, motors at rest at first; gradients flow to the policy.

    Args:
        policy: ``(state, craft) -> (3, n)`` torques within the craft's limits.
        starts: Where to begin; dtype and device decide.
        craft: The nominal body.
        steps: How many commands.

    Returns:
        The flights.
    """
    if not isinstance(craft, Craft):
        raise OptionError(f"A flight needs a Craft, got a {type(craft).__name__}.")
    if not callable(policy):
        raise OptionError(f"A flight needs a policy, a function (state, craft) -> torques, got {policy!r}.")
    starts, steps = _checked(starts), whole(steps, "steps", 1)
    size = 14 * starts.omega.shape[-1] * starts.omega.element_size() * steps
    check_memory(size, f"{starts.omega.shape[-1]} flights of {steps} steps", "Fly fewer or shorter ones.")
    craft = craft.to(starts.omega)
    state = flight_state(starts.quat_xyzw, starts.omega, torch.zeros_like(starts.omega))
    states, commands = [state], []
    for _ in range(steps):
        commands.append(policy(state, craft))
        if len(commands) == 1:
            _check_command(commands[0], starts)
        state = flight_step(state, commands[-1], starts.moments, craft)
        states.append(state)
    quats, omegas, _, _, angles = zip(*states, strict=True)
    return Flights(torch.stack(quats), torch.stack(omegas), torch.stack(angles), torch.stack(commands), craft.dt)


def _checked(starts: FlightStarts) -> FlightStarts:
    """Starts of one number of flights, in one dtype."""
    if not isinstance(starts, tuple) or len(starts) != 3:
        raise OptionError(f"starts must be FlightStarts(quat_xyzw, omega, moments), got a {type(starts).__name__}.")
    n = starts[1].shape[-1:] if isinstance(starts[1], Tensor) else ()
    for name, part, width in zip(FlightStarts._fields, starts, (4, 3, 3)):
        check_floating(part, name)
        if tuple(part.shape) != (width, *n):
            raise ShapeError(f"{name} of starts must have shape ({width}, n), got {tuple(part.shape)}.")
        check_finite(part, name)
    return FlightStarts(*starts)


def _check_command(command: object, starts: FlightStarts) -> None:
    """Raise unless a policy gives a torque for each flight."""
    shape = tuple(command.shape) if isinstance(command, Tensor) else type(command).__name__
    if shape != tuple(starts.omega.shape):
        raise ShapeError(f"A policy must return torques {tuple(starts.omega.shape)}, this one returned {shape}.")


def _tiny(tensor: Tensor) -> float:
    return float(torch.finfo(tensor.dtype).tiny) ** 0.5
