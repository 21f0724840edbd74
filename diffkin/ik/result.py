"""What an inverse kinematics solve returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["IKResult"]

_SHOWN = 8  # indices of problems that are written out


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
        out_of_reach: Called without arguments, tells (*batch,) which targets are proven to be impossible, by where they
            want the tip or the last axis; None where the base was free.
    """

    q: Float[Tensor, "*batch dof"]
    success: Bool[Tensor, "*batch"]
    position_error: Float[Tensor, "*batch"]
    rotation_error: Float[Tensor, "*batch"]
    iterations: Int[Tensor, "*batch"]
    restarts: Int[Tensor, "*batch"]
    base: Float[Tensor, "*batch 4 4"] | None = None
    history: Tensor | None = None
    out_of_reach: Callable[[], Tensor] | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        solved, total = int(self.success.sum()), self.success.numel()
        said = [f"solved {solved} of {total}", f"q {tuple(self.q.shape)}"]
        if total:
            worst = [float(error.max()) for error in (self.position_error, self.rotation_error)]
            said.append(f"errors up to {worst[0]:.2g} m and {worst[1]:.2g} rad")
        if solved < total:
            said.append(f"failed: {_places(~self.success)}")
            far = None if self.out_of_reach is None else self.out_of_reach()
            if far is not None and bool(far.any()):
                said.append(f"out of reach: {_places(far)}")
        return f"IKResult({', '.join(said)})"


def _places(flags: Tensor) -> str:
    """Where flags are set, the first few of them."""
    if not flags.ndim:
        return "this one"
    found = flags.nonzero().tolist()
    shown = ", ".join(str(place[0] if len(place) == 1 else tuple(place)) for place in found[:_SHOWN])
    return shown if len(found) <= _SHOWN else f"{shown} and {len(found) - _SHOWN} more"
