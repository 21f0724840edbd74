"""What every inverse-kinematics network is: a robot, a loss, and answers to poses that serve as starts of a descent."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diffkin._checks import check_finite, check_last, check_pose
from diffkin._given import generator_of, whole
from diffkin.errors import OptionError, ShapeError
from diffkin.kinematics.ranges import sampling_range
from diffkin.learning.inverse.baselines import best_by_pose
from diffkin.learning.sizes import check_memory
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
        self.robot = _fixed(robot)
        self.single = self.robot.to(dtype=torch.float32)
        self.settings = settings
        if span is None:
            span = sampling_range(self.single.tree, self.single.lower, self.single.upper)
        lower, upper = self.span = _checked_span(span, self.robot.dof)
        self.register_buffer("middle", 0.5 * (lower + upper), persistent=False)
        self.register_buffer("radius", 0.5 * (upper - lower), persistent=False)

    def typical_tips(self, count: int) -> Float[Tensor, "count 3"]:
        """Where the tip is [m] at coordinates drawn from the span, always the same, to scale inputs by."""
        lower, upper = (side.double() for side in self.span)
        generator = generator_of(0)
        unit = torch.rand(count, self.robot.dof, generator=generator, dtype=torch.float64, device="cpu")
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
        count = whole(count, "count", 1)
        most = T_target.shape[:-2].numel() * count * self.robot.dof * T_target.element_size()
        check_memory(
            most, f"{count} answers to each of {T_target.shape[:-2].numel()} poses", "Ask for fewer at a time."
        )
        generator = generator_of(seed)
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


def _fixed(robot: Robot) -> Robot:
    """The robot on the CPU, without gradients to its geometry: a network learns weights, and must be copied."""
    if not isinstance(robot, Robot):
        raise OptionError(f"A network needs a diffkin Robot, got a {type(robot).__name__}.")
    robot.link_index(None)  # an error that names the leaves if there is no tip
    if robot.dof == 0:
        raise OptionError(f"Robot {robot.name!r} has no joint that moves, so there is nothing to answer.")
    if robot.tree.has_gradient or robot.lower.requires_grad or robot.upper.requires_grad:
        parts = {name: getattr(robot.tree, name).detach() for name in ("origins", "axes", "link_offsets")}
        robot = robot.replace(**parts, lower=robot.lower.detach(), upper=robot.upper.detach())
    return robot.to(device="cpu")


def _checked_span(span: tuple[Tensor, Tensor], dof: int) -> tuple[Tensor, Tensor]:
    """Finite bounds with room between them, float32 on the CPU."""
    if not isinstance(span, (tuple, list)) or len(span) != 2:
        raise OptionError(f"span must be a pair of tensors, lower and upper, got {span!r}.")
    for name, side in zip(("span.lower", "span.upper"), span):
        check_last(side, (dof,), name)
        if side.ndim != 1:
            raise ShapeError(f"{name} must have shape ({dof},), got {tuple(side.shape)}.")
        check_finite(side, name)
    lower, upper = (side.detach().to(device="cpu", dtype=torch.float32) for side in span)
    if not bool((lower <= upper).all()):
        raise OptionError(f"span.lower must not be above span.upper, got {lower.tolist()} and {upper.tolist()}.")
    return lower, upper
