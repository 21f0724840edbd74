"""Targets of the group ``target`` for an aircraft, and a cone that its camera keeps out of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional

import torch
from torch import Tensor

from common.given import unused
from common.settings import choose, require
from diffkin import aircraft

__all__ = ["SunConfig", "TargetConfig", "make_sun", "make_targets"]

KINDS = ("ground_point", "direction")
NEEDED = {"ground_point": ("height_m", "radius_m"), "direction": ("max_elevation_deg",)}


@dataclass(frozen=True)
class TargetConfig:
    """Which way to turn which ray."""

    kind: str
    count: int
    ray: str = "boresight"
    height_m: Optional[float] = None
    radius_m: Optional[float] = None
    max_elevation_deg: Optional[float] = None


@dataclass(frozen=True)
class SunConfig:
    """A cone that the ray stays out of; none where the angle is 0."""

    azimuth_deg: float
    elevation_deg: float
    half_angle_deg: float


def make_targets(config: TargetConfig, seed: int) -> tuple[aircraft.RayTarget, Tensor]:
    """Targets, and where the aircraft are (NED) [m]."""
    choose(config.kind, KINDS, "target.kind")
    for other in KINDS:
        for name in NEEDED[other] if other != config.kind else ():
            unused(f"target.{name}", f"it belongs to target={other}, the targets are of the kind {config.kind}")
    generator = torch.Generator().manual_seed(seed)
    unit = torch.rand(config.count, 2, generator=generator, dtype=torch.float64)
    turn = 2.0 * math.pi * unit[:, 0]
    if config.kind == "ground_point":
        away = _needed(config, "radius_m") * unit[:, 1].sqrt()
        point = torch.stack((away * turn.cos(), away * turn.sin(), torch.zeros_like(away)), dim=-1)
        point[0] = 0.0  # straight below: the gimbal's singular point
        above = torch.tensor([0.0, 0.0, -_needed(config, "height_m")], dtype=torch.float64)
        return aircraft.RayTarget(config.ray, point=point), above
    highest = math.radians(_needed(config, "max_elevation_deg"))
    elevation = torch.asin((2.0 * unit[:, 1] - 1.0) * math.sin(min(highest, 0.5 * math.pi)))
    along = aircraft.azimuth_elevation_to_direction(turn, elevation)
    return aircraft.RayTarget(config.ray, direction=along), torch.zeros(3, dtype=torch.float64)


def _needed(config: TargetConfig, name: str) -> float:
    value = getattr(config, name)
    require(value is not None and 0.0 < value < math.inf, f"target.{name}", value, "a number above zero")
    return float(value)


def make_sun(config: SunConfig, ray: str) -> aircraft.KeepOut | None:
    """The cone to keep out of, or None."""
    angle = config.half_angle_deg
    require(0.0 <= angle < 180.0, "sun.half_angle_deg", angle, "from 0 to below 180")
    if angle == 0.0:
        unused("sun", "there is no cone until sun.half_angle_deg is above 0", but=("half_angle_deg",))
        return None
    for name, degrees in (("azimuth_deg", config.azimuth_deg), ("elevation_deg", config.elevation_deg)):
        require(math.isfinite(degrees), f"sun.{name}", degrees, "a finite number")
    azimuth, elevation = (
        torch.tensor(math.radians(degrees), dtype=torch.float64)
        for degrees in (config.azimuth_deg, config.elevation_deg)
    )
    return aircraft.KeepOut(ray, aircraft.azimuth_elevation_to_direction(azimuth, elevation), math.radians(angle))
