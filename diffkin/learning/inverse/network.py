"""What every inverse-kinematics network is: a robot, a loss, and answers to poses that serve as starts of a descent."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diffkin._checks import check_pose
from diffkin.errors import OptionError
from diffkin.learning.inverse.baselines import best_by_pose
from diffkin.robot import Robot

__all__ = ["IKNetwork"]


class IKNetwork(nn.Module):
    """Maps poses of the tip to coordinates. Subclasses give ``loss`` and ``draw``.

    Args:
        robot: A robot with a tip.
        settings: A frozen dataclass; it and the robot are all that is needed to make the network again.
    """

    deterministic = False
    """Whether there is one answer to a pose, rather than a density to draw from."""

    def __init__(self, robot: Robot, settings: Any) -> None:
        super().__init__()
        robot.link_index(None)  # an error that names the leaves if there is no tip
        self.robot = robot.to(device="cpu")
        self.single = self.robot.to(dtype=torch.float32)
        self.settings = settings

    def augment(
        self, q: Float[Tensor, "batch dof"], T_target: Float[Tensor, "batch 4 4"], generator: torch.Generator
    ) -> tuple[Tensor, ...]:
        """What ``loss`` is given for coordinates and their pose; here just these."""
        return q, T_target

    def loss(self, *batch: Tensor) -> Tensor:
        """Mean loss of what ``augment`` returned."""
        raise NotImplementedError

    def draw(self, T_target: Float[Tensor, "batch 4 4"], generator: torch.Generator) -> Float[Tensor, "batch dof"]:
        """One answer to each pose, float32, within the limits."""
        raise NotImplementedError

    @torch.no_grad()
    def sample(
        self, T_target: Float[Tensor, "*batch 4 4"], count: int = 1, seed: int | torch.Generator = 0
    ) -> Float[Tensor, "*batch count dof"]:
        """Answers to poses: near solutions, not solutions; hand them to ``solve_ik``.

        Args:
            T_target: (*batch, 4, 4) poses ``T_base_tip``.
            count: Answers to each; a deterministic network repeats its one.
            seed: An integer, or a generator that goes on from where it is.

        Returns:
            (*batch, count, dof) coordinates within the limits [rad or m], in the dtype of the targets.

        Raises:
            diffkin.errors.ShapeError: Wrong shape.
            diffkin.errors.RotationError: No poses.
            diffkin.errors.OptionError: ``count`` is below 1.
        """
        check_pose(T_target, "T_target")
        if count < 1:
            raise OptionError(f"count must be at least 1, got {count}.")
        generator = seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
        flat = T_target.reshape(-1, 4, 4).to(next(self.parameters()))
        repeats = 1 if self.deterministic else count
        q = self.draw(flat.repeat_interleave(repeats, 0), generator).reshape(-1, repeats, self.robot.dof)
        q = q.expand(-1, count, -1).reshape(*T_target.shape[:-2], count, self.robot.dof)
        lower, upper = (side.to(T_target) for side in (self.robot.lower, self.robot.upper))
        return torch.minimum(torch.maximum(q.to(T_target), lower), upper)

    def starts(
        self, T_target: Float[Tensor, "*batch 4 4"], best_of: int = 8, seed: int | torch.Generator = 0
    ) -> Float[Tensor, "*batch dof"]:
        """The best of several answers by forward kinematics, for ``solve_ik(robot, T_target, q0=...)``.

        Args:
            T_target: (*batch, 4, 4) poses.
            best_of: How many answers to draw for each.
            seed: An integer or a generator.

        Returns:
            (*batch, dof) coordinates within the limits, in the dtype of the targets.
        """
        return best_by_pose(self.robot, T_target, self.sample(T_target, best_of, seed))
