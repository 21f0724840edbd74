"""The best gains of a fine grid: the judge of those that are learned."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from diffkin._given import real, whole
from diffkin.errors import OptionError
from diffkin.learning.filter.records import Records
from diffkin.learning.filter.run import check_records, rms_deg, run_records
from diffkin.learning.filter.steps import filter_named
from diffkin.learning.sizes import check_memory

__all__ = ["fine_grid"]


@torch.no_grad()
def fine_grid(
    name: str,
    records: Records,
    lower: Sequence[float],
    upper: Sequence[float],
    *,
    points: int = 9,
    refinements: int = 3,
    lanes: int = 16384,
) -> tuple[Tensor, float]:
    """The best gains of a grid, even in the logarithm, refined around its best point.

    Each refinement has the same number of points over two steps of the one before to either side.

    Args:
        name: One of ``FILTERS``.
        records: What to score on.
        lower: Smallest gains, in the order of their names.
        upper: Largest gains.
        points: Along each gain.
        refinements: How many.
        lanes: Runs of the filter beside each other, which bounds the memory.

    Returns:
        (count,) gains and their root mean square [deg].

    Raises:
        diffkin.errors.OptionError: Bounds do not fit.
    """
    _, names = filter_named(name)
    check_records(records)
    points, refinements = whole(points, "points", 2, 10_000), whole(refinements, "refinements", 0, 1000)
    lanes = whole(lanes, "lanes", 1)
    for values, side in ((lower, "lower"), (upper, "upper")):
        if isinstance(values, str) or not isinstance(values, Sequence):
            raise OptionError(f"{side} must be a list of gains ({', '.join(names)}), got {values!r}.")
    lower, upper = ([real(x, side) for x in values] for values, side in ((lower, "lower"), (upper, "upper")))
    check_memory(16 * points ** len(names), f"A grid of {points} points along {len(names)} gains", "Take fewer points.")
    if not (len(lower) == len(upper) == len(names)) or not all(0 < a < b for a, b in zip(lower, upper)):
        raise OptionError(f"The grid of {name} needs bounds 0 < lower < upper for {', '.join(names)}.")
    low, high = torch.tensor([lower, upper], dtype=records.gyro.dtype, device=records.gyro.device).log()
    best, best_rms = low, float("inf")
    for _ in range(refinements + 1):
        axes = [
            torch.linspace(float(a), float(b), points, dtype=low.dtype, device=low.device) for a, b in zip(low, high)
        ]
        grid = torch.cartesian_prod(*axes).reshape(-1, len(names))
        step = (high - low) / (points - 1)
        for part in grid.split(max(1, lanes // records.count)):
            found = rms_deg(run_records(name, part.exp().T, records), records)
            index = int(found.argmin())
            if float(found[index]) < best_rms:
                best, best_rms = part[index], float(found[index])
        low, high = best - 2.0 * step, best + 2.0 * step
    return best.exp(), best_rms
