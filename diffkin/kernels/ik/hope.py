"""When a target that no start has reached so far is given up.

Descents towards a pose that can be reached, and that miss it, do not all end far from it: the more of them are tried, the
nearer the best of them comes, for most arms to about ``1 / k`` of their length and radians after k starts. Tight limits
keep them farther off, so a target is given up only where the best is a good deal farther than that.
``python -m benchmarks.reachability`` measures how often a pose that can be reached is given up wrongly.
"""

from __future__ import annotations

from typing import Any

__all__ = ["HOPE", "PROVEN_STARTS", "ROUND", "hopeless"]

HOPE = 12.0
"""A target is given up when the best of k starts is farther from it than this over k, in lengths of the arm and radians."""
ROUND = 8
"""Starts between two looks at what they came to."""
PROVEN_STARTS = 4
"""Starts for a target that is known to be out of reach, to come as near as can be."""


def hopeless(tried: int, square: Any, hope2: float) -> Any:
    """Whether to give up after ``tried`` starts whose best left a squared residual; ``hope2`` is the square of ``HOPE``.

    Squared residuals may be numbers, arrays or tensors. Plain Python: it is a piece of the kernels too.
    """
    return (tried % ROUND == 0) & (tried * tried * square > hope2)
