"""Judging a calibration on what it has not seen: true poses of a simulated arm, or held-out measurements of a real one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin.calibration.accuracy import held_out_rms, predicted_rms
from diffkin.calibration.fit import CalibrationFit
from diffkin.calibration.measurements import Measurements
from diffkin.calibration.model import CalibrationModel
from diffkin.calibration.residuals import system
from diffkin.errors import OptionError

__all__ = ["Judgement", "judge_by_measurements", "judge_by_poses", "root_mean_square", "split_held_out"]


@dataclass(frozen=True)
class Judgement:
    """Errors on what was held out, root mean square; None where nothing of that kind was measured.

    Attributes:
        position_before_m: Of the nominal arm.
        rotation_before_rad: Of the nominal arm.
        position_m: Of the calibrated arm.
        rotation_rad: Of the calibrated arm.
        position_bound_m: The least that is to be expected: the Cramer-Rao bound, and the noise of what is held out.
        rotation_bound_rad: The same of the rotation.
    """

    position_before_m: float | None
    rotation_before_rad: float | None
    position_m: float | None
    rotation_rad: float | None
    position_bound_m: float
    rotation_bound_rad: float

    def ratio_to_bound(self, rotation: bool = False) -> float | None:
        """Error over bound of the position, or of the rotation; near 1 is as good as it gets."""
        error, bound = (
            (self.rotation_rad, self.rotation_bound_rad) if rotation else (self.position_m, self.position_bound_m)
        )
        return None if error is None else error / bound


def judge_by_poses(
    model: CalibrationModel, fit: CalibrationFit, q: Float[Tensor, "m dof"], T_true: Float[Tensor, "m 4 4"]
) -> Judgement:
    """Errors at configurations whose true poses are known."""
    before = held_out_rms(model, model.zero(), q, T_true)
    after = held_out_rms(model, fit.x, q, T_true)
    bound = predicted_rms(model, fit.x, fit.covariance, q)
    return Judgement(*before, *after, *bound)


def split_held_out(data: Measurements, every: int = 5) -> tuple[Measurements, Measurements]:
    """Measurements to fit, and every ``every``-th one to judge by.

    Raises:
        diffkin.errors.OptionError: There are too few measurements to hold one out.
    """
    judged = torch.arange(len(data), device="cpu") % every == every - 1
    if not bool(judged.any()) or bool(judged.all()):
        raise OptionError(f"{len(data)} measurements are too few: every {every}th one is held out. Measure more poses.")
    fitted, held = (
        Measurements(data.q[some], data.position[some], data.rotation[some], data.position_sigma, data.rotation_sigma)
        for some in (~judged, judged)
    )
    return fitted, held


def judge_by_measurements(model: CalibrationModel, fit: CalibrationFit, data: Measurements) -> Judgement:
    """Errors against held-out measurements, which are noisy themselves."""
    used = data.valid()
    sigmas = (data.position_sigma, data.rotation_sigma)
    errors = []
    for x in (model.zero(), fit.x):
        residuals = system(model, x, data)[0]
        for columns, sigma in zip((slice(0, 3), slice(3, 6)), sigmas):
            errors.append(_length(residuals[:, columns], used[:, columns], sigma))
    bound = predicted_rms(model, fit.x, fit.covariance, data.q)
    noisy = [math.hypot(each, math.sqrt(3.0) * sigma) for each, sigma in zip(bound, sigmas)]
    return Judgement(errors[0], errors[1], errors[2], errors[3], noisy[0], noisy[1])


def root_mean_square(values: list[float]) -> float:
    """Of numbers."""
    return math.sqrt(sum(value**2 for value in values) / len(values))


def _length(residuals: Tensor, used: Tensor, sigma: float) -> float | None:
    """Root mean square of the length of an error, from residuals in units of the noise; None if none is used."""
    return float(residuals[used].square().mean().mul(3.0).sqrt()) * sigma if bool(used.any()) else None
