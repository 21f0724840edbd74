"""Which seeds draw what: training data in each process, and held-out data that no training draws."""

from __future__ import annotations

from diffkin._given import seed_of

__all__ = ["held_out_seed", "training_seed"]

_HELD_OUT = 2_000_000_011  # far from the seeds that people give
_APART = 1009  # more than processes train together


def training_seed(seed: int, rank: int) -> int:
    """The seed of the training data that one process draws.

    Args:
        seed: Of the run.
        rank: Number of the process among those that train together.
    """
    return _within(seed_of(seed) * _APART + rank)


def held_out_seed(seed: int = 0) -> int:
    """A seed that no training run draws from.

    Args:
        seed: Other seeds give other held-out data.
    """
    return _within(_HELD_OUT + seed_of(seed))


def _within(seed: int) -> int:
    """A seed that torch takes; the large ones start again from zero."""
    return seed if -(2**63) <= seed < 2**63 else seed % 2**63
