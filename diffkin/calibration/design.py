"""Choosing the poses to measure at: greedily by determinant, then exchanged on the variance of held-out poses."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from diffkin._algebra import inverse
from diffkin._checks import check_finite, check_floating
from diffkin._given import real, whole
from diffkin.errors import OptionError, ShapeError

__all__ = ["choose_poses", "identifiable", "mean_variance"]

_RIDGE = 1e-6  # of the largest information, so that the first poses can be compared before all directions are seen


def identifiable(
    rows: Float[Tensor, "candidates r parameters"], rcond: float = 1e-9
) -> Float[Tensor, "parameters rank"]:
    """An orthonormal basis of the directions of the parameters that these measurements see."""
    _check_rows(rows, "rows")
    rcond = real(rcond, "rcond", above=0.0, below=1.0)
    _, singular, right = torch.linalg.svd(rows.reshape(-1, rows.shape[-1]), full_matrices=False)
    return right[singular > rcond * singular.max()].T


def mean_variance(
    rows: Float[Tensor, "n r parameters"],
    held_out: Float[Tensor, "m s parameters"],
    basis: Float[Tensor, "parameters rank"],
) -> float:
    """Mean over held-out poses of the trace of the prediction's covariance, for measurements with these rows.

    Args:
        rows: (n, r, parameters) Jacobians of the measurements in units of the noise.
        held_out: (m, s, parameters) Jacobians of what is to be predicted.
        basis: (parameters, rank) what is identifiable.

    Returns:
        The mean variance, in the units of what is predicted squared; infinity if the measurements do not determine the
        parameters.
    """
    _check_rows(rows, "rows")
    _check_rows(held_out, "held_out", rows.shape[-1])
    check_floating(basis, "basis")
    if basis.ndim != 2 or basis.shape[0] != rows.shape[-1] or basis.shape[1] == 0:
        raise ShapeError(f"basis must have shape ({rows.shape[-1]}, rank), got {tuple(basis.shape)}.")
    seen = (rows @ basis).reshape(-1, basis.shape[-1])
    if int(torch.linalg.matrix_rank(seen, rtol=1e-9)) < basis.shape[-1]:
        return float("inf")
    return float(torch.linalg.inv(seen.T @ seen).mul(_weight(held_out, basis)).sum())


def choose_poses(
    candidates: Float[Tensor, "candidates r parameters"],
    held_out: Float[Tensor, "m s parameters"],
    count: int,
    passes: int = 10,
) -> Int[Tensor, " count"]:
    """Choose which candidates to measure.

    Greedy D-optimality first: each pose adds the most to ``log det`` of the information. Then single poses are
    exchanged for whatever lowers the mean variance of the held-out predictions most, until no exchange helps (Fedorov's
    exchange, with the test-pose criterion of Klimchik et al.).

    Args:
        candidates: (candidates, r, parameters) Jacobians of the measurements in units of the noise.
        held_out: (m, s, parameters) Jacobians of what is to be predicted.
        count: How many to choose.
        passes: At most so many rounds of exchanges.

    Returns:
        (count,) indices, without repetition.

    Raises:
        diffkin.errors.OptionError: Fewer candidates than ``count``, or too few numbers to determine the parameters.
    """
    basis = identifiable(candidates)
    _check_rows(held_out, "held_out", candidates.shape[-1])
    count, passes = whole(count, "count"), whole(passes, "passes", 0)
    rank, each = basis.shape[-1], candidates.shape[1]
    if not 0 < count <= len(candidates) or count * each < rank:
        raise OptionError(
            f"count must be between {-(-rank // each)}, enough for {rank} identifiable directions, and the "
            f"{len(candidates)} candidates; got {count}."
        )
    rows, weight = candidates @ basis, _weight(held_out, basis)
    chosen = _greedy(rows, count)
    for _ in range(passes):
        if not _exchange(rows, weight, chosen):
            break
    return torch.tensor(chosen, device="cpu")


def _check_rows(rows: Tensor, name: str, parameters: int | None = None) -> None:
    """Raise unless these are Jacobians (n, r, parameters) that say something."""
    check_floating(rows, name)
    if rows.ndim != 3 or 0 in rows.shape or parameters not in (None, rows.shape[-1]):
        wanted = f"(n, r, {'parameters' if parameters is None else parameters})"
        raise ShapeError(f"{name} must have shape {wanted} with no axis empty, got {tuple(rows.shape)}.")
    check_finite(rows, name)
    if parameters is None and not bool((rows != 0).any()):
        raise OptionError(f"{name} holds nothing but zeros: these measurements see no parameter.")


def _weight(held_out: Tensor, basis: Tensor) -> Tensor:
    """(rank, rank) mean of ``H^T H``: its product with the covariance has the mean variance as trace."""
    seen = held_out @ basis
    return torch.einsum("msp,msk->pk", seen, seen) / len(seen)


def _greedy(rows: Tensor, count: int) -> list[int]:
    rank = rows.shape[-1]
    scale = float(rows.square().sum((1, 2)).max())
    information = _RIDGE * scale * torch.eye(rank, dtype=rows.dtype, device=rows.device)
    unit = torch.eye(rows.shape[1], dtype=rows.dtype, device=rows.device)
    chosen: list[int] = []
    for _ in range(count):
        spread = rows @ torch.linalg.inv(information)
        gain = torch.logdet(unit + spread @ rows.transpose(-1, -2))  # by the matrix determinant lemma
        gain[chosen] = -torch.inf
        chosen.append(int(gain.argmax()))
        information = information + rows[chosen[-1]].T @ rows[chosen[-1]]
    return chosen


def _exchange(rows: Tensor, weight: Tensor, chosen: list[int]) -> bool:
    """One round; whether anything changed."""
    changed = False
    unit = torch.eye(rows.shape[1], dtype=rows.dtype, device=rows.device)
    for place in range(len(chosen)):
        others = rows[[index for k, index in enumerate(chosen) if k != place]].reshape(-1, rows.shape[-1])
        information = others.T @ others
        # Without this pose the rest may not determine everything; a ridge far below the noise keeps the formula usable.
        information = information + 1e-12 * information.trace() * torch.eye(
            len(information), dtype=rows.dtype, device=rows.device
        )
        covariance = torch.linalg.inv(information)
        spread = rows @ covariance
        inner = unit + spread @ rows.transpose(-1, -2)
        # tr(C' W) of the covariance with the candidate added, by the Woodbury identity
        lowered = (inverse(inner)[0] @ (spread @ weight @ spread.transpose(-1, -2))).diagonal(dim1=-2, dim2=-1).sum(-1)
        lowered[[index for k, index in enumerate(chosen) if k != place]] = -torch.inf
        best = int(lowered.argmax())
        if float(lowered[best] - lowered[chosen[place]]) > 1e-9 * float((covariance * weight).sum()):
            chosen[place], changed = best, True
    return changed
