"""The body that is flown in training of attitude controllers, and what judges them: the parts ``craft`` and ``score``."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from common.settings import check_finite, check_positive, require
from diffkin.learning.policy.flight import Craft

__all__ = ["CraftConfig", "ScoreConfig", "make_craft"]


@dataclass(frozen=True)
class CraftConfig:
    """The body that is flown in training."""

    moments_kg_m2: list[float]
    torque_limit_nm: list[float]
    lag_s: float
    dt_s: float
    spread: float


@dataclass(frozen=True)
class ScoreConfig:
    """How the controllers are judged."""

    starts: int
    airframes: list[str]
    flights: int
    pictures: int

    def check(self) -> None:
        """Raise for values out of range."""
        check_positive(self, "starts", where="score")
        check_finite(self, "flights", "pictures", where="score")


def make_craft(config: CraftConfig) -> Craft:
    """The body; values out of range are errors."""
    check_positive(config, "lag_s", "dt_s", where="craft")
    check_finite(config, "spread", where="craft")
    three = []
    for key in ("moments_kg_m2", "torque_limit_nm"):
        values = getattr(config, key)
        require(
            len(values) == 3 and all(value > 0 for value in values), f"craft.{key}", values, "three numbers above zero"
        )
        three.append(torch.tensor(values, dtype=torch.float32))
    return Craft(torch.diag(three[0]), three[1], config.lag_s, config.dt_s)
