"""How well a calibrated arm predicts poses: what it does, and what the Cramer-Rao bound says."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from diffkin import rotations
from diffkin._checks import check_last, check_pose
from diffkin.calibration.model import CalibrationModel, check_model
from diffkin.errors import ShapeError

__all__ = ["held_out_rms", "predicted_rms"]


def held_out_rms(
    model: CalibrationModel, x: Float[Tensor, " parameters"], q: Float[Tensor, "n dof"], poses: Float[Tensor, "n 4 4"]
) -> tuple[float, float]:
    """Root mean square distance [m] and angle [rad] between predicted and true poses."""
    check_model(model)
    check_pose(poses, "poses")
    predicted = model.poses(x, q)
    if len(q) == 0 or tuple(poses.shape) != (len(q), 4, 4):
        raise ShapeError(
            f"poses must have shape ({len(q)}, 4, 4), one for each of the readings, got {tuple(poses.shape)}."
        )
    distance = (predicted[:, :3, 3] - poses[:, :3, 3]).norm(dim=-1)
    angle = rotations.angle_between(predicted[:, :3, :3], poses[:, :3, :3])
    return float(distance.square().mean().sqrt()), float(angle.square().mean().sqrt())


def predicted_rms(
    model: CalibrationModel,
    x: Float[Tensor, " parameters"],
    covariance: Float[Tensor, "parameters parameters"],
    q: Float[Tensor, "n dof"],
) -> tuple[float, float]:
    """What ``held_out_rms`` would be on average at the Cramer-Rao bound: ``sqrt(mean tr(H C H^T))``.

    Args:
        model: The model.
        x: (parameters,) where to linearise.
        covariance: Of the parameters.
        q: (n, dof) held-out readings.

    Returns:
        Distance [m] and angle [rad].
    """
    check_model(model)
    check_last(covariance, (model.size, model.size), "covariance")
    check_last(q, (model.robot.dof,), "q")
    if covariance.ndim != 2 or q.ndim != 2 or len(q) == 0:
        raise ShapeError(
            f"covariance ({model.size}, {model.size}) and q (n, {model.robot.dof}) are needed, one reading at least; got "
            f"{tuple(covariance.shape)} and {tuple(q.shape)}."
        )
    rows = model.jacobian(x, q)
    variance = torch.einsum("nip,pk,nik->ni", rows, covariance, rows).clamp(min=0.0)
    return float(variance[:, :3].sum(-1).mean().sqrt()), float(variance[:, 3:].sum(-1).mean().sqrt())
