"""What ``fit`` is given (a problem and settings) and what it gives back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from diffkin._given import flag, real, seed_of, whole
from diffkin.errors import OptionError

__all__ = ["FitProblem", "FitReport", "FitSettings"]


class FitProblem(Protocol):
    """What is learned: the network to train, its data, its loss and its score."""

    network: nn.Module

    def batch(self, count: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Fresh training data on the CPU; all randomness comes from the generator."""

    def loss(self, network: nn.Module, *batch: Tensor) -> Tensor:
        """The mean loss of a batch."""

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Scores on held-out data, always the same; the one named by ``FitSettings.monitor`` is to be small."""


_WHOLE = (  # name, least, most
    ("steps", 1, 10**12),
    ("batch", 1, 10**9),
    ("warmup", 0, 10**12),
    ("validate_every", 1, 10**12),
    ("checkpoint_every", 1, 10**12),
    ("patience", 0, 10**12),
    ("devices", 1, 1008),  # fewer than the seeds of training data leave room for
    ("nodes", 1, 1008),
    ("threads", 0, 4096),
)
_REAL: dict[str, dict[str, float]] = {
    "learning_rate": {"above": 0.0, "most": 1e6},
    "clip": {"above": 0.0},
    "weight_decay": {"least": 0.0, "most": 1e6},
    "average": {"least": 0.0, "below": 1.0},
}


@dataclass(frozen=True)
class FitSettings:
    """Settings of ``fit``; the group ``trainer`` of the scripts.

    Attributes:
        steps: Optimiser steps of the whole run.
        batch: Samples a step, over all processes.
        learning_rate: Peak rate of AdamW; a linear rise over ``warmup`` steps, then half a cosine down to zero.
        warmup: Steps of the rise.
        weight_decay: Of AdamW.
        clip: Largest norm of the gradient; a longer one is shortened. Infinity leaves all as they are.
        average: Decay of the running mean of the weights, which is what is validated and kept; 0 keeps the last ones.
        validate_every: Steps between validations; each one is a row of the log.
        checkpoint_every: Steps between checkpoints.
        patience: Stop after so many validations without a better one; 0 never does.
        monitor: The score that decides which weights are best.
        seed: Of the data. The weights are the caller's.
        devices: Processes on this machine, each with its own device (or share of the CPU).
        nodes: Machines.
        accelerator: "cpu", "cuda" or "auto".
        precision: As in Lightning Fabric: "32-true", "bf16-mixed", "64-true" ...
        threads: Threads of torch in each process; 0 leaves them as they are.
        tensorboard: Whether to log for TensorBoard beside metrics.csv.
        progress: Whether to show a progress bar.
    """

    steps: int = 2000
    batch: int = 512
    learning_rate: float = 1e-3
    warmup: int = 100
    weight_decay: float = 0.0
    clip: float = 1.0
    average: float = 0.999
    validate_every: int = 500
    checkpoint_every: int = 500
    patience: int = 0
    monitor: str = "loss"
    seed: int = 0
    devices: int = 1
    nodes: int = 1
    accelerator: str = "cpu"
    precision: str = "32-true"
    threads: int = 0
    tensorboard: bool = False
    progress: bool = True

    def __post_init__(self) -> None:
        for name, least, most in _WHOLE:
            object.__setattr__(self, name, whole(getattr(self, name), f"trainer.{name}", least, most))
        for name, bounds in _REAL.items():
            if name == "clip" and isinstance(self.clip, float) and self.clip == math.inf:
                continue  # gradients are left as they are
            object.__setattr__(self, name, real(getattr(self, name), f"trainer.{name}", **bounds))
        for name in ("tensorboard", "progress"):
            object.__setattr__(self, name, flag(getattr(self, name), f"trainer.{name}"))
        for name in ("monitor", "accelerator", "precision"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise OptionError(f"trainer.{name} must be a name, got {getattr(self, name)!r}.")
        object.__setattr__(self, "seed", seed_of(self.seed, "trainer.seed"))
        if self.batch % (self.devices * self.nodes):
            raise OptionError(
                f"trainer.batch is {self.batch}, which {self.devices * self.nodes} processes cannot share evenly. "
                "Make it a multiple of devices x nodes."
            )

    def rate(self, step: int) -> float:
        """Share of the learning rate at a step."""
        rise = min(1.0, (step + 1) / max(1, self.warmup))
        return rise * 0.5 * (1.0 + math.cos(math.pi * min(1.0, step / self.steps)))


@dataclass(frozen=True)
class FitReport:
    """How a run ended.

    Attributes:
        step: Steps done, fewer than asked for after an early stop.
        best: The best score.
        best_step: The step it was found at.
        seconds: Time of the run, over all its resumes.
        rank: Number of this process among those that trained together; rank 0 writes files.
    """

    step: int
    best: float
    best_step: int
    seconds: float
    rank: int
