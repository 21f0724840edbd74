"""A plain conditional normalising flow, the usual way to draw inverse-kinematics solutions; here as a baseline."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from diffkin._given import flag
from diffkin.learning.inverse.network import IKNetwork
from diffkin.learning.optional import needed
from diffkin.learning.sizes import check_weights, take_sizes
from diffkin.robot import Robot

__all__ = ["Flow", "FlowSettings"]

_EDGE = 1e-6  # keeps coordinates on a limit at a finite place


@dataclass(frozen=True)
class FlowSettings:
    """Settings of ``Flow``.

    Attributes:
        name: Name in the group ``network``.
        width: Numbers between layers.
        depth: Layers of each transform's network.
        transforms: Transforms in a row.
        bins: Pieces of each rational-quadratic spline.
        coupling: Whether half of the coordinates at a time move given the others (fast to draw), instead of each given
            those before it.
    """

    name: str = "flow"
    width: int = 256
    depth: int = 3
    transforms: int = 3
    bins: int = 8
    coupling: bool = False

    def __post_init__(self) -> None:
        take_sizes(self, "width", "depth", "transforms", "bins")
        object.__setattr__(self, "coupling", flag(self.coupling, "network.coupling"))


class Flow(IKNetwork):
    """A neural spline flow (Durkan et al. 2019) over the coordinates given the pose.

    Coordinates are scaled to (-1, 1) and go through ``sqrt(2) erfinv``, so that uniform ones are normal, and whatever
    the flow draws is within the limits.
    """

    def __init__(self, robot: Robot, settings: FlowSettings, span: tuple[Tensor, Tensor] | None = None) -> None:
        zuko = needed("zuko", "The network 'flow'")
        super().__init__(robot, settings, span)
        width, dof = settings.width, robot.dof
        weights = (
            (dof + 13) * width + (settings.depth - 1) * (width + 1) * width + (width + 1) * dof * 3 * settings.bins
        )
        check_weights(settings.transforms * weights, f"width={width} and depth={settings.depth}")
        self.flow = zuko.flows.NSF(
            features=robot.dof,
            context=12,
            transforms=settings.transforms,
            bins=settings.bins,
            hidden_features=[settings.width] * settings.depth,
            passes=2 if settings.coupling else None,
        )

    def loss(self, *batch: Tensor) -> Tensor:
        q, T_target = batch
        unit = ((q - self.middle) / self.radius).clamp(_EDGE - 1.0, 1.0 - _EDGE)
        with _plainly(q):
            return -self.flow(_pose(T_target)).log_prob(math.sqrt(2.0) * torch.erfinv(unit)).mean()

    def draw(self, T_target: Tensor, generator: torch.Generator) -> Tensor:
        normal = torch.randn((len(T_target), self.robot.dof), generator=generator, device="cpu").to(T_target)
        with _plainly(T_target):
            density = self.flow(_pose(T_target))
            return self.middle + self.radius * torch.erf(density.transform.inv(normal) / math.sqrt(2.0))


@contextmanager
def _plainly(like: Tensor) -> Iterator[None]:
    """Without autocast, since splines of half precision are not monotonic; new tensors, zuko's too, where the data is."""
    with torch.autocast(like.device.type, enabled=False), torch.device(like.device):
        yield


def _pose(T_target: Tensor) -> Tensor:
    return T_target[:, :3].flatten(-2)
