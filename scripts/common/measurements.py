"""What is measured of simulated arms, and how far they are off: the parts ``measurement``, ``errors`` and ``design``."""

from __future__ import annotations

import math
from dataclasses import dataclass

from common.given import unused
from common.settings import check_finite, check_positive, choose, require
from diffkin import simulation
from diffkin.calibration import KINDS

__all__ = ["OF_SIMULATED_ARMS", "DesignConfig", "ErrorsConfig", "MeasurementConfig"]

OF_SIMULATED_ARMS = (
    "arms", "poses", "held_out", "errors", "design", "measurement.outliers", "measurement.missing", "seed",
)  # fmt: skip
"""Settings that mean nothing for measurements of a real arm."""


@dataclass(frozen=True)
class MeasurementConfig:
    """What is measured, and how well."""

    kind: str
    position_sigma_m: float
    rotation_sigma_deg: float
    outliers: float
    missing: float

    def check(self) -> None:
        """Raise for values out of range."""
        check_positive(self, "position_sigma_m", "rotation_sigma_deg", where="measurement")
        choose(self.kind, KINDS, "measurement.kind")
        if self.kind == "position":
            unused("measurement.rotation_sigma_deg", "positions alone are measured")
        if self.kind == "rotation":
            unused("measurement.position_sigma_m", "rotations alone are measured")
        for name, value in (("outliers", self.outliers), ("missing", self.missing)):
            require(0.0 <= value < 0.5, f"measurement.{name}", value, "a share from 0 to below 0.5")

    def noise(self) -> simulation.MeasurementNoise:
        """The same in SI units."""
        sigmas = (self.position_sigma_m, math.radians(self.rotation_sigma_deg))
        return simulation.MeasurementNoise(self.kind, *sigmas, self.outliers, self.missing)


@dataclass(frozen=True)
class ErrorsConfig:
    """Standard deviations of the simulated arms' errors."""

    offset_deg: float
    translation_m: float
    rotation_deg: float

    def arm_errors(self) -> simulation.ArmErrors:
        """The same in SI units."""
        check_finite(self, "offset_deg", "translation_m", "rotation_deg", where="errors")
        return simulation.ArmErrors(math.radians(self.offset_deg), self.translation_m, math.radians(self.rotation_deg))


@dataclass(frozen=True)
class DesignConfig:
    """The choice of poses."""

    counts: list[int]
    candidates: int
    random: int
    arms: int
