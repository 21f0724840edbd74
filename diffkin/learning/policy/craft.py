"""The body that a policy flies, as far as the policy may know it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffkin._checks import check_finite, check_last, has_values
from diffkin._given import real
from diffkin.errors import OptionError, ShapeError

__all__ = ["Craft", "trial_craft"]


@dataclass(frozen=True, eq=False)
class Craft:
    """What a policy may know of the body that it flies.

    Attributes:
        inertia: (3, 3) nominal inertia in body axes [kg m^2].
        limit: (3,) largest torque about each axis [N m].
        lag: Time constant of the motors [s].
        dt: Time between commands [s].
    """

    inertia: Tensor
    limit: Tensor
    lag: float = 0.04
    dt: float = 0.02

    def __post_init__(self) -> None:
        for name, shape in (("inertia", (3, 3)), ("limit", (3,))):
            check_last(getattr(self, name), shape, name)
            if tuple(getattr(self, name).shape) != shape:
                raise ShapeError(f"{name} of a craft must have shape {shape}, got {tuple(getattr(self, name).shape)}.")
            check_finite(getattr(self, name), name)
        if has_values(self.limit) and not bool((self.limit > 0).all()):
            raise OptionError(f"Torque limits must be positive, got {self.limit.tolist()}.")
        if has_values(self.inertia) and not bool((self.moments > 0).all()):
            raise OptionError(f"Moments of inertia must be positive, got {self.moments.tolist()}.")
        for name in ("lag", "dt"):
            object.__setattr__(self, name, real(getattr(self, name), name, above=0.0))

    @property
    def moments(self) -> Tensor:
        """(3,) diagonal of the inertia."""
        return self.inertia.diagonal()

    def to(self, like: Tensor) -> Craft:
        """The same with the dtype and device of a tensor."""
        return Craft(self.inertia.to(like), self.limit.to(like), self.lag, self.dt)

    def scaled_to(self, inertia: Tensor) -> Craft:
        """A body of another inertia whose torque limits give it the same angular accelerations."""
        return Craft(inertia, self.limit.to(inertia) * inertia.diagonal() / self.moments.to(inertia), self.lag, self.dt)


def trial_craft() -> Craft:
    """The small quadrotor that policies are trained on: 10, 12 and 20 g m^2, weak about the vertical."""
    moments, limit = torch.tensor([[0.010, 0.012, 0.020], [0.15, 0.15, 0.08]], dtype=torch.float32, device="cpu")
    return Craft(torch.diag(moments), limit)
