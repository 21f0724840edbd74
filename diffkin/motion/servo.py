"""``servo_step``: one tick of differential inverse kinematics that keeps every limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._checks import as_tensor, check_broadcast, check_finite, check_last, check_pose
from diffkin._given import real
from diffkin.errors import OptionError, closest
from diffkin.ik import PoseTask, Task
from diffkin.ik.problem import Problem, State, make_problem
from diffkin.motion.box_qp import solve_box_qp
from diffkin.robot.robot import check_robot_given

if TYPE_CHECKING:
    from diffkin.robot import Robot

__all__ = ["ServoStep", "servo_step"]

_WHEN_LIMITED = ("nearest", "slow")
_FLOOR = 1e-10  # of the damping, beside the trace of J^T J
_FLOOR_BESIDE = 1e-6  # likewise where something weighs much more
_FIRST = 1e6  # weight of tasks of priority 0 beside those of priority 1
_SOFT = 1e-4  # as _FLOOR, where the way that is left is measured
_CALM = 1.0  # more damping for what need not be met: it ends at residuals where curvature counts
_ON_LINE = 1e6  # weight of the direction of the motion beside its length
_MET = 1e-9  # [m or rad] a motion shorter than this is made in full


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
) -> ServoStep:
    """One tick of control: the speed that brings the target nearest at its end, within all limits.

    Minimises ``|J dq dt + r|^2 + damping |r|^2 |dq dt|^2``, r the residual of the tasks at ``q``, over the speeds that
    keep ``q + dq dt`` within the joints' limits, ``|dq|`` within the velocity limit, the change of dq within the
    acceleration limit times dt, and that leave way enough to brake before a limit. Damping by the squared residual
    (Sugihara, IEEE Trans. Robotics 27, 2011) vanishes at the target, so that the approach ends quadratically. Near a
    singularity, speeds stay bounded by it and by the limits; there the motion slows and may leave the path.

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

    Returns:
        The next coordinates and speed. Joints without limits turn on beyond a whole turn.

    Raises:
        diffkin.errors.ShapeError: Shapes that do not fit or do not broadcast.
        diffkin.errors.NonFiniteError: NaN or infinity in ``q``, ``dq`` or targets.
        diffkin.errors.RotationError: A target that is no pose.
        diffkin.errors.UnknownNameError: Unknown link or ``when_limited``.
        diffkin.errors.OptionError: ``dt``, a limit or damping out of its range.
    """
    check_robot_given(robot)
    if when_limited not in _WHEN_LIMITED:
        raise closest(when_limited, _WHEN_LIMITED, "when_limited")
    dt = real(dt, "dt", above=0.0)
    damping = real(damping, "damping", least=0.0)
    fastest = _limit(robot, robot.max_velocity if velocity_limit is None else velocity_limit, "velocity_limit")
    hardest = _limit(robot, torch.inf if acceleration_limit is None else acceleration_limit, "acceleration_limit")
    now, speed = (_state(robot, part, name) for part, name in ((q, "q"), (dq, "dq")))
    tasks = _tasks(robot, target, link)
    shapes = {f"target of {type(task).__name__}": tuple(task.batch_shape) for task in tasks}
    check_broadcast(q=tuple(now.shape[:-1]), dq=tuple(speed.shape[:-1]), **shapes)
    batch = torch.broadcast_shapes(now.shape[:-1], speed.shape[:-1], *shapes.values())
    now, speed = (part.expand(*batch, robot.dof).reshape(-1, robot.dof) for part in (now, speed))
    with torch.no_grad():
        problem = make_problem(robot, tasks, batch, torch.ones(robot.dof, dtype=torch.bool, device=robot.device))
        every = torch.arange(len(now), device=now.device)
        now = torch.minimum(torch.maximum(now, problem.lower), problem.upper)
        low, high = _bounds(problem, now, speed, fastest, hardest, dt)
        move, scale = _move(
            problem, State(now, None, every), low * dt, high * dt, hardest * dt**2, damping, when_limited == "slow"
        )
        after = torch.minimum(torch.maximum(now + move, problem.lower), problem.upper)
        rounded = torch.minimum(torch.maximum(after.to(robot.dtype), robot.lower), robot.upper)
        position, rotation = problem.errors(State(rounded.double(), None, every))
    return ServoStep(
        rounded.reshape(*batch, -1),
        torch.minimum(torch.maximum(move / dt, low), high).to(robot.dtype).reshape(*batch, -1),
        position.reshape(batch),
        rotation.reshape(batch),
        scale.reshape(batch),
    )


def _bounds(
    problem: Problem, q: Tensor, dq: Tensor, fastest: Tensor, hardest: Tensor, dt: float
) -> tuple[Tensor, Tensor]:
    """(n, dof) lowest and highest speed: within the velocity limit and able to brake, and as near to the present speed as
    the acceleration limit asks."""
    high = torch.minimum(_brakable(problem.upper - q, hardest, dt), fastest)
    low = -torch.minimum(_brakable(q - problem.lower, hardest, dt), fastest)
    slowest, quickest = dq - hardest * dt, dq + hardest * dt
    return torch.minimum(torch.maximum(slowest, low), high), torch.maximum(torch.minimum(quickest, high), low)


def _brakable(way: Tensor, hardest: Tensor, dt: float) -> Tensor:
    """The highest speed for this tick from which the joint still stops within a way, losing ``hardest * dt`` a tick.

    A speed v in the steps ``v, v - a dt, v - 2 a dt, ...`` takes ``dt ((k + 1) v - a dt k (k + 1) / 2)`` with k the
    whole number of ``v / (a dt)``; solved for v.
    """
    loss = hardest * dt
    share = (way / (loss * dt)).where(torch.isfinite(loss) & torch.isfinite(way), 0.0)
    ticks = torch.floor(0.5 * ((1.0 + 8.0 * share).sqrt() - 1.0))
    lost = torch.where(torch.isfinite(loss), loss, 0.0) * ticks * (ticks + 1.0) / 2.0
    return ((way / dt + lost) / (ticks + 1.0)).clamp(min=0.0)


def _move(
    problem: Problem, state: State, low: Tensor, high: Tensor, loss: Tensor, damping: float, slow: bool
) -> tuple[Tensor, Tensor]:
    """(n, dof) the change of coordinates within bounds, and (n,) how much of the wanted motion it makes.

    ``loss`` (dof,) is how much less a joint can move in a tick than in the one before.
    """
    first = problem.only(0)
    residual, jacobian = first.linearize(state)
    hessian = jacobian.mT @ jacobian
    size, wanted = hessian.diagonal(dim1=-2, dim2=-1).sum(-1).clamp(min=1e-30), residual.square().sum(-1)
    asked = _stoppable(jacobian, residual, size, loss) * residual
    if slow:
        move = _along(jacobian, asked, _FLOOR_BESIDE * size + damping * wanted, low, high)
    else:
        damped = hessian + torch.diag_embed((_FLOOR * size + damping * wanted)[:, None].expand_as(low))
        move = solve_box_qp(damped, (jacobian.mT @ asked[..., None]).squeeze(-1), low, high)
    made = -((jacobian @ move[..., None]).squeeze(-1) * residual).sum(-1)
    met = wanted <= _MET**2
    scale = torch.where(met, 1.0, made / wanted.where(~met, 1.0)).clamp(0.0, 1.0)
    scale = torch.where(scale > 1.0 - 1e-6, 1.0, scale)
    if problem.has_second:
        second = problem.only(1)
        rest, lever = second.linearize(state)
        rest = _stoppable(lever, rest, lever.square().sum((-1, -2)).clamp(min=1e-30), loss) * rest
        heavy = _FIRST * lever.square().sum((-1, -2)).clamp(min=1e-30) / size
        own = _FLOOR_BESIDE * lever.square().sum((-1, -2)).clamp(min=1e-30) + (_CALM + damping) * rest.square().sum(-1)
        both = heavy[:, None, None] * hessian + lever.mT @ lever + torch.diag_embed(own[:, None].expand_as(move))
        slope = (lever.mT @ rest[..., None] - heavy[:, None, None] * (hessian @ move[..., None])).squeeze(-1)
        move = solve_box_qp(both, slope, low, high)
    return move, scale


def _stoppable(jacobian: Tensor, residual: Tensor, size: Tensor, loss: Tensor) -> Tensor:
    """(n, 1) the share of the way to the target that a tick may make, so that all joints can stop there."""
    if not bool(torch.isfinite(loss).any()):
        return torch.ones_like(residual[:, :1])
    damped = jacobian.mT @ jacobian + torch.diag_embed((_SOFT * size)[:, None].expand(-1, jacobian.shape[-1]))
    way = torch.linalg.solve(damped, (jacobian.mT @ residual[..., None]).squeeze(-1)).abs().clamp(min=1e-12)
    return (_brakable(way, loss, 1.0) / way).clamp(max=1.0).amin(-1, keepdim=True)


def _along(jacobian: Tensor, residual: Tensor, share: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """(n, dof) the change that keeps to the straight way: a share s of 0 to 1 of it is one more variable."""
    wanted = residual.square().sum(-1)
    column = _ON_LINE * (jacobian.mT @ residual[..., None])
    corner = (_ON_LINE * wanted + wanted + 1e-30)[:, None, None]
    damped = _ON_LINE * jacobian.mT @ jacobian + torch.diag_embed(share[:, None].expand_as(low))
    hessian = torch.cat((torch.cat((damped, column), dim=-1), torch.cat((column.mT, corner), dim=-1)), dim=-2)
    gradient = torch.cat((torch.zeros_like(low), -wanted[:, None]), dim=-1)
    zero, one = low.new_zeros(len(low), 1), low.new_ones(len(low), 1)
    return solve_box_qp(hessian, gradient, torch.cat((low, zero), -1), torch.cat((high, one), -1))[:, :-1]


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
    state = as_tensor(value, name, robot.dtype, robot.device).detach().double()
    check_last(state, (robot.dof,), name)
    check_finite(state, name)
    return state


def _limit(robot: Robot, value: Any, name: str) -> Tensor:
    limit = as_tensor(value, name, robot.dtype, robot.device).detach().double()
    if limit.ndim:
        check_last(limit, (robot.dof,), name)
    if limit.ndim > 1 or bool((limit <= 0).any()) or bool(torch.isnan(limit).any()):
        raise OptionError(f"{name} must be above 0, one number or ({robot.dof},), got {limit.tolist()}.")
    return limit.expand(robot.dof)
