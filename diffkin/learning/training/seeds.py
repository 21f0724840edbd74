"""Which seeds draw what: training data in each process, and held-out data that no training draws."""

from __future__ import annotations

__all__ = ["held_out_seed", "training_seed"]

_HELD_OUT = 2_000_000_011  # far from the seeds that people give
_APART = 1009  # more than processes train together


def training_seed(seed: int, rank: int) -> int:
    """The seed of the training data that one process draws.

    Args:
        seed: Of the run.
        rank: Number of the process among those that train together.
    """
    return seed * _APART + rank


def held_out_seed(seed: int = 0) -> int:
    """A seed that no training run draws from.

    Args:
        seed: Other seeds give other held-out data.
    """
    return _HELD_OUT + seed
