"""Fitting a calibration: Gauss-Newton with truncated singular values, robust weights, and how sure the answer is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin._checks import check_last
from diffkin._given import one_of, real, whole
from diffkin.calibration.measurements import Measurements, check_measurements
from diffkin.calibration.model import CalibrationModel, check_model
from diffkin.calibration.residuals import residuals_at, system
from diffkin.errors import OptionError

__all__ = ["LOSSES", "CalibrationFit", "fit_calibration"]

LOSSES = ("squares", "huber", "cauchy")
_HUBER, _CAUCHY = 2.0, 3.0  # where the weights begin to fall, in standard deviations of a block of three
_MEDIAN = 1.538  # median of the length of three standard normal numbers
_OUTLIER = 5.0  # blocks longer than this many standard deviations are outliers: one good block in 6e4
_HALVINGS = 10


@dataclass(frozen=True, eq=False)
class CalibrationFit:
    """The fitted parameters and what the data says about them.

    Attributes:
        x: (parameters,) the fit [rad and m]; of all that fit equally well, the one nearest to the nominal arm in every
            step.
        covariance: (parameters, parameters) ``pinv(J^T W J)``: the Cramer-Rao bound of the directions that the data
            determines.
        singular_values: Of the Jacobian in units of the noise.
        rank: How many directions of the parameters the data determines.
        steps: Gauss-Newton steps taken.
        converged: Whether the last step was far below the noise.
        chi2: Sum of squared residuals in units of the noise, outliers of a robust loss left out.
        chi2_per_dof: The same over numbers measured minus rank; near 1 if model and noise are right. NaN if there are
            no more numbers than directions.
        residuals: (n, 6) in units of the noise, 0 where nothing was measured.
        outliers: (n, 2) whether the position and the rotation of a measurement count as outliers; none for "squares".
    """

    x: Float[Tensor, " parameters"]
    covariance: Float[Tensor, "parameters parameters"]
    singular_values: Float[Tensor, " k"]
    rank: int
    steps: int
    converged: bool
    chi2: float
    chi2_per_dof: float
    residuals: Float[Tensor, "n 6"]
    outliers: Tensor

    def __repr__(self) -> str:
        ended = "converged" if self.converged else "not converged"
        return (
            f"CalibrationFit({ended} in {self.steps} steps, {self.rank} of {len(self.x)} parameters determined, "
            f"chi2 per degree of freedom {self.chi2_per_dof:.3g}, {int(self.outliers.sum())} outliers in "
            f"{len(self.residuals)} measurements)"
        )


def fit_calibration(
    model: CalibrationModel,
    data: Measurements,
    *,
    loss: str = "squares",
    max_steps: int = 30,
    tolerance: float = 1e-2,
    rcond: float = 1e-9,
) -> CalibrationFit:
    """Fit the parameters to measurements.

    Each step solves the linearised least-squares problem by the singular value decomposition, leaving out directions
    whose singular value is below ``rcond`` of the largest: those no measurement of this kind can tell. A robust loss
    reweights blocks of three numbers in every step (iteratively reweighted least squares), by a scale taken from their
    median, which is the noise's at the end (Hollerbach & Wampler, The Calibration Index, IJRR 1996; Huber, Robust
    Statistics, 7.8).

    Args:
        model: The model.
        data: The measurements.
        loss: "squares", "huber" or "cauchy"; the latter two bear outliers.
        max_steps: At most so many steps.
        tolerance: Stop when a step is below this many standard deviations in every direction on average.
        rcond: Which singular values count as zero, over the largest.

    Returns:
        The fit.

    Raises:
        diffkin.errors.UnknownNameError: There is no such loss.
        diffkin.errors.ShapeError: The readings have another number of joints.
        diffkin.errors.OptionError: ``max_steps`` below 1, or nothing was measured.
    """
    check_model(model)
    check_measurements(data)
    loss = one_of(loss, LOSSES, "loss")
    max_steps = whole(max_steps, "max_steps", 1)
    tolerance, rcond = real(tolerance, "tolerance", above=0.0), real(rcond, "rcond", above=0.0, below=1.0)
    check_last(data.q, (model.robot.dof,), "q")
    valid = data.valid()
    if not bool(valid.any()):
        raise OptionError("There is nothing to fit: no position and no rotation was measured.")
    x, steps, converged = model.zero(), 0, False
    residuals, jacobian = system(model, x, data)
    while True:
        weights = _weights(residuals, valid, loss)
        directions, lengths, rows, singular = _decompose(residuals, jacobian, weights, rcond)
        # lengths: the step in standard deviations along each direction
        if float(lengths.norm()) <= tolerance * math.sqrt(max(1, len(lengths))):
            converged = True
            break
        if steps == max_steps:
            break
        step = directions @ (lengths / rows)
        x = _damped(model, data, x, step, residuals, weights)
        steps += 1
        residuals, jacobian = system(model, x, data)
    outliers = _outliers(residuals, valid) & (loss != "squares")
    used = valid & ~outliers.repeat_interleave(3, dim=-1)
    directions, _, rows, singular = _decompose(residuals, jacobian, used.double(), rcond)
    chi2 = float(residuals[used].square().sum())
    freedom = int(used.sum()) - len(rows)
    return CalibrationFit(
        x=x,
        covariance=(directions / rows.square()) @ directions.T,
        singular_values=singular,
        rank=len(rows),
        steps=steps,
        converged=converged,
        chi2=chi2,
        chi2_per_dof=chi2 / freedom if freedom > 0 else float("nan"),
        residuals=residuals,
        outliers=outliers,
    )


def _decompose(residuals: Tensor, jacobian: Tensor, weights: Tensor, rcond: float) -> tuple[Tensor, ...]:
    """Directions (parameters, rank), the residual along each (rank,), their singular values, and all of those."""
    root = weights.sqrt()
    matrix = (root[..., None] * jacobian).reshape(-1, jacobian.shape[-1])
    left, singular, right = torch.linalg.svd(matrix, full_matrices=False)
    kept = singular > rcond * singular.max()
    return right[kept].T, left[:, kept].T @ (root * residuals).reshape(-1), singular[kept], singular


def _damped(
    model: CalibrationModel, data: Measurements, x: Tensor, step: Tensor, residuals: Tensor, weights: Tensor
) -> Tensor:
    """The step, halved until the weighted squares fall; near the answer, where rounding decides, taken as it is."""
    before = float((weights * residuals.square()).sum())
    for halving in range(_HALVINGS):
        moved = x + step * 0.5**halving
        after = float((weights * residuals_at(model, moved, data).square()).sum())
        if after <= before * (1.0 + 1e-9):
            return moved
    return x + step * 0.5**_HALVINGS


def _lengths(residuals: Tensor) -> Tensor:
    """(n, 2) length of the position's and of the rotation's residual."""
    return residuals.unflatten(-1, (2, 3)).norm(dim=-1)


def _outliers(residuals: Tensor, valid: Tensor) -> Tensor:
    return (_lengths(residuals) > _OUTLIER) & valid.unflatten(-1, (2, 3)).any(-1)


def _weights(residuals: Tensor, valid: Tensor, loss: str) -> Tensor:
    """(n, 6) weights of the squares; 0 where nothing was measured."""
    if loss == "squares":
        return valid.double()
    lengths, there = _lengths(residuals), valid.unflatten(-1, (2, 3)).any(-1)
    weights = torch.zeros_like(lengths)
    for column in range(2):
        seen = there[:, column]
        if not bool(seen.any()):
            continue
        # Far from the answer all residuals are large: then the scale is theirs, at the end it is the noise's.
        scale = max(1.0, float(lengths[seen, column].median()) / _MEDIAN)
        ratio = lengths[:, column] / scale
        soft = _HUBER / ratio.clamp(min=_HUBER) if loss == "huber" else 1.0 / (1.0 + (ratio / _CAUCHY).square())
        weights[:, column] = torch.where(seen, soft, 0.0)
    return weights.repeat_interleave(3, dim=-1) * valid
