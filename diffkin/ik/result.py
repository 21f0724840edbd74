"""What an inverse kinematics solve returns."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["IKResult"]


@dataclass(frozen=True, eq=False)
class IKResult:
    """Solutions of a batch of inverse kinematics problems.

    Attributes:
        q: (*batch, dof) coordinates [rad or m], within limits always; the best found where ``success`` is False.
        success: (*batch,) whether both errors are within tolerance at this ``q``, recomputed in float64.
        position_error: (*batch,) distance to the target [m]; the largest of all tasks, 0 if none asks for a position.
        rotation_error: (*batch,) angle to the target [rad]; likewise.
        iterations: (*batch,) iterations over all starts.
        restarts: (*batch,) how many starts were left behind before the one returned.
        base: (*batch, 4, 4) pose of the base found, where it was free; None otherwise.
        history: (iterations, *batch) best error ``sqrt(|r|^2)`` of each problem so far, where it was asked for.
    """

    q: Float[Tensor, "*batch dof"]
    success: Bool[Tensor, "*batch"]
    position_error: Float[Tensor, "*batch"]
    rotation_error: Float[Tensor, "*batch"]
    iterations: Int[Tensor, "*batch"]
    restarts: Int[Tensor, "*batch"]
    base: Float[Tensor, "*batch 4 4"] | None = None
    history: Tensor | None = None

    def __repr__(self) -> str:
        solved, total = int(self.success.sum()), self.success.numel()
        return f"IKResult(solved {solved} of {total}, q {tuple(self.q.shape)})"
