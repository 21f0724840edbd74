"""The servo step by the compiled kernel: the pose of one link, on the CPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from diffkin._checks import ROTATION_TOLERANCE
from diffkin._gate import is_plain, is_watched, kernel
from diffkin.ik.problem import Problem
from diffkin.kinematics import dispatch
from diffkin.motion.servo_move import CURVED, FLOOR, FLOOR_BESIDE, IDLE, MET, ON_LINE, SOFT

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["Settings", "quick_step", "step", "takes"]

Floats = np.ndarray[Any, Any]
Step = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
"""``q``, ``dq``, errors of position and rotation, and scale."""

_ONES = (1.0,) * 6


@dataclass(frozen=True)
class Settings:
    """What a tick is asked to do besides its state and target.

    Attributes:
        dt: Length of the tick [s].
        damping: At least 0.
        centring: At least 0.
        slow: Whether to keep to the straight way.
    """

    dt: float
    damping: float
    centring: float
    slow: bool


def quick_step(
    robot: Robot, q: Any, dq: Any, target: Any, fastest: Any, hardest: Any, link: str | None, settings: Settings
) -> Step | None:
    """The short way for a state and a pose each of the same leading axes: a tick takes microseconds, and so do its checks.

    Args:
        robot: The robot.
        q: As the user gave it; ``dq`` and ``target`` likewise.
        dq: Speed.
        target: Poses, if the kernel is to serve.
        fastest: The velocity limit likewise.
        hardest: The acceleration limit likewise.
        link: Name of the link; None for the tip.
        settings: The rest, checked.

    Returns:
        What a ``ServoStep`` holds; None where the kernel does not apply, or the long way has to say what is wrong.
    """
    for given in (q, dq, target):
        if not isinstance(given, Tensor) or not is_plain(given):
            return None
    if is_watched() or not dispatch.kernel_applies(None, robot.tree):
        return None
    shape, dof = q.shape, robot.tree.dof
    batch = shape[:-1]
    if not shape or shape[-1] != dof or dq.shape != shape or target.shape != (*batch, 4, 4):
        return None
    ready = _ready(robot, robot.link_index(link))
    rates = ready.rates(fastest, hardest)
    if rates is None:
        return None
    poses = kernel("ik.targets.ready_targets")(
        np.ascontiguousarray(_array(target)).reshape(-1, 4, 4), ROTATION_TOLERANCE
    )
    if poses is None:
        return None
    return _step(robot, ready, _rows(q, dof), _rows(dq, dof), poses, rates, settings, batch)


def takes(problem: Problem, robot: Robot, backend: str | None) -> bool:
    """Whether the kernel computes what these tasks mean."""
    if not dispatch.kernel_applies(backend, robot.tree) or is_watched() or len(problem.tasks) != 1:
        return False
    return problem.tasks[0].kernel_weights(turned=False) == _ONES


def step(
    problem: Problem, robot: Robot, q: Tensor, dq: Tensor, fastest: Tensor, hardest: Tensor, settings: Settings
) -> Step | None:
    """The step for a problem that the kernel ``takes``; None where its numbers overflow.

    Args:
        problem: Of one pose.
        robot: The robot.
        q: (n, dof) float64; ``dq`` likewise.
        dq: Speed.
        fastest: (dof,) velocity limit.
        hardest: (dof,) acceleration limit.
        settings: The rest.

    Returns:
        What a ``ServoStep`` holds, (n, ...).
    """
    place = problem.tasks[0].placement()
    if place is None or place.position is None or place.rotation is None:
        return None
    poses = np.zeros((len(q), 4, 4))
    poses[:, :3, :3], poses[:, :3, 3], poses[:, 3, 3] = place.rotation.numpy(), place.position.numpy(), 1.0
    rates = torch.stack((fastest, hardest)).numpy()
    ready, dof = _ready(robot, problem.links[0][0]), robot.dof
    return _step(robot, ready, _rows(q, dof), _rows(dq, dof), poses, rates, settings, q.shape[:-1])


def _step(
    robot: Robot,
    ready: _Ready,
    q: Floats,
    dq: Floats,
    poses: Floats,
    rates: Floats,
    settings: Settings,
    batch: torch.Size,
) -> Step | None:
    single = robot.tree.dtype == torch.float32
    done = kernel("servo.tick.tick")(
        *(ready.arm, rates, ready.constants, q, dq, poses),
        *(settings.dt, settings.damping, settings.centring, settings.slow, single),
    )
    scale = done.found[2]
    if np.isnan(scale).any():
        return None
    after, speed = done.q, done.dq
    if single:
        after, speed = after.astype(np.float32), speed.astype(np.float32)
    if len(batch) == 1:
        return _tensors(after, speed, done.found)
    shape = (*batch, q.shape[1])
    return _tensors(after.reshape(shape), speed.reshape(shape), done.found.reshape(3, *batch))


def _tensors(q: Floats, dq: Floats, found: Floats) -> Step:
    as_tensor = torch.from_numpy
    position, rotation, scale = as_tensor(found).unbind()
    return as_tensor(q), as_tensor(dq), position, rotation, scale


@dataclass(frozen=True, eq=False)
class _Ready:
    """What is made once for a link of a robot."""

    arm: Any
    constants: Any
    own: Floats  # (2, dof) the robot's limits of speed, and none of acceleration

    def rates(self, fastest: Any, hardest: Any) -> Floats | None:
        """(2, dof) limits of speed and acceleration; None where they are not what the short way knows."""
        if fastest is None and hardest is None:
            return self.own
        rates = self.own.copy()
        for row, given in ((0, fastest), (1, hardest)):
            if given is None:
                continue
            if isinstance(given, Tensor):
                if not is_plain(given) or given.shape not in ((), rates.shape[1:]):
                    return None
                given = _array(given)
            elif type(given) not in (float, int):
                return None
            rates[row] = given
        return rates if bool((rates > 0.0).all()) else None  # NaN is not


def _ready(robot: Robot, link: int) -> _Ready:
    key = ("servo", link)
    entry: _Ready | None = robot.cache.get(key)
    if entry is None:
        limits = (part.detach().double().numpy() for part in (robot.lower, robot.upper))
        arm = kernel("servo.arm.pack_arm")(dispatch.mechanism(robot.tree), link, *limits)
        constants = kernel("servo.tick.Constants")(FLOOR, FLOOR_BESIDE, SOFT, ON_LINE, MET, CURVED, IDLE)
        fastest = robot.max_velocity.detach().double().numpy()
        entry = _Ready(arm, constants, np.stack((fastest, np.full_like(fastest, np.inf))))
        if not (robot.lower.requires_grad or robot.upper.requires_grad or robot.max_velocity.requires_grad):
            robot.cache[key] = entry
    return entry


def _array(tensor: Tensor) -> Floats:
    return (tensor.detach() if tensor.requires_grad else tensor).numpy()


def _rows(tensor: Tensor, dof: int) -> Floats:
    """Coordinates as (n, dof) in float64; by NumPy, since torch takes microseconds for each change."""
    return np.ascontiguousarray(_array(tensor), dtype=np.float64).reshape(-1, dof)
