"""Studies over many arms: how well they are calibrated, and whether chosen poses are worth it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin.calibration.accuracy import held_out_rms
from diffkin.calibration.design import choose_poses, identifiable, mean_variance
from diffkin.calibration.fit import CalibrationFit, fit_calibration
from diffkin.calibration.judge import Judgement, judge_by_poses
from diffkin.calibration.measurements import Measurements
from diffkin.calibration.model import CalibrationModel
from diffkin.calibration.residuals import system
from diffkin.errors import OptionError

__all__ = ["Calibrated", "Candidates", "DesignRow", "Measure", "calibrate_arms", "draw_candidates", "study_design"]

Measure = Callable[[int, Tensor, torch.Generator], tuple[Measurements, Tensor]]
"""``(arm, q, generator) -> measurements, poses``: noisy measurements of an arm at ``q``, the noise from the generator, and
its true poses where it is judged. Arms have the numbers from 0 on."""

_WEIGHED = 500  # poses that the choice is made for; it never sees those that judge it


@dataclass(frozen=True, eq=False)
class Calibrated:
    """One calibrated arm.

    Attributes:
        data: Its measurements.
        fit: Of them.
        judged: On what was held out.
    """

    data: Measurements
    fit: CalibrationFit
    judged: Judgement


def calibrate_arms(
    model: CalibrationModel,
    measure: Measure,
    held_out: Float[Tensor, "m dof"],
    *,
    arms: int,
    poses: int,
    loss: str = "squares",
    seed: int = 0,
) -> Iterator[Calibrated]:
    """Calibrate arms one after another, each from random poses of its own.

    Args:
        model: What is fitted.
        measure: Measures an arm.
        held_out: (m, dof) configurations at which calibrated arms are judged.
        arms: How many.
        poses: At how many random configurations each is measured.
        loss: As in ``fit_calibration``.
        seed: Of the configurations and the noise.

    Yields:
        Each arm.
    """
    for index in range(arms):
        generator = torch.Generator().manual_seed(7_919 * seed + index)
        data, truth = measure(index, model.robot.sample(poses, seed=generator), generator)
        fit = fit_calibration(model, data, loss=loss)
        yield Calibrated(data, fit, judge_by_poses(model, fit, held_out, truth))


@dataclass(frozen=True, eq=False)
class Candidates:
    """Poses to choose from.

    Attributes:
        q: (candidates, dof) configurations.
        rows: (candidates, r, parameters) Jacobians of their measurements in units of the noise.
        weigh: (m, s, parameters) Jacobians of what the choice is to predict well.
    """

    q: Float[Tensor, "candidates dof"]
    rows: Float[Tensor, "candidates r parameters"]
    weigh: Float[Tensor, "m s parameters"]


@dataclass(frozen=True)
class DesignRow:
    """Held-out errors, root mean square [m, or rad where rotations are measured], for one number of poses.

    Attributes:
        count: How many poses are measured.
        predicted_random: By the covariance, the median over random choices.
        predicted_chosen: By the covariance.
        measured_random: Over calibrated arms.
        measured_chosen: Over calibrated arms.
    """

    count: int
    predicted_random: float
    predicted_chosen: float
    measured_random: float
    measured_chosen: float


def draw_candidates(
    model: CalibrationModel, kind: str, position_sigma: float, rotation_sigma: float, count: int, seed: int = 0
) -> Candidates:
    """Random poses of the nominal arm to choose from.

    Args:
        model: What is fitted.
        kind: What is measured, one of ``KINDS``.
        position_sigma: Standard deviation of each coordinate [m].
        rotation_sigma: Standard deviation about each axis [rad].
        count: How many.
        seed: Of the poses.

    Returns:
        The candidates.
    """
    q = model.robot.sample(count, seed=seed + 20_000)
    poses = model.poses(model.zero(), q)
    measured = Measurements.of_poses(q, poses, position_sigma, rotation_sigma).only(kind)
    other = model.robot.sample(_WEIGHED, seed=seed + 30_000)
    rows = system(model, model.zero(), measured)[1]
    return Candidates(q, rows, model.jacobian(model.zero(), other)[:, _judged(kind)])


def study_design(
    model: CalibrationModel,
    candidates: Candidates,
    kind: str,
    counts: Sequence[int],
    held_out: Float[Tensor, "m dof"],
    measure: Measure,
    *,
    random: int = 41,
    arms: int = 60,
    loss: str = "squares",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[DesignRow]:
    """Choose poses and calibrate arms from them and from random ones, with the same noise.

    Args:
        model: What is fitted.
        candidates: Poses to choose from, as ``draw_candidates`` gives them.
        kind: What is measured, one of ``KINDS``.
        counts: How many poses to choose, one row each.
        held_out: (m, dof) configurations at which calibrated arms are judged.
        measure: Measures an arm.
        random: Random choices that the chosen one is set beside.
        arms: How many arms are calibrated.
        loss: As in ``fit_calibration``.
        seed: Of the random choices.
        progress: ``(finished, total)``, called after every arm.

    Returns:
        One row for each count.

    Raises:
        diffkin.errors.OptionError: ``random`` or ``arms`` is below 1, or a count is too small or too large.
    """
    if random < 1 or arms < 1:
        raise OptionError(f"random and arms must be at least 1, got {random} and {arms}.")
    rows = candidates.rows
    judge = model.jacobian(model.zero(), held_out)[:, _judged(kind)]
    basis = identifiable(rows)
    generator = torch.Generator().manual_seed(seed)
    table = []
    for k, count in enumerate(counts):
        chosen = choose_poses(rows, candidates.weigh, count)
        draws = [torch.randperm(len(rows), generator=generator, device="cpu")[:count] for _ in range(random)]
        usual = sorted(mean_variance(rows[some], judge, basis) for some in draws)[random // 2]
        squares = {"chosen": 0.0, "random": 0.0}
        for index in range(arms):
            for name, some in (("chosen", chosen), ("random", draws[index % len(draws)])):
                data, truth = measure(index, candidates.q[some], torch.Generator().manual_seed(index))
                fit = fit_calibration(model, data, loss=loss)
                squares[name] += held_out_rms(model, fit.x, held_out, truth)[kind == "rotation"] ** 2
            if progress is not None:
                progress(k * arms + index + 1, len(counts) * arms)
        table.append(
            DesignRow(
                count,
                predicted_random=math.sqrt(usual),
                predicted_chosen=math.sqrt(mean_variance(rows[chosen], judge, basis)),
                measured_random=math.sqrt(squares["random"] / arms),
                measured_chosen=math.sqrt(squares["chosen"] / arms),
            )
        )
    return table


def _judged(kind: str) -> slice:
    """Rows of a pose's Jacobian whose errors are compared: rotation where only that is measured, else position."""
    return slice(3, 6) if kind == "rotation" else slice(0, 3)
