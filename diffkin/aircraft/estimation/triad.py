"""TRIAD: the attitude of two measured directions, the first met exactly."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from diffkin.aircraft.estimation.observations import check_pair, negligible
from diffkin.aircraft.frames.two_vectors import attitude_from_two

__all__ = ["triad"]


def triad(
    first_body: Float[Tensor, "*batch 3"],
    second_body: Float[Tensor, "*batch 3"],
    first_reference: Float[Tensor, "*batch 3"],
    second_reference: Float[Tensor, "*batch 3"],
) -> Float[Tensor, "*batch 3 3"]:
    """Attitude from two directions, the first met exactly.

    Each pair makes right-handed axes, and the rotation carries one set onto the other (Black, "A passive system for
    determining the attitude of a satellite", 1964). ``align_vectors`` does the same for directions that shall be
    pointed, and refuses those less than 1e-6 rad apart; measured ones count as long as their angle exceeds rounding.

    Args:
        first_body: (*batch, 3) the direction to trust, in body axes.
        second_body: (*batch, 3) the other one; only its part across the first counts.
        first_reference: (*batch, 3) the first direction in reference axes.
        second_reference: (*batch, 3) the second direction in reference axes. Leading axes broadcast.

    Returns:
        (*batch, 3, 3) R_reference_body.

    Raises:
        ShapeError: A last axis is not 3, or the leading axes do not broadcast.
        AttitudeError: A direction is zero, or two are parallel.
    """
    body = check_pair(first_body, second_body, "body")
    reference = check_pair(first_reference, second_reference, "reference")
    least = max(negligible(vector.dtype) for vector in (*body.values(), *reference.values()))
    return attitude_from_two(body, reference, parallel=least, advice="Give two directions that differ.")
