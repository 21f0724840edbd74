"""Vector observations: directions in body axes and in reference axes, checked and made unit vectors."""

from __future__ import annotations

import torch
from torch import Tensor

from diffkin._algebra import dot, unit
from diffkin._checks import check_broadcast, check_finite, check_floating, check_last, has_values
from diffkin.aircraft._inputs import check_same_device
from diffkin.errors import AttitudeError, OptionError, ShapeError

__all__ = [
    "check_determined",
    "check_observations",
    "check_pair",
    "exceeds",
    "negligible",
    "unit_observations",
]


def check_observations(v_body: Tensor, v_reference: Tensor, weights: Tensor | None) -> None:
    """Raise unless the shapes (*batch, n, 3), (*batch, n, 3) and (*batch, n) fit each other."""
    check_last(v_body, (3,), "v_body")
    check_last(v_reference, (3,), "v_reference")
    for name, vectors in {"v_body": v_body, "v_reference": v_reference}.items():
        if vectors.ndim < 2:
            raise ShapeError(f"{name} must have shape (*batch, n, 3), got {tuple(vectors.shape)}.")
    leading = {"v_body": v_body.shape[:-1], "v_reference": v_reference.shape[:-1]}
    if weights is not None:
        check_floating(weights, "weights")
        leading["weights"] = weights.shape
    if any(shape[-1:] != v_body.shape[-2:-1] for shape in leading.values()):
        given = ", ".join(f"{name} {tuple(shape)}" for name, shape in leading.items())
        raise ShapeError(
            "v_body (*batch, n, 3), v_reference (*batch, n, 3) and weights (*batch, n) must hold the same number n of "
            f"vectors, got these leading axes: {given}."
        )
    check_broadcast(**leading)
    check_same_device(v_body=v_body, v_reference=v_reference, weights=weights)


def unit_observations(v_body: Tensor, v_reference: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Unit vectors and weights in their common dtype, values checked; shapes have been, by ``check_observations``.

    A vector of weight zero may be zero, and stays so.
    """
    if weights is None:
        weights = torch.ones(v_body.shape[-2], dtype=v_body.dtype, device=v_body.device)
    for name, tensor in {"v_body": v_body, "v_reference": v_reference, "weights": weights}.items():
        check_finite(tensor, name)
    if has_values(weights) and bool((weights.detach() < 0).any()):
        raise OptionError(f"weights must not be negative, got {float(weights.min()):.3g}.")
    batch = torch.broadcast_shapes(v_body.shape[:-1], v_reference.shape[:-1], weights.shape)
    dtype = torch.promote_types(torch.promote_types(v_body.dtype, v_reference.dtype), weights.dtype)
    weights = weights.to(dtype).expand(batch)
    counts = weights.detach() > 0
    _check_zero(v_body, counts, "v_body")
    _check_zero(v_reference, counts, "v_reference")
    return unit(v_body.to(dtype)), unit(v_reference.to(dtype)), weights


def check_pair(first: Tensor, second: Tensor, frame: str) -> dict[str, Tensor]:
    """Two directions (*batch, 3) of a frame by their names, checked to be finite and not zero."""
    pair = {f"first_{frame}": first, f"second_{frame}": second}
    for name, vector in pair.items():
        check_last(vector, (3,), name)
        check_finite(vector, name)
        _check_zero(vector, None, name)
    check_same_device(**pair)
    return pair


def _check_zero(vectors: Tensor, counts: Tensor | None, name: str) -> None:
    if has_values(vectors):
        zero = (vectors.detach() == 0).all(-1)
        if bool((zero if counts is None else zero & counts).any()):
            raise AttitudeError(
                f"{name} holds a zero vector, which has no direction. Leave it out or give it weight zero."
            )


def negligible(dtype: torch.dtype) -> float:
    """What counts as zero: of the sine of an angle, and of the curvature of unit vectors with weights of sum one.

    Rounding of the vectors alone makes a few units in the last place of one; 64 leave room for it.
    """
    return 64 * torch.finfo(dtype).eps


def exceeds(matrix: Tensor, bound: float) -> Tensor:
    """Whether the smallest eigenvalue of a symmetric matrix exceeds a bound, by leading minors."""
    a, b, c = (matrix - bound * torch.eye(3, dtype=matrix.dtype, device=matrix.device)).unbind(-1)
    second = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return (a[..., 0] > 0) & (second > 0) & (dot(a, torch.linalg.cross(b, c)).squeeze(-1) > 0)


def check_determined(value: Tensor, good: Tensor, why: str) -> None:
    """Raise unless every problem is good; skipped where the numbers of ``value`` cannot be seen."""
    if has_values(value) and not bool(good.all()):
        bad = int((~good).sum())
        raise AttitudeError(
            f"The vectors do not determine an attitude in {bad} of {good.numel()} problems: {why}. "
            "Give at least two directions that differ, in both frames, with positive weights."
        )
