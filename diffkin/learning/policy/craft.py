"""The body that a policy flies, as far as the policy may know it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffkin._checks import check_last
from diffkin.errors import OptionError

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
        check_last(self.inertia, (3, 3), "inertia")
        check_last(self.limit, (3,), "limit")
        if not bool((self.limit > 0).all()):
            raise OptionError(f"Torque limits must be positive, got {self.limit.tolist()}.")
        if not (self.lag > 0 and self.dt > 0):
            raise OptionError(f"lag and dt must be positive, got {self.lag!r} and {self.dt!r}.")

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
    return Craft(torch.diag(torch.tensor([0.010, 0.012, 0.020])), torch.tensor([0.15, 0.15, 0.08]))
