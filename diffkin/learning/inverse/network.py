"""What every inverse-kinematics network is: a robot, a loss, and answers to poses that serve as starts of a descent."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diffkin._checks import check_pose
from diffkin.errors import OptionError
from diffkin.kinematics.ranges import sampling_range
from diffkin.learning.inverse.baselines import best_by_pose
from diffkin.robot import Robot

__all__ = ["IKNetwork"]


class IKNetwork(nn.Module):
    """Maps poses of the tip to coordinates. Subclasses give ``loss`` and ``draw``.

    Args:
        robot: A robot with a tip.
        settings: A frozen dataclass.
        span: (dof,) lower and upper bounds that answers lie between [rad or m]; by default those that samples are drawn
            from: the limits, and a bounded range where there are none.

    Attributes:
        span: (dof,) these bounds, float32 on the CPU.
        middle: (dof,) middle of the span.
        radius: (dof,) half of its width.
    """

    middle: Tensor
    radius: Tensor

    deterministic = False
    """Whether there is one answer to a pose, rather than a density to draw from."""

    def __init__(self, robot: Robot, settings: Any, span: tuple[Tensor, Tensor] | None = None) -> None:
        super().__init__()
        robot.link_index(None)  # an error that names the leaves if there is no tip
        self.robot = robot.to(device="cpu")
        self.single = self.robot.to(dtype=torch.float32)
        self.settings = settings
        self.span = span or sampling_range(self.single.tree, self.single.lower, self.single.upper)
        lower, upper = self.span
        self.register_buffer("middle", 0.5 * (lower + upper), persistent=False)
        self.register_buffer("radius", 0.5 * (upper - lower), persistent=False)

    def typical_tips(self, count: int) -> Float[Tensor, "count 3"]:
        """Where the tip is [m] at coordinates drawn from the span, always the same, to scale inputs by."""
        lower, upper = (side.double() for side in self.span)
        generator = torch.Generator().manual_seed(0)
        unit = torch.rand(count, self.robot.dof, generator=generator, dtype=torch.float64)
        q = (lower + unit * (upper - lower)).to(torch.float32)
        return self.single.forward_kinematics(q)[:, :3, 3]

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
