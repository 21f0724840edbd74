"""Starts of an inverse-kinematics descent that need no learning: what a network has to beat."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin import rotations
from diffkin._checks import check_broadcast, check_last, check_pose
from diffkin._given import generator_of, whole
from diffkin.errors import OptionError, ShapeError
from diffkin.kinematics.ranges import sampling_range
from diffkin.learning.optional import needed
from diffkin.learning.sizes import check_memory
from diffkin.robot import Robot

__all__ = ["NearestSample", "best_by_pose", "check_poses", "mid_range", "pose_errors", "uniform"]

_TURN_WEIGHT = 0.3  # [m/rad], of rotation beside position when poses are compared


def uniform(robot: Robot, T_target: Float[Tensor, "*batch 4 4"], seed: int = 0) -> Float[Tensor, "*batch dof"]:
    """Coordinates drawn uniformly within the limits, whatever the target."""
    check_poses(robot, T_target)
    batch = T_target.shape[:-2]
    return robot.sample(batch.numel(), seed=generator_of(seed)).to(T_target).reshape(*batch, robot.dof)


def mid_range(robot: Robot, T_target: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch dof"]:
    """The middle of the range that samples of every joint are drawn from, whatever the target."""
    check_poses(robot, T_target)
    lower, upper = sampling_range(robot.tree, robot.lower, robot.upper)
    middle = 0.5 * (lower + upper)
    return middle.to(T_target).expand(*T_target.shape[:-2], robot.dof)


class NearestSample:
    """The stored sample whose pose is nearest to the target: a k-d tree over forward kinematics.

    Args:
        robot: A robot with a tip.
        count: Samples to store.
        seed: Of the samples.
    """

    def __init__(self, robot: Robot, count: int, seed: int = 0) -> None:
        cKDTree = needed("scipy.spatial", "NearestSample").cKDTree
        if not isinstance(robot, Robot):
            raise OptionError(f"NearestSample needs a diffkin Robot, got a {type(robot).__name__}.")
        count = whole(count, "count", 1)
        check_memory(8 * count * (2 * robot.dof + 40), f"{count} stored samples", "Store fewer.")
        self.robot = robot
        self.q = robot.sample(count, seed=generator_of(seed))
        self.tree = cKDTree(_pose_key(robot.forward_kinematics(self.q).detach().cpu()).numpy())

    def __call__(self, T_target: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch dof"]:
        """(*batch, dof) coordinates of the nearest sample."""
        check_poses(self.robot, T_target)
        _, index = self.tree.query(_pose_key(T_target.detach().cpu()).numpy())
        return self.q[torch.as_tensor(index, device="cpu")].to(T_target)


def pose_errors(
    robot: Robot, T_target: Float[Tensor, "*batch 4 4"], q: Float[Tensor, "*batch dof"]
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """Distance [m] and angle [rad] between the tip's pose at ``q`` and the target."""
    check_poses(robot, T_target)
    check_last(q, (robot.dof,), "q")
    check_broadcast(T_target=T_target.shape[:-2], q=q.shape[:-1])
    T = robot.forward_kinematics(q)
    return (T - T_target)[..., :3, 3].norm(dim=-1), rotations.angle_between(T[..., :3, :3], T_target[..., :3, :3])


def best_by_pose(
    robot: Robot, T_target: Float[Tensor, "*batch 4 4"], q: Float[Tensor, "*batch count dof"]
) -> Float[Tensor, "*batch dof"]:
    """Of several coordinates for each target, those whose pose is nearest (position [m] + 0.3 x angle [rad])."""
    check_poses(robot, T_target)
    check_last(q, (robot.dof,), "q")
    if q.ndim < 2 or q.shape[-2] == 0 or q.shape[:-2] != T_target.shape[:-2]:
        wanted = (*T_target.shape[:-2], "count", robot.dof)
        raise ShapeError(f"q must have shape {wanted}, one set for each target, got {tuple(q.shape)}.")
    position, rotation = pose_errors(robot, T_target[..., None, :, :].expand(*q.shape[:-1], 4, 4), q)
    best = (position + _TURN_WEIGHT * rotation).argmin(-1)
    return q.take_along_dim(best[..., None, None], dim=-2).squeeze(-2)


def check_poses(robot: Robot, T_target: Tensor) -> None:
    """Raise unless these are a robot and poses (*batch, 4, 4)."""
    if not isinstance(robot, Robot):
        raise OptionError(f"robot must be a diffkin Robot, got a {type(robot).__name__}.")
    check_pose(T_target, "T_target")


def _pose_key(T: Tensor) -> Tensor:
    return torch.cat((T[..., :3, 3], _TURN_WEIGHT * T[..., :3, :3].flatten(-2)), dim=-1).double()
