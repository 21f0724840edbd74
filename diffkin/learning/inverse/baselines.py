"""Starts of an inverse-kinematics descent that need no learning: what a network has to beat."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin import rotations
from diffkin.kinematics.ranges import sampling_range
from diffkin.robot import Robot

__all__ = ["NearestSample", "best_by_pose", "mid_range", "pose_errors", "uniform"]

_TURN_WEIGHT = 0.3  # [m/rad], of rotation beside position when poses are compared


def uniform(robot: Robot, T_target: Float[Tensor, "*batch 4 4"], seed: int = 0) -> Float[Tensor, "*batch dof"]:
    """Coordinates drawn uniformly within the limits, whatever the target."""
    batch = T_target.shape[:-2]
    return robot.sample(batch.numel(), seed=seed).to(T_target).reshape(*batch, robot.dof)


def mid_range(robot: Robot, T_target: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch dof"]:
    """The middle of the range that samples of every joint are drawn from, whatever the target."""
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
        from scipy.spatial import cKDTree

        self.q = robot.sample(count, seed=seed)
        self.tree = cKDTree(_pose_key(robot.forward_kinematics(self.q)).numpy())

    def __call__(self, T_target: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch dof"]:
        """(*batch, dof) coordinates of the nearest sample."""
        _, index = self.tree.query(_pose_key(T_target).numpy())
        return self.q[torch.as_tensor(index)].to(T_target)


def pose_errors(
    robot: Robot, T_target: Float[Tensor, "*batch 4 4"], q: Float[Tensor, "*batch dof"]
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """Distance [m] and angle [rad] between the tip's pose at ``q`` and the target."""
    T = robot.forward_kinematics(q)
    return (T - T_target)[..., :3, 3].norm(dim=-1), rotations.angle_between(T[..., :3, :3], T_target[..., :3, :3])


def best_by_pose(
    robot: Robot, T_target: Float[Tensor, "*batch 4 4"], q: Float[Tensor, "*batch count dof"]
) -> Float[Tensor, "*batch dof"]:
    """Of several coordinates for each target, those whose pose is nearest (position [m] + 0.3 x angle [rad])."""
    position, rotation = pose_errors(robot, T_target[..., None, :, :].expand(*q.shape[:-1], 4, 4), q)
    best = (position + _TURN_WEIGHT * rotation).argmin(-1)
    return q.take_along_dim(best[..., None, None], dim=-2).squeeze(-2)


def _pose_key(T: Tensor) -> Tensor:
    return torch.cat((T[..., :3, 3], _TURN_WEIGHT * T[..., :3, :3].flatten(-2)), dim=-1).double()
