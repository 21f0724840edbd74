"""``servo_step``: one tick of differential inverse kinematics that keeps every limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._checks import as_double, as_tensor, check_broadcast, check_finite, check_last, check_pose
from diffkin._given import real
from diffkin.errors import NonFiniteError, OptionError, closest
from diffkin.ik import PoseTask, Task
from diffkin.ik.problem import Problem, State, make_problem
from diffkin.motion import servo_kernel
from diffkin.motion.servo_move import Bounds, bounds, move
from diffkin.robot.robot import check_robot_given

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["ServoStep", "servo_step"]

_WHEN_LIMITED = ("nearest", "slow")


@dataclass(frozen=True, eq=False)
class ServoStep:
    """Where a tick leads.

    Attributes:
        q: (*batch, dof) next coordinates, ``q + dq * dt``.
        dq: (*batch, dof) their speed [rad/s or m/s].
        position_error: (*batch,) distance to the target after the tick [m]; of tasks the largest.
        rotation_error: (*batch,) angle to the target after the tick [rad]; likewise.
        scale: (*batch,) how much of the wanted motion was made, along it: 1 in full, below where limits or damping
            slowed it.
    """

    q: Float[Tensor, "*batch dof"]
    dq: Float[Tensor, "*batch dof"]
    position_error: Float[Tensor, "*batch"]
    rotation_error: Float[Tensor, "*batch"]
    scale: Float[Tensor, "*batch"]

    def __repr__(self) -> str:
        said = [f"q {tuple(self.q.shape)}"]
        if self.scale.numel():
            worst = [float(error.max()) for error in (self.position_error, self.rotation_error)]
            said.append(f"errors up to {worst[0]:.2g} m and {worst[1]:.2g} rad")
            said.append(
                f"scale {float(self.scale.min()):.3g} and above"
                if self.scale.ndim
                else f"scale {float(self.scale):.3g}"
            )
        return f"ServoStep({', '.join(said)})"


def servo_step(
    robot: Robot,
    q: Float[Tensor, "*batch dof"],
    dq: Float[Tensor, "*batch dof"],
    target: Float[Tensor, "*batch 4 4"] | Task | Sequence[Task],
    dt: float,
    velocity_limit: Float[Tensor, " dof"] | float | None = None,
    acceleration_limit: Float[Tensor, " dof"] | float | None = None,
    damping: float = 0.5,
    link: str | None = None,
    *,
    when_limited: str = "nearest",
    centring: float = 1.0,
    inequalities: tuple[Float[Tensor, "*batch rows dof"], Float[Tensor, "*batch rows"]] | None = None,
    backend: str | None = None,
) -> ServoStep:
    """One tick of control: the speed that brings the target nearest at its end, within all limits.

    Minimises ``|J dq dt + r|^2 + damping |r|^2 |dq dt - e|^2``, r the residual of the tasks at ``q``, over the speeds that
    keep ``q + dq dt`` within the joints' limits, ``|dq|`` within the velocity limit, the change of dq within the
    acceleration limit times dt, and that leave way enough to brake before a limit. Where the motion ends more than
    0.1 mm or mrad from where J foresaw it, it is corrected by one more such step from there, within the same limits.
    Damping by the squared residual (Sugihara, IEEE Trans. Robotics 27, 2011) vanishes at the target, so that the approach
    ends quadratically. Near a singularity, speeds stay bounded by it and by the limits: there "nearest" leaves the
    path, as little as it can, and "slow" goes along it more slowly, to a stop if need be (``scale`` says how much).

    The motion e is what a redundant arm does beside: it leaves the tasks alone, moves the joints towards the middles of
    their ranges, in ratio to the motion that the target asks for, and ends with it (``centring``).

    With an acceleration limit a, the motion is slowed early enough to stop at the target as well; a target that moves at
    speed v is therefore followed with a lag of about ``v^2 / (2 a)`` of the joints.

    Limits rank as follows where they cannot all be kept, as no state that these steps lead to asks for: position, then
    velocity and way to brake, then acceleration.

    Args:
        robot: The robot.
        q: (*batch, dof) coordinates, within limits; what is beyond counts as on the limit.
        dq: (*batch, dof) present speed [rad/s or m/s].
        target: (*batch, 4, 4) pose of the link in the world, or tasks. Tasks of priority 1 are met as far as the motion
            of those of priority 0 allows.
        dt: Length of the tick [s].
        velocity_limit: (dof,) or one number [rad/s or m/s]; the robot's ``max_velocity`` if None.
        acceleration_limit: (dof,) or one number [rad/s^2 or m/s^2]; none if None.
        damping: At least 0; 0 leaves a least share that makes the answer unique. Below 0.5 targets that cannot be
            reached may leave the arm restless.
        link: The link that a pose is meant for; the tip if None.
        when_limited: What gives where limits hold the motion up: "nearest" comes as near to the target as the tick
            allows and may leave the straight way to it; "slow" keeps to the way and goes along it more slowly.
        centring: How far e goes: as far as the motion itself with all joints at their limits, times this. 0 for the
            shortest motion. Of tasks of which some have a priority of 1 or more, those use the freedom instead.
        inequalities: (G, h), (*batch, rows, dof) and (*batch, rows): ``G dq <= h`` too, to 1e-6. Where the limits leave no
            such speed, the limits are kept, and the sum of the squares of ``max(G dq - h, 0)`` is the least that they
            allow. Solved by the package daqp, one state after another.
        backend: None chooses; "reference" takes the torch formula where a kernel would answer.

    Returns:
        The next coordinates and speed. Joints without limits turn on beyond a whole turn.

    Raises:
        diffkin.errors.ShapeError: Shapes that do not fit or do not broadcast.
        diffkin.errors.NonFiniteError: NaN or infinity in ``q``, ``dq`` or targets.
        diffkin.errors.RotationError: A target that is no pose.
        diffkin.errors.UnknownNameError: Unknown link, ``when_limited`` or ``backend``.
        diffkin.errors.OptionError: ``dt``, a limit, damping or centring out of its range; ``inequalities`` that are no pair.
        diffkin.errors.MissingDependencyError: ``inequalities``, and the extra ``diffkin[servo]`` is not installed.
    """
    check_robot_given(robot)
    if when_limited not in _WHEN_LIMITED:
        raise closest(when_limited, _WHEN_LIMITED, "when_limited")
    dt = real(dt, "dt", above=0.0)
    damping = real(damping, "damping", least=0.0)
    centring = real(centring, "centring", least=0.0)
    settings = servo_kernel.Settings(dt, damping, centring, when_limited == "slow")
    if backend is None and inequalities is None:
        quick = servo_kernel.quick_step(robot, q, dq, target, velocity_limit, acceleration_limit, link, settings)
        if quick is not None:
            return ServoStep(*quick)
    fastest = _limit(robot, robot.max_velocity if velocity_limit is None else velocity_limit, "velocity_limit")
    hardest = _limit(robot, torch.inf if acceleration_limit is None else acceleration_limit, "acceleration_limit")
    now, speed = (_state(robot, part, name) for part, name in ((q, "q"), (dq, "dq")))
    tasks = _tasks(robot, target, link)
    shapes = {f"target of {type(task).__name__}": tuple(task.batch_shape) for task in tasks}
    further = _inequalities(robot, inequalities)
    shapes |= {"G": tuple(further[0].shape[:-2]), "h": tuple(further[1].shape[:-1])} if further else {}
    check_broadcast(q=tuple(now.shape[:-1]), dq=tuple(speed.shape[:-1]), **shapes)
    batch = torch.broadcast_shapes(now.shape[:-1], speed.shape[:-1], *shapes.values())
    now, speed = (part.expand(*batch, robot.dof).reshape(-1, robot.dof) for part in (now, speed))
    with torch.no_grad():
        problem = make_problem(robot, tasks, batch, torch.ones(robot.dof, dtype=torch.bool, device=robot.device))
        found = None
        if further is None and servo_kernel.takes(problem, robot, backend):
            found = servo_kernel.step(problem, robot, now, speed, fastest, hardest, settings)
        if found is None:
            found = _step(problem, robot, now, speed, fastest, hardest, settings, further, batch)
    q_after, dq_after, *others = found
    shape = (*batch, robot.dof)
    return ServoStep(q_after.reshape(shape), dq_after.reshape(shape), *(part.reshape(batch) for part in others))


def _step(
    problem: Problem,
    robot: Robot,
    q: Tensor,
    dq: Tensor,
    fastest: Tensor,
    hardest: Tensor,
    settings: servo_kernel.Settings,
    further: tuple[Tensor, Tensor] | None,
    batch: torch.Size,
) -> servo_kernel.Step:
    """The step by the torch formula."""
    every, dt = torch.arange(len(q), device=q.device), settings.dt
    now = torch.minimum(torch.maximum(q, problem.lower), problem.upper)
    low, high = bounds(problem, now, dq, fastest, hardest, dt)
    allowed = Bounds(low * dt, high * dt)
    if further is not None:
        left, right = further
        left = left.expand(*batch, *left.shape[-2:]).reshape(len(q), *left.shape[-2:])
        right = right.expand(*batch, right.shape[-1]).reshape(len(q), right.shape[-1])
        allowed = Bounds(low * dt, high * dt, left, right * dt)
    state = State(now, None, every)
    change, scale = move(problem, state, allowed, hardest * dt**2, settings.damping, settings.slow, settings.centring)
    after = torch.minimum(torch.maximum(now + change, problem.lower), problem.upper)
    rounded = torch.minimum(torch.maximum(after.to(robot.dtype), robot.lower), robot.upper)
    position, rotation = problem.errors(State(rounded.double(), None, every))
    speed = torch.minimum(torch.maximum(change / dt, low), high).to(robot.dtype)
    return rounded, speed, position, rotation, scale


# -- what was given -------------------------------------------------------------------------------------------------


def _tasks(robot: Robot, target: Any, link: str | None) -> list[Task]:
    single = isinstance(target, Task)
    if single or (isinstance(target, (list, tuple)) and len(target) and all(isinstance(t, Task) for t in target)):
        tasks = [target] if single else list(target)
        if not any(task.priority == 0 for task in tasks):
            raise OptionError("There must be at least one task of priority 0.")
        if link is not None:
            raise OptionError(f"link={link!r} goes with a pose; tasks name their own links.")
        return tasks
    poses = as_tensor(target, "target", robot.dtype, robot.device).detach()
    check_pose(poses, "T_target")
    robot.link_index(link)
    return [PoseTask(link, poses)]


def _state(robot: Robot, value: Any, name: str) -> Tensor:
    state = as_double(value, name, robot.device)
    check_last(state, (robot.dof,), name)
    check_finite(state, name)
    return state


def _limit(robot: Robot, value: Any, name: str) -> Tensor:
    limit = as_double(value, name, robot.device)
    if limit.ndim:
        check_last(limit, (robot.dof,), name)
    if limit.ndim > 1 or bool((limit <= 0).any()) or bool(torch.isnan(limit).any()):
        raise OptionError(f"{name} must be above 0, one number or ({robot.dof},), got {limit.tolist()}.")
    return limit.expand(robot.dof)


def _inequalities(robot: Robot, given: Any) -> tuple[Tensor, Tensor] | None:
    if given is None:
        return None
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise OptionError("inequalities must be a pair (G, h), (*batch, rows, dof) and (*batch, rows), for G dq <= h.")
    left, right = (as_double(part, name, robot.device) for part, name in zip(given, "Gh", strict=True))
    rows = left.shape[-2] if left.ndim > 1 else 0
    check_last(left, (rows, robot.dof), "G")
    check_last(right, (rows,), "h")
    check_finite(left, "G")
    if bool((torch.isnan(right) | (right == -torch.inf)).any()):
        raise NonFiniteError("h must be finite, or inf for a row that does not count.")
    return left, right
