"""Every solution of a pose, by the kernel, for arms with six turning joints: the nearest of them all, or all in order."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from diffkin._checks import ROTATION_TOLERANCE
from diffkin._gate import array, kernel
from diffkin.ik import kernel_route
from diffkin.ik.result import IKResult
from diffkin.ik.turns import turning
from diffkin.kinematics import dispatch

if TYPE_CHECKING:
    from diffkin.ik.options import Options
    from diffkin.ik.search import Progress
    from diffkin.robot import Robot

__all__ = ["Complete", "complete_of", "in_order", "nearest_of_all"]


class Complete:
    """The distinct solutions of poses of one link, up to whole turns.

    Attributes:
        q: (n, m, dof) float64 solutions, those beyond the count of no meaning.
        count: (n,) how many there are.
        endless: (n,) whether there are more than m: then these are some of a curve.
        steps: (n,) iterations that were spent.
    """

    def __init__(self, gatherer: Any, poses: Tensor, seed: int) -> None:
        found = kernel("solutions.gather.gather")(gatherer, array(poses.double()), seed)
        self.q, self.count, self.steps = (torch.from_numpy(part) for part in (found.q, found.number, found.steps))
        self.endless = self.count >= self.q.shape[1]


def complete_of(robot: Robot, link: int, backend: str | None = None) -> Any:
    """What ``Complete`` is made from; None for a robot whose poses the kernel does not solve completely.

    Args:
        robot: The robot.
        link: Index of the link that poses are of.
        backend: None, or "reference": then the kernel solves none.
    """
    if not dispatch.kernel_applies(backend, robot.tree):
        return None
    key = ("every solution", link)
    kept: tuple[Any] | None = robot.cache.get(key)
    if kept is None:
        endless = torch.full((robot.dof,), torch.inf, dtype=torch.float64, device="cpu")
        every = robot.dof > 0 and bool(turning(robot.tree, -endless, endless).all())
        made = kernel("solutions.gather.make_gatherer")(dispatch.mechanism(robot.tree), link) if every else None
        kept = robot.cache[key] = (made,)
    return kept[0]


def nearest_of_all(
    options: Options, robot: Robot, target: Tensor, q0: Tensor, progress: Progress | None
) -> IKResult | None:
    """The solutions of poses of the tip that are nearest to ``q0``, of all that there are.

    Returns:
        The result; None where the kernel does not solve completely, or the long way has to say what is wrong.
    """
    if not kernel_route.expresses(options) or not (isinstance(q0, Tensor) and target.is_cpu and q0.is_cpu):
        return None
    gatherer = complete_of(robot, robot.link_index(None), options.backend)
    if gatherer is None or target.shape[-2:] != (4, 4) or q0.shape[-1:] != (robot.dof,):
        return None
    if any(a != b and 1 not in (a, b) for a, b in zip(target.shape[-3::-1], q0.shape[-2::-1])):
        return None
    batch = torch.broadcast_shapes(target.shape[:-2], q0.shape[:-1])
    target, q0 = (part.detach().expand(*batch, *core) for part, core in ((target, (4, 4)), (q0, (robot.dof,))))
    first = kernel_route.solve_poses(options, robot, target.contiguous(), q0.contiguous(), progress)
    if first is None or not first.success.numel():
        return first
    poses = kernel("ik.targets.ready_targets")(array(target).reshape(-1, 4, 4), ROTATION_TOLERANCE)
    near, weights = q0.double().reshape(-1, robot.dof), torch.ones(robot.dof, dtype=torch.float64, device="cpu")
    if options.joint_weights is not None:
        weights = torch.tensor(options.joint_weights, dtype=torch.float64, device="cpu")
    found = Complete(gatherer, torch.from_numpy(poses), options.seed)
    ordered, number = in_order(robot, found, near, weights, 1)
    nearest = torch.minimum(torch.maximum(ordered[:, 0].to(robot.dtype), robot.lower.detach()), robot.upper.detach())
    # judged by a descent from there, which ends at once unless the tolerances are tighter than those of the search
    other = kernel_route.solve_poses(_from_there(options), robot, target.reshape(-1, 4, 4), nearest, None)
    if other is None:
        return first
    own = first.q.reshape(-1, robot.dof)
    distances = [(weights * (q.double() - near).square()).sum(-1) for q in (other.q, own)]
    success = first.success.reshape(-1)
    taken = other.success & (number > 0) & (~success | (distances[0] < distances[1]))
    position, rotation, iterations, restarts = (
        part.reshape(-1) for part in (first.position_error, first.rotation_error, first.iterations, first.restarts)
    )
    return IKResult(
        torch.where(taken[:, None], other.q, own).reshape(*batch, robot.dof),
        (success | taken).reshape(batch),
        torch.where(taken, other.position_error, position).reshape(batch),
        torch.where(taken, other.rotation_error, rotation).reshape(batch),
        (iterations + found.steps + other.iterations).reshape(batch),
        torch.where(taken, restarts.clamp(min=1).clamp(max=options.max_restarts), restarts).reshape(batch),
    )


@lru_cache(maxsize=64)
def _from_there(options: Options) -> Options:
    """The same for one descent."""
    return dataclasses.replace(options, max_restarts=0, nearest_of=1, joint_weights=None)


def in_order(robot: Robot, found: Complete, near: Tensor, weights: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """The solutions within limits, whole turns among them, nearest first.

    Args:
        robot: The robot.
        found: Its solutions.
        near: (n, dof) where to be near.
        weights: (dof,) of the squared differences in the distance.
        most: At most so many of each pose.

    Returns:
        (n, k, dof) float64 solutions, those past their number of no meaning, and (n,) their number.
    """
    lower, upper = robot.lower.detach().double(), robot.upper.detach().double()
    turns = turning(robot.tree, torch.full_like(lower, -torch.inf), torch.full_like(upper, torch.inf))
    q, number = kernel("solutions.turns.order_turns")(
        found.q.numpy(), found.count.numpy(), array(near.double()), array(lower), array(upper), turns.numpy(),
        array(weights.double()), most,
    )  # fmt: skip
    return torch.from_numpy(q), torch.from_numpy(number)
